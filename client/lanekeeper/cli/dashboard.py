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
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from lanekeeper.cli.board import Board
from lanekeeper.cli.canvas import Canvas
from lanekeeper.cli.errors import INTERRUPTED
from lanekeeper.cli.keyboard import Action, Attach, Keyboard, LookNow, Quit, Repaint, Suspend
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
SIGNAL_BASE: Final = 128
ANSWER_SECONDS: Final = 3.0
"""Patience with one question; a plane that is away is asked again and again."""
KEYS: Final = 4096

Found = tuple[LaneInfo, TerminalInfo]


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
        self._shell: Shell | None = None
        self._listing: Task[Listing] | None = None
        self._diagnosing: Task[Diagnostics] | None = None
        self._finding: Task[Found] | None = None
        self._wanted = ""
        self._visiting: str | None = None
        self._due = 0.0

    def run(self, stdin: int, stdout: int, interval: float) -> int:
        """Show the plane until the person leaves; return the exit status.

        Args:
            stdin: the terminal that gives the keys.
            stdout: the terminal to draw on.
            interval: seconds from one look to the next.
        """
        canvas = Canvas(stdout, color=self._settings.colored())
        try:
            while self._status is None:
                self._show(canvas, stdin, stdout, interval)
                if self._visiting is not None:
                    self._visit(self._visiting)
        finally:
            canvas.close()
        return self._status

    def _show(self, canvas: Canvas, stdin: int, stdout: int, interval: float) -> None:
        """Show the board until the person leaves it, for good or to attach."""
        raw = RawMode(stdin)
        self._due = 0.0
        with Wakeups(CAUGHT) as wakeups, self._connected() as shell:
            try:
                raw.enter()
                canvas.enter(size_of(stdout))
                while self._status is None and self._visiting is None:
                    self._look(shell, interval)
                    size = size_of(stdout)
                    if not canvas.busy:
                        canvas.draw(self._scene.lines(size, datetime.now(UTC)), size)
                    ready = self._wait(shell, canvas, wakeups.fileno(), stdin)
                    for number in wakeups.take():
                        self._signal(number, canvas, raw, size_of(stdout))
                    for action in self._keys(stdin, ready):
                        self._act(action, canvas, raw, size_of(stdout))
                    canvas.flush()
            finally:
                with contextlib.suppress(OSError):  # a window that was closed
                    canvas.leave()
                raw.leave()

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

    def _wait(self, shell: Shell, canvas: Canvas, signals: int, stdin: int) -> frozenset[int]:
        patience = max(0.0, self._due - time.monotonic())
        if self._strokes.pending:
            patience = min(patience, PENDING_SECONDS)
        writers = [canvas.fileno()] if canvas.busy else []
        return shell.wait([signals, stdin], writers, patience)

    def _look(self, shell: Shell, interval: float) -> None:
        """Take the answers that have come, and ask again when it is time."""
        now, clock = time.monotonic(), datetime.now(UTC)
        self._take(now, clock)
        idle = self._listing is None and self._diagnosing is None
        if idle and now >= self._due:
            self._due = now + interval
            self._listing = shell.hub.start(listing(self._workspace), ANSWER_SECONDS)
            self._diagnosing = shell.hub.start(diagnosing(self._board.by.order), ANSWER_SECONDS)
        elif now >= self._due:
            self._due = now + interval  # what was asked has not been answered yet
        if self._wanted and self._finding is None:
            operation = joining.choose_terminal(self._wanted)
            self._finding = shell.hub.start(operation, ANSWER_SECONDS)

    def _take(self, now: float, clock: datetime) -> None:
        listed, diagnosed, found = self._listing, self._diagnosing, self._finding
        if listed is not None and listed.done:
            self._listing = None
            try:
                self._board.listed(listed.result(), clock)
            except LaneError as error:
                self._board.unlisted(error.message)
        if diagnosed is not None and diagnosed.done:
            self._diagnosing = None
            try:
                self._board.diagnosed(diagnosed.result(), now, clock)
            except LaneError as error:
                self._board.undiagnosed(error.message, clock)
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
            self._keyboard.say(error.message)

    def _keys(self, stdin: int, ready: frozenset[int]) -> list[Action]:
        if stdin not in ready:
            keys = self._strokes.flush() if self._strokes.pending and not ready else []
        else:
            try:
                data = os.read(stdin, KEYS)
            except OSError:  # a terminal that was hung up
                data = b""
            if not data:
                self._status = SIGNAL_BASE + signal.SIGHUP
            keys = self._strokes.feed(data)
        return [action for key in keys for action in self._keyboard.press(key)]

    def _act(self, action: Action, canvas: Canvas, raw: RawMode, size: Size) -> None:
        match action:
            case Quit(interrupted):
                self._status = INTERRUPTED if interrupted else 0
            case LookNow():
                self._due = 0.0
            case Attach(address):
                self._wanted = address
            case Suspend():
                self._stop(canvas, raw, size)
            case Repaint():
                canvas.leave()
                canvas.enter(size)

    def _signal(self, number: signal.Signals, canvas: Canvas, raw: RawMode, size: Size) -> None:
        if number in ENDING:
            self._status = SIGNAL_BASE + number
        elif number == signal.SIGTSTP:
            self._stop(canvas, raw, size)
        elif number == signal.SIGCONT:
            canvas.leave()
            raw.enter()
            canvas.enter(size)

    def _stop(self, canvas: Canvas, raw: RawMode, size: Size) -> None:
        canvas.leave()
        raw.leave()
        stop_here()
        raw.enter()
        canvas.enter(size)

    def _visit(self, address: str) -> None:
        """Attach to a terminal; its outcome is told when the board is back."""
        self._visiting = None
        told, caught = visit(self._settings, address)
        self._keyboard.say(told)
        if caught is not None:
            self._status = SIGNAL_BASE + caught
