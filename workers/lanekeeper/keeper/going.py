"""Waiting for processes that are on their way out, before what they leave is judged.

Owns one bounded wait on pidfds. Refuses to signal: who is alive after it stays alive. Called by
`entry` before it says that a plane runs without its keeper.
"""

import os
import select
import time
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from lanekeeper.keeper.identity import Process

PATIENCE: Final = 2.0
"""Seconds: the kernel is done with a killed process, and a worker that lost its plane has left."""

Found = TypeVar("Found")


def outwait(
    search: Callable[[], list[Found]],
    identify: Callable[[Found], Process],
    patience: float = PATIENCE,
) -> list[Found]:
    """Search, wait for what was found to end, and search again; return what stays.

    Returns as soon as a search finds nothing, and after `patience` seconds at the latest.

    Raises:
        OSError: descriptors ran out.
    """
    deadline = time.monotonic() + patience
    while found := search():
        left = deadline - time.monotonic()
        if left <= 0 or not _ended(map(identify, found), left):
            return found
    return []


def _ended(processes: Iterable[Process], seconds: float) -> bool:
    """Wait until every one of these has ended; return whether they have."""
    pidfds: set[int] = set()
    poller = select.poll()
    deadline = time.monotonic() + seconds
    try:
        for process in processes:
            pidfd = process.open_pidfd()
            if pidfd is not None:
                pidfds.add(pidfd)
                poller.register(pidfd, select.POLLIN)
        while pidfds and (left := deadline - time.monotonic()) > 0:
            for pidfd, _ in poller.poll(left * 1000):
                poller.unregister(pidfd)
                pidfds.discard(pidfd)
                os.close(pidfd)
        return not pidfds
    finally:
        for pidfd in pidfds:
            os.close(pidfd)
