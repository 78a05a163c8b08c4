"""The person's side of a relay, and how a relay came to its end.

Owns the values alone; `relay` moves what flows between them. Made by `run`, `attach`, `read` and
`record`.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from lanekeeper.cli.keys import NONE, DetachKey
from lanekeeper.cli.note import Note
from lanekeeper.cli.pen import Pen
from lanekeeper.wire.messages.terminal import ExitStatus


class Way(Enum):
    """How a relay came to its end."""

    ENDED = auto()
    DETACHED = auto()
    SIGNALLED = auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a relay came to its end, with the program's status or the signal that ended us."""

    way: Way
    exit: ExitStatus | None = None
    caught: signal.Signals | None = None
    lost: int = 0


@dataclass(slots=True)
class Ends:
    """The person's side.

    Attributes:
        stdin: the descriptor to read keys or input from; None for none.
        stdout: the descriptor to write to.
        raw: whether stdin is a terminal to be put in raw mode.
        follow_size: the descriptor whose size the program's terminal follows; None for none.
        forward: whether signals go to the program; otherwise they end the relay.
        detach_key: what detaches.
        pen: who writes; None where nobody else can.
        notice: tells the person something.
        note: tells it over a painted screen instead.
        greet: called when keys go to the program from now on.
        follow: whether the program's end is waited for; otherwise that of what is there now.
    """

    stdin: int | None
    stdout: int
    raw: bool = False
    follow_size: int | None = None
    forward: bool = True
    detach_key: DetachKey = field(default_factory=lambda: DetachKey(NONE))
    follow: bool = True
    greet: Callable[[], None] | None = None
    pen: Pen | None = None
    notice: Callable[[str], None] | None = None
    note: Note | None = None
