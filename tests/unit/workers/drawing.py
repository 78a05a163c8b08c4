"""A lane's screens over logs that a test writes to."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.screen import Screen, ScreenRequest
from lanekeeper.workers.actions import Draw, Drawn, Locate, Located, Stimulus
from lanekeeper.workers.queries import Kind, Question
from lanekeeper.workers.screens import Screens

from .lanes import Lane

FAR = 1e12
PATIENCE = 30.0
"""Seconds for what takes milliseconds when nothing else runs."""


@dataclass
class Written:
    """A log that a test writes to and retires."""

    capacity: int = 4 * 1024 * 1024
    tail: int = 0
    content: bytearray = field(default_factory=bytearray)
    head: int = 0
    taken: int = 0
    """Bytes that were read of it."""

    def __post_init__(self) -> None:
        """Let the log end where the content does."""
        self.head = len(self.content)

    def write(self, data: bytes) -> None:
        """Add output."""
        self.content += data
        self.head = len(self.content)

    def read(self, offset: int, count: int) -> bytes:
        """Return a range that is kept."""
        data = b"" if offset < self.tail else bytes(self.content[offset : offset + count])
        self.taken += len(data)
        return data


class Drawer:
    """The screens of a lane whose terminals a test writes to."""

    def __init__(self) -> None:
        """Make a lane without terminals."""
        self.lane = Lane()
        self.session = self.lane.session()
        self.logs: dict[str, Written] = {}
        self.unheard: int | None = None
        self.screens = Screens(self._log, self.lane.core.state, lambda _: self.unheard)
        self.answers: list[Drawn] = []
        self.places: list[tuple[tuple[int, int], ...]] = []
        self._count = 0

    def _log(self, terminal: str) -> Written | None:
        return self.logs.get(terminal)

    def terminal(self, output: bytes = b"", **spawn: int) -> str:
        """Start a terminal of 20 by 5 with some output and return its id."""
        terminal = self.lane.run(self.session, **({"cols": 20, "rows": 5} | spawn))
        self.logs[terminal] = Written(content=bytearray(output))
        return terminal

    def resize(self, terminal: str, cols: int, rows: int) -> None:
        """Change the size where the log ends now."""
        self.lane.logs[terminal].content = bytes(self.logs[terminal].content)
        self.lane.call("terminal.resize", {"cols": cols, "rows": rows}, terminal_id=terminal)

    def ask(self, terminal: str, deadline: float = FAR, asked: ScreenRequest | None = None) -> str:
        """Ask for a screen; return the command's id."""
        self._count += 1
        draw = Draw(terminal, f"cmd{self._count}", asked or ScreenRequest(), deadline)
        self._take(self.screens.ask(draw))
        return draw.command_id

    def turn(self, *, idle: bool = False) -> None:
        """Let one turn pass."""
        self._take(self.screens.turn(idle=idle))

    def turns(self, done: Callable[[], object], *, idle: bool = False) -> None:
        """Let turns pass until something is so: one in which we stood still draws nothing."""
        until = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < until, "turns and turns, and it is not so"
            self.turn(idle=idle)

    def draw(self, terminal: str, asked: ScreenRequest | None = None) -> Screen:
        """Ask and let turns pass until it is answered; return the screen."""
        self.ask(terminal, asked=asked)
        before = len(self.answers)
        self.turns(lambda: len(self.answers) > before)
        last = self.answers[-1]
        assert last.screen is not None, last.error
        return last.screen

    def close(self, terminal: str) -> None:
        """Let a terminal go."""
        self._take(self.screens.forget(terminal))

    def refusal(self) -> WireError:
        """Return why the last request was refused."""
        error = self.answers[-1].error
        assert error is not None
        return error

    def seek(self, terminal: str, *ends: int, deadline: float = FAR) -> None:
        """Ask where the cursor was at these offsets."""
        asked = tuple(Question(Kind.CURSOR, b"", end) for end in ends)
        self._take(self.screens.ask(Locate(terminal, 1, asked, deadline)))

    def _take(self, stimuli: list[Stimulus]) -> None:
        self.places += [one.places for one in stimuli if isinstance(one, Located)]
        self.answers += [one for one in stimuli if isinstance(one, Drawn)]
