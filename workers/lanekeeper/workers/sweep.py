"""Finds and ends everything that terminals started, daemons in their own sessions too.

A process belongs to an ending when it is the program of a terminal, a descendant of a member, in
the session of a program, in the cgroup of a terminal, or carries the ending's marker in the
environment it was started with or the brand of a terminal. What has become another user's, so that
it may not be killed, is left where it is, and said so in the log.
Each step of `Ending` scans anew and signals through pidfds, whose readiness tells the runner at
once when a process has gone.
"""

import contextlib
import logging
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lanekeeper.keeper import brand, cgroups, scopes
from lanekeeper.keeper.identity import Process, Stat, environment, every_stat
from lanekeeper.workers.ending import Ending

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Origin:
    """How to tell that a process comes from what is being ended, wherever it is now."""

    marker: tuple[str, str]
    """A variable of the environment it was started with."""

    brands: tuple[scopes.Scope, ...] = ()
    groups: tuple[Path, ...] = ()
    """Their cgroups, where they have some."""

    def claims(self, pid: int) -> bool:
        """Whether a process carries the marker or a brand."""
        found = brand.read(pid)
        if any(scope.covers(found) for scope in self.brands):
            return True
        name, value = self.marker
        environ = environment(pid)
        return environ is not None and environ.get(name) == value

    def inside(self) -> set[int]:
        """Return the pids in the cgroups."""
        return {pid for group in self.groups for pid in cgroups.members(group)}


class Sweep:
    """One ending under way.

    Attributes:
        ending_id: whom `Cleared` answers.
        processes: how many processes were found in all.
        killed: how many of them were sent SIGKILL.
    """

    def __init__(
        self, ending_id: str, programs: Iterable[Process], origin: Origin, grace: float
    ) -> None:
        """Prepare to end `programs` and all that belongs to them; nothing is signalled yet."""
        self.ending_id = ending_id
        self.processes = 0
        self.killed = 0
        self._programs = {p.pid: p.start_time for p in programs}
        self._sessions = self._programs
        self._origin = origin
        self._ending = Ending(grace)
        self._seen: set[Process] = set()
        self._killed: set[Process] = set()
        self._beyond: set[Process] = set()
        self._watched: dict[int, Process] = {}

    @property
    def beyond(self) -> frozenset[Process]:
        """What may not be killed, as it has become another user's: it is left."""
        return frozenset(self._beyond)

    @property
    def deadline(self) -> float:
        """When `step` is due although nothing happened."""
        return self._ending.deadline

    def fds(self) -> list[int]:
        """The pidfds of the processes that are waited for."""
        return list(self._watched)

    def gone(self, pidfd: int) -> None:
        """Note that the process behind a pidfd has ended."""
        if self._watched.pop(pidfd, None) is not None:
            os.close(pidfd)

    def step(self, now: float) -> bool:
        """Do what is due; return whether nothing is left."""
        if self._watched and not self._ending.due(now):
            return False
        left = self._scan()
        if not left:
            for group in self._origin.groups:
                cgroups.remove(group)
            self.close()
            return True
        signals = self._ending.advance(now) if self._ending.due(now) else ()
        for process in left:
            self._signal(process, signals)
        if signal.SIGKILL in signals:
            for group in self._origin.groups:
                cgroups.kill(group)
        return False

    def close(self) -> None:
        """Close the pidfds."""
        for pidfd in self._watched:
            os.close(pidfd)
        self._watched.clear()

    def _signal(self, process: Process, signals: tuple[signal.Signals, ...]) -> None:
        if process not in self._seen:
            self._seen.add(process)
            self.processes += 1
        pidfd = next((fd for fd, known in self._watched.items() if known == process), None)
        if pidfd is None:
            pidfd = process.open_pidfd()
            if pidfd is None:
                return
            self._watched[pidfd] = process
        for number in signals:
            try:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, number)
            except PermissionError:
                if number == signal.SIGKILL:
                    self._leave(process, pidfd)
                continue
            if number == signal.SIGKILL and process not in self._killed:
                self._killed.add(process)
                self.killed += 1

    def _leave(self, process: Process, pidfd: int) -> None:
        """Wait no longer for what may not be killed."""
        _LOG.warning("pid %d may not be signalled: it is left", process.pid)
        self._beyond.add(process)
        self.gone(pidfd)

    def _scan(self) -> list[Process]:
        table = {stat.pid: stat for stat in every_stat()}
        # Who has the pid of a program that has gone may lead a session: it is not ours.
        self._sessions = {
            pid: started
            for pid, started in self._programs.items()
            if pid not in table or table[pid].start_time == started
        }
        members = {pid for pid, stat in table.items() if self._is_member(stat)}
        members |= self._origin.inside() & table.keys()
        members |= _descending(table, members)
        members.discard(os.getpid())
        left = (
            Process(pid, table[pid].start_time) for pid in sorted(members) if not table[pid].gone
        )
        return [process for process in left if process not in self._beyond]

    def _is_member(self, stat: Stat) -> bool:
        if self._programs.get(stat.pid) == stat.start_time:
            return True
        started = self._sessions.get(stat.session)
        if started is not None and stat.start_time >= started:
            return True
        return self._may_be_ours(stat) and self._origin.claims(stat.pid)

    def _may_be_ours(self, stat: Stat) -> bool:
        # What is older than the oldest program was not started by one: it is not looked into.
        return not stat.gone and stat.start_time >= min(self._programs.values(), default=0)


def _descending(table: dict[int, Stat], members: set[int]) -> set[int]:
    found = set(members)
    growing = True
    while growing:
        below = {p for p, stat in table.items() if stat.ppid in found and p not in found}
        growing = bool(below)
        found |= below
    return found
