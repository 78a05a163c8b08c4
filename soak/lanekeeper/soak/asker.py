"""Questions that may take long, asked beside the thread that reads and types.

Owns one thread with a client of its own, for one question at a time. Refuses to be waited for: a
question is looked at until it is answered. Called by `faults`.
"""

import select
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from lanekeeper.client import LaneError, Plane, connect

T = TypeVar("T")

AGAIN: Final = 0.002
"""Seconds between two attempts."""
CONNECT_SECONDS: Final = 10.0


class Asker:
    """A thread with a client; a context manager."""

    def __init__(self, directory: Path) -> None:
        """Connect.

        Raises:
            LaneError: no plane answers.
        """
        self._pool = ThreadPoolExecutor(1, "asker")
        self._plane = self._pool.submit(connect, directory, timeout=CONNECT_SECONDS).result()

    def ask(self, question: Callable[[Plane], T]) -> Future[T]:
        """Have a question asked behind those that are being asked."""
        return self._pool.submit(question, self._plane)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect; what is being asked is waited for."""
        self._pool.submit(self._plane.close).result()
        self._pool.shutdown()


def until(attempt: Callable[[], bool], seconds: float) -> float | None:
    """Try until it is true; return the moment (monotonic seconds), None when it never was.

    A refusal by the plane counts as not yet.
    """
    deadline = time.monotonic() + seconds
    while (now := time.monotonic()) < deadline:
        try:
            if attempt():
                return time.monotonic()
        except LaneError:
            pass
        select.select([], [], [], max(0.0, AGAIN - (time.monotonic() - now)))
    return None
