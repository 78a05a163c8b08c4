"""What the nursery has forked: who owns each process, and how it ended until somebody takes that.

Owns pidfds, zombies and the rule that a status is never reaped while a claim on it may still come:
the worker that owned a program may be dead, and its successor not there yet. Refuses to wait for
ever: an end that nobody claims is reaped after ten minutes, or when 1,024 younger ones wait.
Called by the nursery's shell.
"""

import contextlib
import errno
import math
import os
import signal
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from lanekeeper.keeper import identity
from lanekeeper.keeper.channel import Channel
from lanekeeper.keeper.exits import peek, reap
from lanekeeper.keeper.loop import Loop

CLAIM_SECONDS: Final = 600.0
"""How long the end of a program without a worker is kept for that worker's successor."""

UNCLAIMED_MAX: Final = 1_024
"""Ends that wait for a successor; the oldest goes first."""


@dataclass(slots=True)
class Offspring:
    """One process we forked, until it is reaped."""

    process: identity.Process
    pidfd: int
    owner: Channel | None
    """The worker it runs for; for a worker the keeper; None when that one has gone."""

    worker: bool
    lane: str
    ended: bool = False
    forgotten: bool = False
    """Whether nobody will ever claim it."""


class Brood:
    """All of them."""

    def __init__(self, loop: Loop) -> None:
        """Start with none; their ends are seen in the loop."""
        self._loop = loop
        self._offspring: dict[int, Offspring] = {}
        self._unclaimed: OrderedDict[int, float] = OrderedDict()

    def tracks(self, pid: int) -> bool:
        """Whether this pid is one of ours and not reaped."""
        return pid in self._offspring

    @property
    def workers(self) -> Iterator[Offspring]:
        """The workers among them, oldest first."""
        return (one for one in self._offspring.values() if one.worker)

    @property
    def deadline(self) -> float:
        """When the oldest unclaimed end is given up."""
        return next(iter(self._unclaimed.values()), math.inf)

    def adopt(self, pid: int, owner: Channel, *, worker: bool, lane: str = "") -> Offspring:
        """Track a child; its pid stays its own, since nobody else reaps it.

        Raises:
            OSError: descriptors ran out; the child is killed.
        """
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            os.kill(pid, signal.SIGKILL)
            raise
        started = identity.start_time(pid, zombies=True)
        if started is None:
            os.close(pidfd)
            os.kill(pid, signal.SIGKILL)
            raise OSError(errno.EMFILE, f"/proc/{pid}/stat cannot be read")
        offspring = Offspring(identity.Process(pid, started), pidfd, owner, worker, lane)
        self._offspring[pid] = offspring

        def ended() -> None:
            self._on_exit(offspring)

        self._loop.watch(pidfd, ended)
        return offspring

    def claim(self, channel: Channel, message: dict[str, Any]) -> bool:
        """Make a peer the owner of a program, or of every worker's end; False: no such process.

        The answer carries the pidfd; an end that has happened is told at once.
        """
        pid, started = message.get("pid"), message.get("start_time")
        offspring = self._offspring.get(pid) if isinstance(pid, int) else None
        if offspring is None or offspring.worker or offspring.process.start_time != started:
            return False
        offspring.owner = channel
        self._unclaimed.pop(offspring.process.pid, None)
        answer = {"id": message.get("id"), "pid": pid, "start_time": started}
        self._loop.send(channel, {"op": "claimed", **answer}, (offspring.pidfd,))
        if offspring.ended:
            self._tell(offspring)
        return True

    def reap(self, channel: Channel, message: dict[str, Any]) -> bool:
        """Reap a program whose status its owner has; False: there is none of that pid."""
        pid = message.get("pid")
        offspring = self._offspring.get(pid) if isinstance(pid, int) else None
        if offspring is None or offspring.owner is not channel or not offspring.ended:
            return False
        self._finish(offspring)
        return True

    def forget(self, lane: str) -> None:
        """Keep nothing of a lane that has ended: nobody will claim it."""
        for offspring in tuple(self._offspring.values()):
            if not offspring.worker and offspring.lane == lane:
                offspring.forgotten = True
                if offspring.ended:
                    self._finish(offspring)

    def keeper_came(self, channel: Channel) -> None:
        """Tell a keeper how workers ended while there was none; it owns all workers now."""
        for offspring in tuple(self.workers):
            offspring.owner = channel
            if offspring.ended:
                self._tell(offspring)
                self._finish(offspring)

    def left(self, channel: Channel) -> None:
        """Note that an owner has gone: what it owned waits for another one."""
        for offspring in tuple(self._offspring.values()):
            if offspring.owner is channel:
                offspring.owner = None
                if offspring.ended:
                    self._wait_for_claim(offspring)

    def sweep(self, now: float) -> None:
        """Reap what has waited too long."""
        while self.deadline <= now:
            self._finish(self._offspring[next(iter(self._unclaimed))])

    def _on_exit(self, offspring: Offspring) -> None:
        self._loop.forget(offspring.pidfd)
        offspring.ended = True
        if offspring.owner is None and not offspring.forgotten:
            self._wait_for_claim(offspring)
            return
        self._tell(offspring)
        if offspring.worker or offspring.forgotten:
            self._finish(offspring)

    def _tell(self, offspring: Offspring) -> None:
        found = peek(offspring.process.pid)
        if found is None or offspring.owner is None:
            return
        status: dict[str, Any] = {
            "op": "worker-exited" if offspring.worker else "exited",
            "pid": found.pid,
            "start_time": offspring.process.start_time,
            "code": found.code,
            "signal": found.signal,
            "core": found.core,
        }
        self._loop.send(offspring.owner, status)

    def _wait_for_claim(self, offspring: Offspring) -> None:
        if offspring.forgotten:
            self._finish(offspring)
            return
        self._unclaimed[offspring.process.pid] = time.monotonic() + CLAIM_SECONDS
        while len(self._unclaimed) > UNCLAIMED_MAX:
            self._finish(self._offspring[next(iter(self._unclaimed))])

    def _finish(self, offspring: Offspring) -> None:
        self._unclaimed.pop(offspring.process.pid, None)
        if self._offspring.pop(offspring.process.pid, None) is None:
            return
        os.close(offspring.pidfd)
        with contextlib.suppress(ChildProcessError):
            reap(offspring.process.pid)
