"""`lane top` at a terminal: keys, signals and the plane in one wait.

Owns the loop. Nothing in it blocks: the plane is asked by operations that go on beside the keys,
and what does not answer is said on the screen until it does. The person's terminal comes back as it
was on every way out. Called by `top`.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from lanekeeper.cli.board import Board
from lanekeeper.cli.canvas import Canvas
from lanekeeper.cli.errors import INTERRUPTED, SIGNAL_BASE
from lanekeeper.cli.keyboard import Action, Attach, Keyboard, LookNow, Pace, Quit, Repaint, Suspend
from lanekeeper.cli.looks import Listing, diagnosing, listing
from lanekeeper.cli.scene import Scene
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.sizes import Size, size_of
from lanekeeper.cli.strokes import PENDING_SECONDS, Strokes
from lanekeeper.cli.traffic import observer
from lanekeeper.cli.tty_mode import RawMode
from lanekeeper.cli.visit import visit
from lanekeeper.cli.wakeups import Wakeups, stop_here
from lanekeeper.client import joining
from lanekeeper.client.errors import LaneError
from lanekeeper.client.shell import Shell
from lanekeeper.wire.envelope import Actor
from lanekeeper.wire.messages.lane import LaneInfo
from lanekeeper.wire.messages.terminal import TerminalInfo

if TYPE_CHECKING:
    from lanekeeper.client.tasks import Task
    from lanekeeper.wire.messages.diagnostics import Diagnostics

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
CAUGHT: Final = (*ENDING, signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)
ANSWER_SECONDS: Final = 3.0
"""Patience with one question; a plane that is away is asked again and again."""
KEYS: Final = 4096

Found = tuple[LaneInfo, TerminalInfo]


@dataclass(frozen=True, slots=True)
class Desk:
    """The person's side: a terminal for keys and one to draw on, signals and the modes."""

    stdin: int
    stdout: int
    canvas: Canvas
    raw: RawMode
    wakeups: Wakeups

    @property
    def size(self) -> Size:
        """The size of the terminal that is drawn on."""
        return size_of(self.stdout)

    def repaint(self) -> None:
        """Draw everything again, whatever is there."""
        self.canvas.leave()
        self.canvas.enter(self.size)

    def stop(self) -> None:
        """Give the terminal back and stop, until somebody continues this process."""
        self.canvas.leave()
        self.raw.leave()
        stop_here()
        self.raw.enter()
        self.canvas.enter(self.size)


