"""What goes into the lane's core (stimuli) and what comes out (actions), as plain values.

The runner turns descriptors and sockets into stimuli, and carries actions out in order: a `Journal`
before the effect or the answer it stands for. Structs, because every key makes a handful of them.
"""

from msgspec import Struct

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.screen import Screen, ScreenRequest
from lanekeeper.wire.messages.terminal import ExitStatus, Spawn, TerminalInfo
from lanekeeper.workers.queries import Cursor, Question
from lanekeeper.workers.records import Record

Route = bytes | None
"""Where an answer goes: a routing id of the lane's own ROUTER, or None for the broker."""


class Moment(Struct, frozen=True):
    """When a stimulus happened: `now` monotonic, `ts` RFC 3339 UTC, `time_ns` wall clock."""

    now: float
    ts: str
    time_ns: int


# Stimuli


class Frame(Struct, frozen=True):
    """A command arrived."""

    route: Route
    data: bytes


class Forked(Struct, frozen=True):
    """The child of a terminal exists and waits at its gate."""

    terminal_id: str
    pid: int
    start_time: int


class Executed(Struct, frozen=True):
    """The child runs its program."""

    terminal_id: str


class SpawnRefused(Struct, frozen=True):
    """The program could not be started; `reason` is the system's."""

    terminal_id: str
    reason: str
    code: str = "SPAWN_FAILED"


class Ungated(Struct, frozen=True):
    """The child went home from its gate: its worker died before it could run its program."""

    terminal_id: str


class Exited(Struct, frozen=True):
    """The child has ended; it is not reaped yet."""

    terminal_id: str
    status: ExitStatus


class Drained(Struct, frozen=True):
    """After the exit, the last byte of output is in the log."""

    terminal_id: str


class Delivered(Struct, frozen=True):
    """The kernel has the last byte of an input."""

    command_id: str
    size: int


class Undelivered(Struct, frozen=True):
    """An input was refused, before it was `taken`, or its program is gone."""

    command_id: str
    error: WireError
    taken: bool = True


class Throttle(Struct, frozen=True):
    """Reading a terminal has been held back for a while (`on`), or goes on again."""

    terminal_id: str
    on: bool


class Demoted(Struct, frozen=True):
    """A consumer used up its grace and no longer holds the program back."""

    terminal_id: str
    consumer_id: str


class Queried(Struct, frozen=True):
    """A program asked its terminal something; `offset` is up to where the output was looked at."""

    terminal_id: str
    questions: tuple[Question, ...]
    offset: int


class Timed(Struct, frozen=True):
    """Output came, at these offsets and times."""

    terminal_id: str
    samples: list[tuple[int, int]]


class Cleared(Struct, frozen=True):
    """Everything that an `End` named is gone."""

    ending_id: str
    processes: int
    killed: int


class Drawn(Struct, frozen=True):
    """A screen is drawn, or `error` says why it is not."""

    command_id: str
    screen: Screen | None
    error: WireError | None


class Located(Struct, frozen=True):
    """The answer to a `Locate`: a place for each question that seeks the cursor, in their order.

    There are fewer where the rest could not be drawn in time.
    """

    terminal_id: str
    run: int
    questions: tuple[Question, ...]
    places: tuple[Cursor, ...]


class Tick(Struct, frozen=True):
    """Time has passed."""


class Drain(Struct, frozen=True):
    """The plane stops: end everything and leave."""


Stimulus = (
    Frame
    | Forked
    | Executed
    | Ungated
    | SpawnRefused
    | Exited
    | Drained
    | Delivered
    | Undelivered
    | Throttle
    | Demoted
    | Queried
    | Timed
    | Cleared
    | Drawn
    | Located
    | Tick
    | Drain
)

# Actions


class Journal(Struct, frozen=True):
    """Append a record to the journal."""

    record: Record


class Reply(Struct, frozen=True):
    """Send a response."""

    route: Route
    data: bytes


class Report(Struct, frozen=True):
    """Send an event to the broker."""

    data: bytes


class Start(Struct, frozen=True):
    """Open a PTY (and the log, if the terminal has none yet) and have a child forked."""

    info: TerminalInfo
    spec: Spawn


class OpenGate(Struct, frozen=True):
    """Let the child run its program."""

    terminal_id: str


class Reap(Struct, frozen=True):
    """The exit status is in the journal: the parent may reap the child."""

    terminal_id: str


class Deliver(Struct, frozen=True):
    """Queue input for a program; `paste` and `more` as in `terminal.input`."""

    terminal_id: str
    command_id: str
    data: bytes
    eof: bool = False
    paste: bool = False
    more: bool = False


class Answer(Struct, frozen=True):
    """Type what a terminal would answer to its program."""

    terminal_id: str
    data: bytes


class SetSize(Struct, frozen=True):
    """Change the size of a terminal and publish it."""

    terminal_id: str
    cols: int
    rows: int


class Draw(Struct, frozen=True):
    """Draw the screen of a terminal as far as its log goes now; `deadline` is monotonic seconds."""

    terminal_id: str
    command_id: str
    asked: ScreenRequest
    deadline: float


class Locate(Struct, frozen=True):
    """Find where the cursor was behind each of these questions; `deadline` as in `Draw`.

    `run` is the program that asked, counted from 1.
    """

    terminal_id: str
    run: int
    questions: tuple[Question, ...]
    deadline: float


class SendSignal(Struct, frozen=True):
    """Signal a terminal's processes."""

    terminal_id: str
    signum: int
    target: str


class Announce(Struct, frozen=True):
    """Publish the end of a program's output in-band, and close its PTY."""

    terminal_id: str
    offset: int
    status: ExitStatus


class Hangup(Struct, frozen=True):
    """Close what leads to a program that never ran."""

    terminal_id: str


class Changed(Struct, frozen=True):
    """The consumers of a terminal changed: decide again whether to read it."""

    terminal_id: str


class End(Struct, frozen=True):
    """End every process of these terminals, found by tree, session and environment marker."""

    ending_id: str
    terminal_ids: tuple[str, ...]
    marker: tuple[str, str]
    grace: float


class Forget(Struct, frozen=True):
    """Drop a terminal's log and descriptors."""

    terminal_id: str


class Leave(Struct, frozen=True):
    """Flush and exit: the lane is closed."""


Action = (
    Journal
    | Reply
    | Report
    | Start
    | OpenGate
    | Reap
    | Deliver
    | Answer
    | SetSize
    | Draw
    | Locate
    | SendSignal
    | Announce
    | Hangup
    | Changed
    | End
    | Forget
    | Leave
)
