"""The types of the wire in words, for the tables of the protocol page.

Owns one short phrase per kind of type, bounds and defaults included. Refuses a type it has no words
for. Called by `reference`.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from msgspec import NODEFAULT, Struct, inspect

_PLACES: Final = {
    "Actor": "command",
    "ErrorInfo": "response",
    "Assignment": "between-worker-and-broker",
}
"""Headings of the Structs that have no section under their own name."""
TIMESTAMP: Final = "RFC 3339 time in UTC"


class NoWordsError(Exception):
    """A type that the documents have no words for."""


def fields_of(kind: type[Struct]) -> tuple[inspect.Field, ...]:
    """Return the fields of a Struct, in order."""
    info = inspect.type_info(kind)
    if not isinstance(info, inspect.StructType):
        raise NoWordsError(f"{kind} is not a Struct")
    return info.fields


def structs_in(kind: type[Struct]) -> list[type[Struct]]:
    """Return the Structs that the fields of `kind` hold, directly."""
    found: list[type[Struct]] = []
    for field in fields_of(kind):
        found += _inside(field.type)
    return found


def phrase(node: inspect.Type) -> str:
    """Return a type in words.

    Raises:
        NoWordsError: there are none.
    """
    words = _WORDS.get(type(node))
    if words is None:
        raise NoWordsError(f"no words for {node}")
    return words(node)


def reference_to(kind: type[Struct]) -> str:
    """Return a link to the section of a Struct."""
    name = kind.__name__
    return f"[{name}](#{_PLACES.get(name, name.lower())})"


def default_of(field: inspect.Field) -> str:
    """Return what a field is when it is left out."""
    if field.required:
        return "required"
    value: Any = field.default
    if value is NODEFAULT:
        value = field.default_factory() if callable(field.default_factory) else None
    if isinstance(value, msgspec.Raw):
        value = msgspec.msgpack.decode(bytes(value))
    if isinstance(value, bytes):
        return "empty" if not value else repr(value)
    if value is None:
        return "nil"
    if isinstance(value, list | dict | str) and not value:
        return "empty"
    return f"`{value}`" if isinstance(value, str) else str(value).lower()


def _string(node: inspect.StrType) -> str:
    return TIMESTAMP if node.pattern else f"string{_span(node, 'characters')}"


def _union(node: inspect.UnionType) -> str:
    parts = [phrase(one) for one in node.types]
    return " or ".join(sorted(parts, key=lambda part: part == "nil"))


def _array(node: inspect.ListType) -> str:
    return f"array of {phrase(node.item_type)}{_most(node)}"


def _map(node: inspect.DictType) -> str:
    return f"map of {phrase(node.key_type)} to {phrase(node.value_type)}{_most(node)}"


def _choice(values: Iterable[object]) -> str:
    return " or ".join(f"`{value}`" for value in values)


def _inside(node: inspect.Type) -> list[type[Struct]]:
    match node:
        case inspect.StructType():
            return [node.cls]
        case inspect.Metadata():
            return _inside(node.type)
        case inspect.UnionType():
            return [kind for one in node.types for kind in _inside(one)]
        case inspect.ListType():
            return _inside(node.item_type)
    return []


def _span(node: inspect.StrType | inspect.BytesType, unit: str) -> str:
    if node.max_length is None:
        return ""
    if node.min_length:
        return f", {node.min_length}..{node.max_length} {unit}"
    return f", at most {node.max_length} {unit}"


def _range(node: inspect.IntType | inspect.FloatType) -> str:
    if node.ge is not None and node.le is not None:
        return f" {node.ge:g}..{node.le:.10g}"
    return "" if node.ge is None else f" >= {node.ge:g}"


def _most(node: inspect.ListType | inspect.DictType) -> str:
    return "" if node.max_length is None else f", at most {node.max_length}"


_WORDS: Final[dict[type[inspect.Type], Callable[[Any], str]]] = {
    inspect.BoolType: lambda _: "boolean",
    inspect.NoneType: lambda _: "nil",
    inspect.AnyType: lambda _: "anything",
    inspect.RawType: lambda _: "anything",
    inspect.Metadata: lambda node: phrase(node.type),
    inspect.StrType: _string,
    inspect.BytesType: lambda node: f"bin{_span(node, 'bytes')}",
    inspect.IntType: lambda node: f"integer{_range(node)}",
    inspect.FloatType: lambda node: f"number{_range(node)}",
    inspect.LiteralType: lambda node: _choice(sorted(map(str, node.values))),
    inspect.EnumType: lambda node: _choice(member.value for member in node.cls),
    inspect.StructType: lambda node: reference_to(node.cls),
    inspect.UnionType: _union,
    inspect.ListType: _array,
    inspect.TupleType: lambda node: f"[{', '.join(map(phrase, node.item_types))}]",
    inspect.DictType: _map,
}
