"""Lanes that come and go while a plane is maimed: created, used, used again, and cleaned up.

Owns one thread with a client of its own, and what it finds: a step that is never answered, or is
refused for good; a program's exit code that is not its own; a lane that stays. Refuses to hurry: a
refusal that says so is tried again. Called by the driver, beside faults at random times.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from lanekeeper.client import LaneError, connect
from lanekeeper.client.errors import TimedOutError
from lanekeeper.soak.ledger import Ledger
from lanekeeper.soak.oracle import Finding

T = TypeVar("T")

EVERY: Final = 0.2
"""Seconds between two lanes: they are to be there, not to be the load."""
AGAIN: Final = 0.05
"""Seconds between two attempts at a step."""
PATIENCE: Final = 60.0
"""Seconds a step may take, refusals included: who hangs is ended after 15 to 25."""
STATUS: Final = 3
PROGRAM: Final = ("sh", "-c", f"exit {STATUS}")


class StuckError(Exception):
    """A step was not done in time, or refused for good."""


class Turnover:
    """A thread that uses lanes until it is told to end; a context manager.

    Attributes:
        findings: what was found; complete when it is done.
    """

    def __init__(self, directory: Path, name: str, ledger: Ledger, *, hangs: bool) -> None:
        """Begin with lanes called `name` and a number; where somebody `hangs` nothing may start.

        Raises:
            LaneError: no plane answers.
        """
        self.findings: list[Finding] = []
        self._name = name
        self._for_now = {"SPAWN_FAILED"} if hangs else set[str]()
        self._ledger = ledger
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(1, "turnover")
        self._plane = self._pool.submit(connect, directory, timeout=PATIENCE).result()
        self._work: Future[None] = self._pool.submit(self._run)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish, and disconnect."""
        self.end()
        try:
            self._work.result()
        finally:
            self._pool.submit(self._plane.close).result()
            self._pool.shutdown()

    def end(self) -> None:
        """Let it finish the lane under way, and see that none is left."""
        self._over.set()

    def done(self) -> bool:
        """Return whether it has finished."""
        return self._work.done()

    def _run(self) -> None:
        number = 0
        try:
            while not self._over.wait(EVERY):
                number += 1
                self._visit(f"{self._name}-{number}")
            self._until("list", self._none_left)
        except StuckError as error:
            self.findings.append(Finding("I1", f"lane {self._name}-{number}: {error}"))

    def _visit(self, name: str) -> None:
        lane = self._until("create", lambda: self._plane.lane(name))
        terminal = self._until("spawn", lambda: lane.spawn(list(PROGRAM)))
        self._exited("first", self._until("wait", lambda: terminal.wait(PATIENCE)).code)
        self._until("respawn", lambda: _once_more(terminal.respawn, "INVALID_TRANSITION"))
        self._exited("second", self._until("wait again", lambda: terminal.wait(PATIENCE)).code)
        self._until("cleanup", lambda: _once_more(lambda: lane.cleanup(0.0), "LANE_NOT_FOUND"))

    def _exited(self, which: str, code: int | None) -> None:
        self._ledger.check("I6")
        if code != STATUS:
            text = f"the {which} program of a lane ended with {code}, not {STATUS}"
            self.findings.append(Finding("I6", text))

    def _none_left(self) -> None:
        left = [one.name for one in self._plane.lanes() if one.name.startswith(f"{self._name}-")]
        self._ledger.check("I5")
        if left:
            self.findings.append(Finding("I5", f"lanes that were cleaned up are listed: {left}"))

    def _until(self, step: str, attempt: Callable[[], T]) -> T:
        """Try a step until it is done.

        Raises:
            StuckError: it is refused for good, or not done in time.
        """
        self._ledger.check("I1")
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return attempt()
            except LaneError as error:
                again = error.retryable or error.code in self._for_now
                if not again or time.monotonic() > deadline:
                    raise StuckError(f"{step}: {error}") from error
            self._over.wait(AGAIN)


def _once_more(attempt: Callable[[], object], done: str) -> None:
    """Attempt a change, and again when its answer is late: refused as `done` it was carried out."""
    try:
        attempt()
    except TimedOutError:
        try:
            attempt()
        except LaneError as error:
            if error.code != done:
                raise