class Dashboard:
    """The live view of one plane on one terminal."""

    def __init__(
        self, settings: Settings, board: Board, keyboard: Keyboard, workspace: str | None
    ) -> None:
        """Show the plane of these settings, or the lanes of one workspace of it."""
        self._settings = settings
        self._board = board
        self._keyboard = keyboard
        self._workspace = workspace
        self._scene = Scene(board, keyboard, str(settings.rundir.path))
        self._strokes = Strokes()
        self._status: int | None = None
        self._listing: Task[Listing] | None = None
        self._diagnosing: Task[Diagnostics] | None = None
        self._finding: Task[Found] | None = None
        self._wanted = ""
        self._visiting: str | None = None
        self._due = 0.0
        self._interval = 0.0

    def run(self, stdin: int, stdout: int, interval: float) -> int:
        """Show the plane until the person leaves; return the exit status.

        Args:
            stdin: the terminal that gives the keys.
            stdout: the terminal to draw on.
            interval: seconds from one look to the next.
        """
        self._interval = interval
        canvas = Canvas(stdout, color=self._settings.colored())
        raw = RawMode(stdin)
        with Wakeups(CAUGHT) as wakeups:
            try:
                raw.enter()
                while self._status is None:
                    self._show(Desk(stdin, stdout, canvas, raw, wakeups))
                    if self._visiting is not None:
                        self._visit(self._visiting)
            finally:
                raw.leave()
                canvas.close()
        return self._status

    def _show(self, desk: Desk) -> None:
        """Show the board until the person leaves it, for good or to attach."""
        self._due = 0.0
        with self._connected() as shell:
            try:
                desk.canvas.enter(desk.size)
                while self._status is None and self._visiting is None:
                    self._turn(desk, shell)
            finally:
                with contextlib.suppress(OSError):  # a window that was closed
                    desk.canvas.leave()

    def _turn(self, desk: Desk, shell: Shell) -> None:
        self._look(shell)
        if self._visiting is not None:
            return
        if not desk.canvas.busy:
            size = desk.size
            desk.canvas.draw(self._scene.lines(size, datetime.now(UTC)), size)
        ready = self._wait(desk, shell)
        for number in desk.wakeups.take():
            self._signal(number, desk)
        for action in self._keys(desk, ready):
            self._act(action, desk)
        desk.canvas.flush()

    @contextmanager
    def _connected(self) -> Iterator[Shell]:
        actor = Actor(kind="operator", id=f"uid:{os.getuid()}")
        hub = joining.open_hub(
            self._settings.rundir, ANSWER_SECONDS, actor, observer(self._settings)
        )
        try:
            yield Shell(hub)
        finally:
            self._listing = self._diagnosing = self._finding = None
            hub.close()

    def _wait(self, desk: Desk, shell: Shell) -> frozenset[int]:
        patience = max(0.0, self._due - time.monotonic())
        if self._strokes.pending:
            patience = min(patience, PENDING_SECONDS)
        # What is typed after Enter is meant for the program: it stays where attach will read it.
        readers = [desk.wakeups.fileno()] + ([] if self._wanted else [desk.stdin])
        writers = [desk.canvas.fileno()] if desk.canvas.busy else []
        return shell.wait(readers, writers, patience)

    def _look(self, shell: Shell) -> None:
        """Take the answers that have come, and ask again when it is time."""
        now, clock = time.monotonic(), datetime.now(UTC)
        self._take(clock)
        idle = self._listing is None and self._diagnosing is None
        if idle and now >= self._due:
            self._due = now + self._interval
            self._listing = shell.hub.start(listing(self._workspace), ANSWER_SECONDS)
            self._diagnosing = shell.hub.start(diagnosing(self._board.by.order), ANSWER_SECONDS)
        elif now >= self._due:
            self._due = now + self._interval  # what was asked has not been answered yet
        if self._wanted and self._finding is None:
            operation = joining.choose_terminal(self._wanted)
            self._finding = shell.hub.start(operation, ANSWER_SECONDS)

    def _take(self, clock: datetime) -> None:
        listed, diagnosed, found = self._listing, self._diagnosing, self._finding
        if listed is not None and listed.done:
            self._listing = None
            try:
                self._board.listed(listed.result(), clock)
            except LaneError as error:
                self._board.unlisted(_why(error))
        if diagnosed is not None and diagnosed.done:
            self._diagnosing = None
            try:
                self._board.diagnosed(diagnosed.result(), clock)
            except LaneError as error:
                self._board.undiagnosed(_why(error), clock)
        if found is not None and found.done:
            self._finding = None
            address, self._wanted = self._wanted, ""
            try:
                found.result()
                self._visiting = address
            except LaneError as error:
                self._not_one(error)

    def _not_one(self, error: LaneError) -> None:
        choices = error.details.get("choices")
        if isinstance(choices, list) and choices:
            self._keyboard.offer([str(one) for one in choices])
        else:
            self._keyboard.say(_why(error))

    def _keys(self, desk: Desk, ready: frozenset[int]) -> list[Action]:
        if desk.stdin in ready:
            try:
                data = os.read(desk.stdin, KEYS)
            except OSError:  # a terminal that was hung up
                data = b""
            if not data:
                self._status = SIGNAL_BASE + signal.SIGHUP
            keys = self._strokes.feed(data)
        else:
            keys = self._strokes.flush() if self._strokes.pending and not ready else []
        return [action for key in keys for action in self._keyboard.press(key)]

    def _act(self, action: Action, desk: Desk) -> None:
        match action:
            case Quit(interrupted):
                self._status = INTERRUPTED if interrupted else 0
            case LookNow():
                self._due = 0.0
            case Pace(seconds):
                self._interval, self._due = seconds, 0.0
            case Attach(address):
                self._wanted = address
            case Suspend():
                desk.stop()
            case Repaint():
                desk.repaint()

    def _signal(self, number: signal.Signals, desk: Desk) -> None:
        if number in ENDING:
            self._status = SIGNAL_BASE + number
        elif number == signal.SIGTSTP:
            desk.stop()
        elif number == signal.SIGCONT:
            desk.raw.enter()
            desk.repaint()

    def _visit(self, address: str) -> None:
        """Attach to a terminal; its outcome is told when the board is back."""
        self._visiting = None
        told, caught = visit(self._settings, address)
        self._keyboard.say(told)
        if caught is not None:
            self._status = SIGNAL_BASE + caught


def _why(error: LaneError) -> str:
    """Return why there was no answer, in the words of this screen."""
    if error.code == "TIMEOUT":
        return f"nothing within {ANSWER_SECONDS:g} s; it is asked again"
    return error.message
