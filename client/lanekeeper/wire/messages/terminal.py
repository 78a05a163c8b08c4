"""Bodies of `terminal.*`."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from lanekeeper.wire.envelope import Actor, Identifier, Word
from lanekeeper.wire.limits import (
    GRACE_SECONDS,
    KEEP_SECONDS,
    LOG_CAPACITY,
    MAX_ARGV_ITEMS,
    MAX_CHUNK,
    MAX_COLS,
    MAX_ENV_ITEMS,
    MAX_GRACE_SECONDS,
    MAX_LOG_CAPACITY,
    MAX_ROWS,
    MIN_COLS,
    MIN_LOG_CAPACITY,
    MIN_ROWS,
)
from lanekeeper.wire.messages.lane import Endpoints

Columns = Annotated[int, Meta(ge=MIN_COLS, le=MAX_COLS)]
Rows = Annotated[int, Meta(ge=MIN_ROWS, le=MAX_ROWS)]
Offset = Annotated[int, Meta(ge=0)]
Grace = Annotated[float, Meta(ge=0, le=MAX_GRACE_SECONDS)]
Chunk = Annotated[bytes, Meta(max_length=MAX_CHUNK)]
Text = Any
"""A word for a program: a string, or bytes where it is not UTF-8.

The lane refuses anything else.
"""


class ExitStatus(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True, frozen=True):
    """How a program ended: `exited` with `code`, `signaled` by `signal`, or `unknown`."""

    kind: Literal["exited", "signaled", "unknown"]
    code: int | None = None
    signal: int | None = None
    core: bool = False


class WriterInfo(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Who holds a terminal's writer lease; `tty` when that client is a terminal itself."""

    since: str
    tty: bool = False
    actor: Actor | None = None


