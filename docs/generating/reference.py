"""The generated blocks of docs/protocol.md: fields, methods, topics, codes and limits.

Owns their layout. Every function returns Markdown without a closing newline. Called by
`docs/generate.py`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from generating import types
from generating.notes import ENVELOPES, LIMITS, Notes, structs
from lanekeeper.wire.errors import CODES
from lanekeeper.wire.messages.events import Assignment, Happened, Registration
from lanekeeper.wire.methods import METHODS, Executor, Method
from lanekeeper.wire.output import Kind
from lanekeeper.wire.topics import FORMAL, PUBLISHED

NOUNS: Final = (
    ("plane", "The plane"),
    ("workspace", "Workspaces"),
    ("context", "Context, addresses, events"),
    ("lane", "Lanes"),
    ("session", "Sessions and leases"),
    ("terminal", "Terminals"),
    ("diagnostics", "Diagnostics"),
    ("orphans", "Orphans"),
    ("boundary", "Boundaries"),
)
_TOGETHER: Final = {"address": "context", "events": "context", "lease": "session"}
NOTHING: Final = "-"
_ALONE: Final = frozenset({"Nothing", "Happened", "Registration", "Assignment"})
KINDS: Final = {
    Kind.DATA: ("`length` bytes of output that start at `offset`", "the output"),
    Kind.HEAD: ("no news: the log ends at `offset` now", "empty"),
    Kind.END: ("the program has ended and `offset` is final", "an [ExitStatus](#exitstatus) map"),
    Kind.RESIZE: ("the size changed when the log ended at `offset`", "the array [cols, rows]"),
    Kind.JOINED: ("your token came back: earlier subscriptions are in force", "empty"),
}


def blocks(notes: Notes) -> dict[str, Callable[[], str]]:
    """Return what fills each block of the page, by the block's name."""
    shown: tuple[type[Struct], ...] = (*ENVELOPES, Happened, Registration, Assignment)
    found = {f"fields {kind.__name__}": _later(notes, kind) for kind in shown}
    return found | {
        "methods": lambda: _methods(notes),
        "index": _index,
        "objects": lambda: _objects(notes),
        "topics": lambda: _topics(notes),
        "kinds": _kinds,
        "codes": _codes,
        "limits": lambda: _limits(notes),
        "deferred methods": _deferred_methods,
        "deferred topics": _deferred_topics,
    }


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _later(notes: Notes, kind: type[Struct]) -> Callable[[], str]:
    return lambda: _fields(notes, kind)


def _fields(notes: Notes, kind: type[Struct]) -> str:
    name = kind.__name__
    rows = []
    for field in types.fields_of(kind):
        wanted = notes.types.get(f"{name}.{field.name}") or types.phrase(field.type)
        meaning = notes.fields[name][field.name]
        rows.append((f"`{field.name}`", wanted, types.default_of(field), meaning))
    return table(("field", "type", "default", "meaning"), rows)


def _noun(method: str) -> str:
    noun = method.partition(".")[0]
    return _TOGETHER.get(noun, noun)


def _implemented(noun: str) -> list[tuple[str, Method]]:
    return [(n, m) for n, m in METHODS.items() if m.executor and _noun(n) == noun]


def _index() -> str:
    rows = []
    for noun, _ in NOUNS:
        for name, method in _implemented(noun):
            link = f"[`{name}`](#{name.replace('.', '')})"
            answer = "when refused" if method.one_way else "always"
            retry = "answered again" if method.mutates else "done again"
            formal = "formal" if method.formal else "extension"
            rows.append((link, str(method.executor), _requires(method), retry, answer, formal))
    return table(("method", "executor", "required", "repeated id", "answered", ""), rows)


def _requires(method: Method) -> str:
    needed = [*method.requires, *(["correlation_id"] if method.lifecycle else [])]
    return ", ".join(f"`{name}`" for name in needed) or NOTHING


def _methods(notes: Notes) -> str:
    parts = []
    for noun, title in NOUNS:
        parts.append(f"### {title}")
        parts += [_method(notes, name, method) for name, method in _implemented(noun)]
    return "\n\n".join(parts)


def _method(notes: Notes, name: str, method: Method) -> str:
    about = notes.methods[name]
    where = "the broker" if method.executor is Executor.BROKER else "the lane's worker"
    needed = _requires(method)
    facts = [f"Executed by {where}."] + ([f"Needs {needed}."] if needed != NOTHING else [])
    if method.one_way:
        facts.append("One-way: answered only when it is refused.")
    if about.get("errors"):
        facts.append(f"Own errors: {_ticked(about['errors'])}.")
    if about.get("events"):
        facts.append(f"Events: {_ticked(about['events'])}.")
    parts = [f"#### {name}", about["does"], " ".join(facts)]
    parts += [_body("Payload", notes, method.payload), _body("Result", notes, method.result)]
    return "\n\n".join(parts)


def _body(what: str, notes: Notes, kind: type[Struct]) -> str:
    if not types.fields_of(kind):
        return f"{what}: an empty map."
    if kind.__name__.endswith("Info") or kind.__name__ in {"Context", "Ended"}:
        return f"{what}: {types.reference_to(kind)}."
    return f"{what} (`{kind.__name__}`):\n\n{_fields(notes, kind)}"


def _objects(notes: Notes) -> str:
    bodies = {m.payload.__name__ for m in METHODS.values()}
    bodies |= {m.result.__name__ for m in METHODS.values()}
    envelopes = {kind.__name__ for kind in ENVELOPES}
    named = {
        name: kind
        for name, kind in sorted(structs().items())
        if name not in envelopes | _ALONE
        and (name not in bodies or name in {"Consume", "Context", "Ended", "Write"})
    }
    return "\n\n".join(f"#### {name}\n\n{_fields(notes, kind)}" for name, kind in named.items())


def _topics(notes: Notes) -> str:
    rows = []
    for name, about in notes.topics.items():
        formal = "formal" if name in FORMAL else "extension"
        rows.append((f"`{name}`", about["when"], _ticked(about["fields"]), formal))
    return table(("topic", "published when", "payload", ""), rows)


def _kinds() -> str:
    rows = [(f"`{kind}`", says, third) for kind, (says, third) in KINDS.items()]
    return table(("kind", "says", "third frame"), rows)


def _codes() -> str:
    rows = [
        (f"`{name}`", code.meaning, "yes" if code.retryable else "no", str(code.exit_status))
        for name, code in CODES.items()
    ]
    return table(("code", "meaning", "retryable", "exit status of `lane`"), rows)


def _limits(notes: Notes) -> str:
    rows = [
        (f"`{name}`", f"{value:,}", *map(_code_or_dash, notes.limits[name]))
        for name, value in LIMITS.items()
    ]
    return table(("name", "value", "what", "refusal"), rows)


def _code_or_dash(text: str) -> str:
    return f"`{text}`" if text in CODES else text or NOTHING


def _deferred_methods() -> str:
    rows = [
        (
            f"`{name}`",
            method.phase,
            str(method.boundary),
            "formal" if method.formal else "extension",
        )
        for name, method in METHODS.items()
        if method.executor is None
    ]
    return table(("method", "comes with", "boundary", ""), rows)


def _deferred_topics() -> str:
    return _ticked(sorted(FORMAL - PUBLISHED)) + "."


def _ticked(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
