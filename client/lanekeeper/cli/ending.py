"""Ending a plane whose keeper is dead: every marked process, then its sockets and files.

Owns the order (TERM, then KILL) and the search for what appears meanwhile. Signals go through
pidfds only. Called by `down`.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lanekeeper.keeper import cgroups
from lanekeeper.keeper.identity import Process, in_group, plane_children, plane_processes, send
from lanekeeper.keeper.rundir import Rundir

TERM_SECONDS: Final = 3.0
KILL_SECONDS: Final = 5.0
ROUNDS: Final = 5
"""Searches for processes that were started while the others were ended."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many processes have ended, and how many of them had to be killed."""

    ended: int
    killed: int


def end_all(rundir: Rundir) -> Outcome:
    """End every process of the plane and of its terminals."""
    ended = killed = 0
    for _ in range(ROUNDS):
        found = everything(rundir)
        if not found:
            break
        left = signal_and_wait(found, signal.SIGTERM, TERM_SECONDS)
        stubborn = signal_and_wait(left, signal.SIGKILL, KILL_SECONDS)
        ended += len(found) - len(stubborn)
        killed += len(left) - len(stubborn)
    remove_groups(rundir)
    return Outcome(ended, killed)


def remove_groups(rundir: Rundir) -> None:
    """Remove the cgroups of a plane that is gone; a keeper may have died before it did so."""
    for group in cgroups.of_directory(str(rundir.path)):
        cgroups.remove(group, KILL_SECONDS)


def everything(rundir: Rundir) -> list[Process]:
    """Return the plane's own processes and what its terminals started, without this one."""
    found = {process for _, process in plane_processes(rundir)} | set(plane_children(rundir))
    for group in cgroups.of_directory(str(rundir.path)):
        found |= set(in_group(group))
    return [process for process in found if process.pid != os.getpid()]


def signal_and_wait(
    processes: Iterable[Process], number: signal.Signals, seconds: float
) -> list[Process]:
    """Send a signal to each process and return those that live when the time is over."""
    waiting: dict[int, Process] = {}
    poller = select.poll()
    for process in processes:
        pidfd = process.open_pidfd()
        if pidfd is None:
            continue
        send(pidfd, number)
        waiting[pidfd] = process
        poller.register(pidfd, select.POLLIN)
    deadline = time.monotonic() + seconds
    while waiting and (left := deadline - time.monotonic()) > 0:
        for pidfd, _ in poller.poll(left * 1000):
            poller.unregister(pidfd)
            os.close(pidfd)
            del waiting[pidfd]
    for pidfd in waiting:
        os.close(pidfd)
    return list(waiting.values())


def leftovers(rundir: Rundir) -> list[Path]:
    """Return the sockets and files a plane has while it runs; logs are not among them."""
    candidates = [*rundir.sockets(), rundir.lock, rundir.wanted]
    with contextlib.suppress(FileNotFoundError):
        candidates += sorted(rundir.lanes.iterdir())
    return [path for path in candidates if os.path.lexists(path)]


def remove(paths: Iterable[Path]) -> None:
    """Remove files."""
    for path in paths:
        path.unlink(missing_ok=True)
