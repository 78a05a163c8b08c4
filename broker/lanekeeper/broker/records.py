"""The records of the broker's journal, typed.

A state is rebuilt by folding these over an empty one (`state.State.apply`), and changes in no other
way. Live records say what happened; the others are what compaction leaves of a long past. Decoding
refuses what is not a record; it never guesses.
"""

from typing import Final

import msgspec
from msgspec import Struct

from lanekeeper.wire.messages.events import Registration
from lanekeeper.wire.messages.lane import LaneInfo
from lanekeeper.wire.messages.plane import Context, WorkspaceInfo
from lanekeeper.wire.messages.session import SessionInfo
from lanekeeper.wire.messages.terminal import TerminalInfo


class RecordError(Exception):
    """Bytes that are not a record of this broker."""


class Genesis(Struct, array_like=True, tag="genesis", frozen=True):
    """The numbering of events: the epoch and the last number given."""

    epoch: str
    seq: int


class Happening(Struct, array_like=True, tag="event", frozen=True):
    """An event was numbered and published: the encoded envelope."""

    event: bytes


class Registered(Struct, array_like=True, tag="registered", frozen=True):
    """A worker has told the truth about its lane."""

    registration: Registration
    workspace_id: str
    ts: str


class Answered(Struct, array_like=True, tag="answered", frozen=True):
    """A command was answered; without a response only its id is remembered."""

    command_id: str
    response: bytes | None
    at: float


class Taken(Struct, array_like=True, tag="taken", frozen=True):
    """The broker works on a command for a lane, until one with this id and no command follows.

    Without an id it is over with all commands of the lane.
    """

    lane_id: str
    command: bytes | None
    command_id: str = ""


class Admitted(Struct, array_like=True, tag="admitted", frozen=True):
    """A spawn was let pass by the log budget: its retries are, too."""

    command_id: str


class Past(Struct, array_like=True, tag="past", frozen=True):
    """From compaction: an event that can still be replayed; its effect is in other records."""

    event: bytes


class WorkspaceIs(Struct, array_like=True, tag="workspace", frozen=True):
    """From compaction."""

    workspace: WorkspaceInfo


class LaneIs(Struct, array_like=True, tag="lane", frozen=True):
    """From compaction."""

    lane: LaneInfo


class SessionIs(Struct, array_like=True, tag="session", frozen=True):
    """From compaction."""

    session: SessionInfo


class TerminalIs(Struct, array_like=True, tag="terminal", frozen=True):
    """From compaction."""

    terminal: TerminalInfo


class ContextIs(Struct, array_like=True, tag="context", frozen=True):
    """From compaction."""

    context: Context


Record = (
    Genesis
    | Happening
    | Registered
    | Answered
    | Taken
    | Admitted
    | Past
    | WorkspaceIs
    | LaneIs
    | SessionIs
    | TerminalIs
    | ContextIs
)

_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODER: Final[msgspec.msgpack.Decoder[Record]] = msgspec.msgpack.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """Return the bytes of a record."""
    return _ENCODE(record)


def decode_record(data: bytes) -> Record:
    """Return the record in `data`.

    Raises:
        RecordError: it is none of ours.
    """
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"not a record of the broker's journal: {error}") from None
