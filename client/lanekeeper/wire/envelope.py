"""The envelope: one MessagePack map per command, response or event (protocol helios.localbus.v1).

Unknown fields are refused. `payload` and `result` stay raw here: who executes a method decodes them
with the type that `methods` names, so a router never pays for, nor trusts, what it only passes on.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from lanekeeper.wire.errors import ErrorInfo
from lanekeeper.wire.limits import MAX_DEADLINE_MS, MAX_ID

Identifier = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
Timestamp = Annotated[
    str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|\+00:00)$", max_length=40)
]
Word = Annotated[str, Meta(min_length=1, max_length=64)]

EMPTY_MAP = Raw(b"\x80")
NIL = Raw(b"\xc0")


class Actor(Struct, forbid_unknown_fields=True, frozen=True):
    """Who gave a command: `kind` is a word such as `operator`, `program`, `agent`."""

    kind: Word
    id: Identifier


class Command(
    Struct,
    tag_field="type",
    tag="command",
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
):
    """A request to do `method`.

    `id` makes a retry safe: a mutating command is executed once per id, a repeated one gets the
    first answer. `ts` is when the command was made (RFC 3339, UTC). `deadline_ms` bounds how long
    the answer may take.
    """

    v: int
    id: Identifier
    ts: Timestamp
    method: Word
    payload: Raw = EMPTY_MAP
    workspace_id: Identifier | None = None
    lane_id: Identifier | None = None
    session_id: Identifier | None = None
    terminal_id: Identifier | None = None
    actor: Actor | None = None
    correlation_id: Identifier | None = None
    deadline_ms: Annotated[int, Meta(ge=1, le=MAX_DEADLINE_MS)] | None = None


class Response(
    Struct,
    tag_field="type",
    tag="response",
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
):
    """The answer to the command of the same `id`: a `result` with status ok, an `error` otherwise.

    `id` is empty when the command was so malformed that its id could not be read.
    """

    v: int
    id: Annotated[str, Meta(max_length=MAX_ID)]
    ts: Timestamp
    status: Literal["ok", "error"]
    result: Raw = NIL
    error: ErrorInfo | None = None
    workspace_id: Identifier | None = None
    lane_id: Identifier | None = None
    session_id: Identifier | None = None
    terminal_id: Identifier | None = None
    correlation_id: Identifier | None = None


class Event(
    Struct,
    tag_field="type",
    tag="event",
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
):
    """Something that happened.

    `seq` counts from 1 without holes within one `epoch` of the broker. A worker reports an event to
    the broker with `seq` 0 and an empty `epoch`; the broker numbers it and publishes it.
    """

    v: int
    id: Identifier
    ts: Timestamp
    topic: Word
    payload: Raw = EMPTY_MAP
    workspace_id: Identifier | None = None
    lane_id: Identifier | None = None
    session_id: Identifier | None = None
    terminal_id: Identifier | None = None
    actor: Actor | None = None
    correlation_id: Identifier
    seq: int = 0
    epoch: Annotated[str, Meta(max_length=MAX_ID)] = ""


class Glimpse(Struct):
    """The few fields an answer to a malformed message still needs; everything else is ignored."""

    v: int | None = None
    id: str | None = None
    type: str | None = None
    correlation_id: str | None = None


def raw(value: object) -> Raw:
    """Return `value` (a Struct or plain data) as the raw MessagePack of a payload or a result."""
    return Raw(msgspec.msgpack.encode(value))
