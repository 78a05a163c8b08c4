"""Cleaning what was found: processes by pidfd, files under the keeper's lock.

Owns the carrying out of one finding. Refuses a process that is not the one that was found (its
start time differs), and files of a directory in which a keeper has started meanwhile. Called with
findings of this moment, by the broker and by the command line without one.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lanekeeper.keeper import cgroups, identity, lock
from lanekeeper.keeper.facts import Finding, Identity, Kind, Outcome
from lanekeeper.keeper.identity import Process
from lanekeeper.keeper.rundir import Rundir, RundirError

GROUP_PATIENCE: Final = 0.2
"""Seconds that a cgroup is waited for at least: what was killed is still being taken out of it."""


def clean(finding: Finding, patience: float = 0.0) -> Outcome:
    """Kill its processes, then remove its files; wait up to `patience` seconds for their ends."""
    return remove(finding, strike(finding, patience), max(patience, GROUP_PATIENCE))


def strike(finding: Finding, patience: float = 0.0) -> int:
    """Kill its processes, and wait up to `patience` seconds; return how many there were."""
    inside = {one for path in finding.groups for one in identity.in_group(Path(path))}
    for path in finding.groups:
        cgroups.kill(Path(path))
    among = {*finding.processes, *((one.pid, one.start_time) for one in inside)}
    return kill(among, patience)


def remove(finding: Finding, killed: int, patience: float = 0.0) -> Outcome:
    """Remove its cgroups and files, after its processes; wait up to `patience` for each cgroup."""
    removed = 0
    error = ""
    for path in finding.groups:
        if cgroups.remove(Path(path), patience):
            removed += 1
        else:
            error = f"cgroup {path} is not empty yet"
    try:
        if finding.kind in {Kind.PLANE, Kind.FILE}:
            removed += _empty(Rundir(Path(finding.directory)), finding.paths)
        else:
            removed += _remove(finding.paths)
    except (OSError, lock.LockedError, RundirError) as failure:
        error = str(failure)
    return Outcome(finding.id, killed, removed, error)


def kill(processes: Iterable[Identity], patience: float = 0.0) -> int:
    """Send SIGKILL to these very processes and wait for their ends; return how many were there."""
    pidfds: list[int] = []
    try:
        for one in processes:
            pidfd = Process(*one).open_pidfd()
            if pidfd is None:
                continue
            pidfds.append(pidfd)
            identity.send(pidfd, signal.SIGKILL)
        _await(pidfds, patience)
        return len(pidfds)
    finally:
        for pidfd in pidfds:
            os.close(pidfd)


def _await(pidfds: list[int], patience: float) -> None:
    deadline = time.monotonic() + patience
    waiting = set(pidfds)
    poller = select.poll()
    for pidfd in waiting:
        poller.register(pidfd, select.POLLIN)
    while waiting and (left := deadline - time.monotonic()) > 0:
        for pidfd, _ in poller.poll(left * 1000):
            poller.unregister(pidfd)
            waiting.discard(pidfd)


def _empty(rundir: Rundir, paths: Iterable[str]) -> int:
    """Remove a plane's files while no keeper can start: its lock is held meanwhile."""
    if not rundir.path.exists():
        return 0
    rundir.check()
    held = lock.acquire(rundir.lock)
    try:
        count = _remove(path for path in paths if path != str(rundir.lock))
        return count + _remove([str(rundir.lock)])
    finally:
        os.close(held)


def _remove(paths: Iterable[str]) -> int:
    count = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()
            count += 1
    return count
