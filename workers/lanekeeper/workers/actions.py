"""What goes into the lane's core (stimuli) and what comes out (actions), as plain values.

The runner turns descriptors and sockets into stimuli, and carries actions out in order: a `Journal`
before the effect or the answer it stands for.
"""

from dataclasses import dataclass

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.screen import Screen, ScreenRequest
from lanekeeper.wire.messages.terminal import ExitStatus, Spawn, TerminalInfo
from lanekeeper.workers.queries import Cursor, Question
from lanekeeper.workers.records import Record

Route = bytes | None
"""Where an answer goes: a routing id of the lane's own ROUTER, or None for the broker."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a stimulus happened: `now` monotonic, `ts` RFC 3339 UTC, `time_ns` wall clock."""

    now: float
    ts: str
    time_ns: int


# Stimuli


@dataclass(frozen=True, slots=True)
class Frame:
    """A command arrived."""

    route: Route
    data: bytes


@dataclass(frozen=True, slots=True)
class Forked:
    """The child of a terminal exists and waits at its gate."""

    terminal_id: str
    pid: int
    start_time: int


@dataclass(frozen=True, slots=True)
class Executed:
    """The child runs its program."""

    terminal_id: str


@dataclass(frozen=True, slots=True)
class SpawnRefused:
    """The program could not be started; `reason` is the system's."""

    terminal_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The child has ended; it is not reaped yet."""

    terminal_id: str
    status: ExitStatus


@dataclass(frozen=True, slots=True)
class Drained:
    """After the exit, the last byte of output is in the log."""

    terminal_id: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """The kernel has the last byte of an input."""

    command_id: str
    size: int


@dataclass(frozen=True, slots=True)
class Undelivered:
    """An input was refused or its program is gone."""

    command_id: str
    error: WireError


@dataclass(frozen=True, slots=True)
class Throttle:
    """Reading a terminal has been held back for a while (`on`), or goes on again."""

    terminal_id: str
    on: bool


@dataclass(frozen=True, slots=True)
class Demoted:
    """A consumer used up its grace and no longer holds the program back."""

    terminal_id: str
    consumer_id: str


@dataclass(frozen=True, slots=True)
class Queried:
    """A program asked its terminal something; `offset` is up to where the output was looked at."""

    terminal_id: str
    questions: tuple[Question, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Timed:
    """Output came, at these offsets and times."""

    terminal_id: str
    samples: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Cleared:
    """Everything that an `End` named is gone."""

    ending_id: str
    processes: int
    killed: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A screen is drawn, or `error` says why it is not."""

    command_id: str
    screen: Screen | None
    error: WireError | None


@dataclass(frozen=True, slots=True)
class Located:
    """The answer to a `Locate`: a place for each question that seeks the cursor, in their order.

    There are fewer where the rest could not be drawn in time.
    """

    terminal_id: str
    run: int
    questions: tuple[Question, ...]
    places: tuple[Cursor, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Drain:
    """The plane stops: end everything and leave."""


Stimulus = (
    Frame
    | Forked
    | Executed
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


@dataclass(frozen=True, slots=True)
class Journal:
    """Append a record to the journal."""

    record: Record


@dataclass(frozen=True, slots=True)
class Reply:
    """Send a response."""

    route: Route
    data: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """Send an event to the broker."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Start:
    """Open a PTY (and the log, if the terminal has none yet) and have a child forked."""

    info: TerminalInfo
    spec: Spawn


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Let the child run its program."""

    terminal_id: str


@dataclass(frozen=True, slots=True)
class Reap:
    """The exit status is in the journal: the parent may reap the child."""

    terminal_id: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """Queue input for a program; `paste` and `more` as in `terminal.input`."""

    terminal_id: str
    command_id: str
    data: bytes
    eof: bool = False
    paste: bool = False
    more: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Type what a terminal would answer to its program."""

    terminal_id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class SetSize:
    """Change the size of a terminal and publish it."""

    terminal_id: str
    cols: int
    rows: int


@dataclass(frozen=True, slots=True)
class Draw:
    """Draw the screen of a terminal as far as its log goes now; `deadline` is monotonic seconds."""

    terminal_id: str
    command_id: str
    asked: ScreenRequest
    deadline: float


@dataclass(frozen=True, slots=True)
class Locate:
    """Find where the cursor was behind each of these questions; `deadline` as in `Draw`.

    `run` is the program that asked, counted from 1.
    """

    terminal_id: str
    run: int
    questions: tuple[Question, ...]
    deadline: float


@dataclass(frozen=True, slots=True)
class SendSignal:
    """Signal a terminal's processes."""

    terminal_id: str
    signum: int
    target: str


@dataclass(frozen=True, slots=True)
class Announce:
    """Publish the end of a program's output in-band, and close its PTY."""

    terminal_id: str
    offset: int
    status: ExitStatus


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close what leads to a program that never ran."""

    terminal_id: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The consumers of a terminal changed: decide again whether to read it."""

    terminal_id: str


@dataclass(frozen=True, slots=True)
class End:
    """End every process of these terminals, found by tree, session and environment marker."""

    ending_id: str
    terminal_ids: tuple[str, ...]
    marker: tuple[str, str]
    grace: float


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop a terminal's log and descriptors."""

    terminal_id: str


@dataclass(frozen=True, slots=True)
class Leave:
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