class TerminalInfo(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One terminal.

    `head` is the offset after its last output byte, `tail` the first that is still kept. `runs`
    counts its programs (1 after the first spawn). `exit` is set when the program has ended. Times
    are RFC 3339, UTC. In listings of the whole plane `head` and `tail` are those of the last change
    of state. `capacity` is how many bytes of output are kept; without a `writer` anybody may type.
    """

    id: str
    workspace_id: str
    lane_id: str
    session_id: str
    name: str
    state: str
    argv: list[str]
    cwd: str | None = None
    cols: int
    rows: int
    pid: int | None = None
    start_time: int | None = None
    reason: str | None = None
    head: int = 0
    tail: int = 0
    capacity: int = LOG_CAPACITY
    exit: ExitStatus | None = None
    runs: int = 0
    writer: WriterInfo | None = None
    created: str
    updated: str


class Consume(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Register a consumer, from `offset` (the head of the log when it is not given).

    `block` and `forever` hold the program back while they are behind, `drop` never does. A
    registration lives as long as its lease.
    """

    lease_id: Identifier
    policy: Literal["block", "forever", "drop"] = "block"
    offset: Offset | None = None


class Consuming(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A registration: acknowledge what was processed with `terminal.ack`, in bytes from 0 for ever.

    Output from `offset` on is kept until it is acknowledged; what is older than `tail` is gone.
    """

    consumer_id: str
    offset: int
    head: int
    tail: int
    epoch: int
    terminal: TerminalInfo


class Ack(Struct, forbid_unknown_fields=True, kw_only=True):
    """Everything before `offset` was processed. One-way: answered only when it is refused."""

    consumer_id: Identifier
    offset: Offset


class Release(Struct, forbid_unknown_fields=True, kw_only=True):
    """End a registration."""

    consumer_id: Identifier


class ConsumerInfo(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One registered consumer; `lag` is in bytes."""

    id: str
    lease_id: str
    policy: str
    offset: int
    lag: int


class ConsumerList(Struct, forbid_unknown_fields=True, kw_only=True):
    """The registered consumers of a terminal."""

    consumers: list[ConsumerInfo]


class Write(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Take a terminal's writer lease, which lives as long as the lease on its session.

    While somebody holds it nobody else's input or size is accepted. `tty` says that the client is a
    terminal, which answers what programs ask of terminals; `take` takes it from another client.
    """

    lease_id: Identifier
    tty: bool = False
    take: bool = False


class Writing(Struct, forbid_unknown_fields=True, kw_only=True):
    """The writer lease: `writer_id` goes with every `terminal.input` and `terminal.resize`."""

    writer_id: str
    terminal: TerminalInfo


class Unlease(Struct, forbid_unknown_fields=True, kw_only=True):
    """Give the writer lease back."""

    writer_id: Identifier


class Spawn(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Start a program on a new terminal.

    Attributes:
        argv: the program and its arguments; found on the PATH of `env`.
        env: the complete environment; LANEKEEPER_LANE, _SESSION, _TERMINAL, _DIR and TERM are
            added.
        umask: of the program; the plane's when it is not given.
        limits: `[resource number, soft, hard]` each (-1 is unlimited); those of `lane up` when not
            given.
        output: `tty` as a terminal does it; `raw` without post-processing and echo, for pipes.
        stdin: `tty`, or `pipe`: the program's standard input is a pipe that carries any bytes and
            ends.
        keep_s: how long the log stays after the program has ended.
        capacity: bytes of output that are kept.
        consume: register a consumer from the first byte on, in the same step.
        write: take the writer lease before the program runs, in the same step.
    """

    argv: Annotated[list[Text], Meta(min_length=1, max_length=MAX_ARGV_ITEMS)]
    cwd: Text | None = None
    env: Annotated[dict[str, Text], Meta(max_length=MAX_ENV_ITEMS)] = {}
    umask: Annotated[int, Meta(ge=0, le=0o777)] | None = None
    limits: Annotated[list[tuple[int, int, int]], Meta(max_length=32)] | None = None
    cols: Columns = 80
    rows: Rows = 24
    name: Word | None = None
    output: Literal["tty", "raw"] = "tty"
    stdin: Literal["tty", "pipe"] = "tty"
    keep_s: Annotated[float, Meta(ge=0, le=30 * 24 * 3600)] = KEEP_SECONDS
    capacity: Annotated[int, Meta(ge=MIN_LOG_CAPACITY, le=MAX_LOG_CAPACITY)] = LOG_CAPACITY
    consume: Consume | None = None
    write: Write | None = None


class Respawn(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Start the same program again on an ended terminal; the log goes on at its head."""

    consume: Consume | None = None


class Spawned(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A terminal whose program runs (or has already ended), and where to reach it."""

    terminal: TerminalInfo
    endpoints: Endpoints
    epoch: int
    consumer_id: str | None = None
    writer_id: str | None = None


class Input(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Bytes for the program. `eof` ends its standard input after them.

    `paste` has them bracketed as a paste if the program asked for that, from the first of several
    inputs to the last, the one without `more`. `writer_id` is that of the writer lease.
    """

    data: Chunk = b""
    eof: bool = False
    paste: bool = False
    more: bool = False
    writer_id: Identifier | None = None


class InputResult(Struct, forbid_unknown_fields=True, kw_only=True):
    """All of the input has been delivered to the kernel."""

    delivered: int


class Resize(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Set the size of a terminal, in character cells; `writer_id` as in `terminal.input`."""

    cols: Columns
    rows: Rows
    writer_id: Identifier | None = None


class Signal(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Send a signal by name (`INT`, `SIGINT`) or number.

    `foreground` is the terminal's foreground process group, `leader` the program itself, `tree` the
    program and every descendant.
    """

    signal: Annotated[str, Meta(min_length=1, max_length=16)] | int
    target: Literal["foreground", "leader", "tree"] = "foreground"


class TerminalResult(Struct, forbid_unknown_fields=True, kw_only=True):
    """A terminal as it is now."""

    terminal: TerminalInfo


class Read(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Ask for at most `max` bytes of output from `offset` (by default the oldest kept one)."""

    offset: Offset | None = None
    max: Annotated[int, Meta(ge=0, le=MAX_CHUNK)] = MAX_CHUNK


class Gap(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Bytes that are gone: from `start` up to but not including `end`."""

    start: int
    end: int


class ReadResult(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A range of output. `data` starts at `offset`; `gap` says what was asked for and is gone.

    `end` is the final offset when the program has ended and all its output is in the log.
    """

    offset: int
    data: bytes
    head: int
    tail: int
    epoch: int
    gap: Gap | None = None
    end: int | None = None
    exit: ExitStatus | None = None


class TerminalListRequest(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Ask for terminals, of the envelope's lane and session if these are given.

    `after` is the `next` of the page before.
    """

    limit: Annotated[int, Meta(ge=1, le=200)] = 200
    after: Identifier | None = None


class TerminalList(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Terminals; `complete` as in `lane.list`."""

    terminals: list[TerminalInfo]
    complete: bool = True
    next: str | None = None


class Wait(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Wait until the program has ended. `until` will take `match` and `idle` too.

    The envelope's `deadline_ms` bounds the wait; after it the answer is TIMEOUT.
    """

    until: Literal["exit", "match", "idle"] = "exit"


class WaitResult(Struct, forbid_unknown_fields=True, kw_only=True):
    """What was waited for has happened."""

    reason: str
    exit: ExitStatus | None = None
    end: int | None = None


class Close(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """End the program with every descendant, and forget the terminal with its log."""

    grace_s: Grace = GRACE_SECONDS
