"""The words of the protocol page that no type can say, read from docs/notes and checked.

Owns the check both ways: every field, method, topic and limit of the code has its note, and no note
is about anything else. Called by `reference`.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from generating.types import fields_of, structs_in
from lanekeeper.wire import limits
from lanekeeper.wire.envelope import Actor, Command, Event, Response
from lanekeeper.wire.errors import CODES, ErrorInfo
from lanekeeper.wire.messages.events import Happened, Registration
from lanekeeper.wire.methods import METHODS
from lanekeeper.wire.output import Header
from lanekeeper.wire.topics import PUBLISHED

OUTPUT_TOPIC: Final = "terminal.output"
LIMITS: Final = {name: value for name, value in vars(limits).items() if name.isupper()}
ENVELOPES: Final[tuple[type[Struct], ...]] = (Command, Response, Event, Actor, ErrorInfo, Header)


class NotesError(Exception):
    """A note is missing, or is about something the code does not have."""


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes by what they are about."""

    fields: dict[str, dict[str, str]]
    types: dict[str, str]
    methods: dict[str, dict[str, Any]]
    topics: dict[str, dict[str, Any]]
    limits: dict[str, list[str]]


def structs() -> dict[str, type[Struct]]:
    """Return every Struct that travels on the wire, by name."""
    found: dict[str, type[Struct]] = {}
    waiting: list[type[Struct]] = [*ENVELOPES, Happened, Registration]
    for method in METHODS.values():
        waiting += [method.payload, method.result]
    while waiting:
        kind = waiting.pop(0)
        if kind.__name__ not in found:
            found[kind.__name__] = kind
            waiting += structs_in(kind)
    return found


def read(folder: Path) -> Notes:
    """Return the notes.

    Raises:
        NotesError: they are not about exactly what the code has.
    """
    fields = _load(folder / "fields.toml")
    types = fields.pop("types")
    notes = Notes(
        fields=fields,
        types=types,
        methods=_load(folder / "methods.toml"),
        topics=_load(folder / "topics.toml"),
        limits=_load(folder / "limits.toml"),
    )
    _check(notes)
    return notes


def _load(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def _check(notes: Notes) -> None:
    kinds = structs()
    fields = {f"{name}.{f.name}" for name, kind in kinds.items() for f in fields_of(kind)}
    noted = {f"{name}.{field}" for name, about in notes.fields.items() for field in about}
    _same("fields", fields, noted)
    _same("structs", kinds, notes.fields)
    _within("types", notes.types, fields)
    implemented = [name for name, method in METHODS.items() if method.executor]
    _same("methods", implemented, notes.methods)
    published = PUBLISHED - {OUTPUT_TOPIC}
    _same("topics", published, notes.topics)
    _same("limits", LIMITS, notes.limits)
    for name, about in notes.methods.items():
        _within(f"errors of {name}", about.get("errors", []), CODES)
        _within(f"events of {name}", about.get("events", []), published)
    payload = {field.name for field in fields_of(Happened)}
    for name, about in notes.topics.items():
        _within(f"fields of {name}", about["fields"], payload)
    _within("errors of limits", {code for _, code in notes.limits.values() if code}, CODES)


def _same(what: str, wanted: Iterable[str], noted: Iterable[str]) -> None:
    missing, unknown = sorted(set(wanted) - set(noted)), sorted(set(noted) - set(wanted))
    if missing or unknown:
        raise NotesError(f"{what} without a note: {missing}; notes about nothing: {unknown}")


def _within(what: str, noted: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(noted) - set(known))
    if unknown:
        raise NotesError(f"{what}: not in the code: {unknown}")
