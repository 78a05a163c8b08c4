"""What the worker's journal holds: the entities of its lane as they are after each change.

A record replaces the one of the same entity, a `Gone` removes it; so replaying a journal, or a
compacted one, gives the same state. An entry of the journal is a MessagePack array of the records
of one turn, so a turn is there whole or not at all; the journal adds length and checksum.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from lanekeeper.wire.envelope import Actor
from lanekeeper.wire.messages.events import Assignment
from lanekeeper.wire.messages.session import SessionInfo
from lanekeeper.wire.messages.terminal import Spawn, TerminalInfo
from lanekeeper.workers.paste import Paste


class LaneIs(Struct, tag="lane", frozen=True):
    """The lane that this worker serves."""

    assignment: Assignment


class SessionIs(Struct, tag="session", frozen=True):
    """A session after a change."""

    info: SessionInfo


class TerminalIs(Struct, tag="terminal", frozen=True):
    """A terminal after a change, with what it takes to start its program again.

    `command_id` is the command that starts its program, `consumer_id` what it registered; `begin`
    is the offset at which the output of this program begins.
    """

    info: TerminalInfo
    spec: Spawn
    correlation_id: str
    ended_at: float | None = None
    command_id: str = ""
    consumer_id: str | None = None
    begin: int = 0


class LeaseIs(Struct, tag="lease", frozen=True):
    """A client's lease on a session; a successor gives it a fresh time to live."""

    id: str
    session_id: str


class ConsumerIs(Struct, tag="consumer", frozen=True):
    """A registration with its last acknowledged offset."""

    id: str
    terminal_id: str
    lease_id: str
    policy: str
    offset: int


class InputIs(Struct, tag="input", frozen=True):
    """An input that is not answered: `length` bytes that end at `end` of the input log.

    It was delivered when the log's cursor is there, accepted when the log reaches there. `size` are
    the caller's bytes, `head` is where the output ended; `close` ends the program's input, `marked`
    ends in an end-of-file mark. Without a command id it is an answer to the program, nobody's
    command; those before `cursor` need not be remembered.
    """

    command_id: str
    terminal_id: str
    end: int
    size: int
    length: int
    head: int
    cursor: int
    close: bool = False
    marked: bool = False

    @property
    def name(self) -> str:
        """What it is known by; an answer to the program by its place."""
        return self.command_id or f"{self.terminal_id}@{self.end}"


class PasteIs(Struct, tag="paste", frozen=True):
    """The input that ends at `end` began, went on with or ended a paste."""

    terminal_id: str
    end: int
    before: Paste
    after: Paste


class WriterIs(Struct, tag="writer", frozen=True):
    """Who writes to a terminal: the lease on the session that it lives by, and a token of its own.

    `tty` says that the client is a terminal itself, `since` is RFC 3339.
    """

    id: str
    terminal_id: str
    lease_id: str
    tty: bool
    since: str
    actor: Actor | None = None


class Resized(Struct, tag="resized", frozen=True):
    """A terminal's size from `offset` on, at `time_ns` (wall clock)."""

    terminal_id: str
    offset: int
    time_ns: int
    cols: int
    rows: int


class Queried(Struct, tag="queried", frozen=True):
    """The questions to the terminal in the output before `offset` need no answer any more."""

    terminal_id: str
    offset: int


class Timed(Struct, tag="timed", frozen=True):
    """When output came: pairs of the offset from which on, and the wall clock in nanoseconds."""

    terminal_id: str
    samples: list[tuple[int, int]]


class Answered(Struct, tag="answered", frozen=True):
    """The answer to a mutating command (None: dropped since); `at` is monotonic seconds."""

    command_id: str
    response: bytes | None
    at: float


class Gone(Struct, tag="gone", frozen=True):
    """The lane, session, terminal, lease, consumer or writer of this id is no more."""

    id: str


Record = (
    LaneIs
    | SessionIs
    | TerminalIs
    | LeaseIs
    | ConsumerIs
    | WriterIs
    | InputIs
    | PasteIs
    | Resized
    | Queried
    | Timed
    | Answered
    | Gone
)
_DECODER: Final[msgspec.msgpack.Decoder[list[Record]]] = msgspec.msgpack.Decoder(list[Record])
_ENCODER: Final = msgspec.msgpack.Encoder()


def encode_records(records: Sequence[Record]) -> bytes:
    """Return the payload of one journal entry: these records, all of them or none."""
    return _ENCODER.encode(records)


def decode_records(payload: bytes) -> list[Record]:
    """Return the records of a journal entry; msgspec.DecodeError when it is not one."""
    return _DECODER.decode(payload)
