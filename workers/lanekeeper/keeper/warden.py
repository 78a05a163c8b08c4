"""The nursery's watch over the keeper: its death, its silence, and the start of the next one.

Owns the pidfd of the keeper, a duplicate of its listening socket and the command line of its
successor, which the keeper gives to the nursery; peers that connect meanwhile wait in that socket's
queue. Refuses to start a keeper for a plane that nobody wants any more. Called by the nursery's
shell.
"""

import logging
import math
import os
import signal
import time
from typing import Any, Final, Protocol

from lanekeeper.keeper import identity
from lanekeeper.keeper.channel import Received
from lanekeeper.keeper.daemons import START_TIMEOUT, STEADY, backoff
from lanekeeper.keeper.loop import Loop
from lanekeeper.keeper.rundir import Rundir

PING_SECONDS: Final = 10.0
"""Between two pings; they fall on multiples of it, as other beats do, to wake the keeper once."""

FORKS_MOST: Final = 3
"""Keepers in a row that may die young until one is executed: the nursery may be the cause."""

_LOGGER: Final = logging.getLogger(__name__)


class Start(Protocol):
    """How a keeper is started: with this command line, on this socket; `anew`, without a fork."""

    def __call__(self, argv: list[str], listener: int, *, anew: bool) -> identity.Process:
        """Return the process; OSError when there is none."""


class Warden:
    """What the nursery knows of its keeper."""

    def __init__(self, rundir: Rundir, loop: Loop, hang_after: float, start: Start) -> None:
        """Take a ping that is unanswered for `hang_after` seconds for a hang."""
        self._start = start
        self._anew = self._asked = False
        self._rundir = rundir
        self._loop = loop
        self._hang_after = self._patience = hang_after
        self._pid = 0
        self._since = 0.0
        self._pidfd = -1
        self._listener = -1
        self._argv: list[str] = []
        self._failures = 0
        """Keepers in a row that did not live for long."""

        self._unheard = 0
        """Keepers in a row that did not say welcome."""

        self.lag = 0.0
        """By how many seconds the last ping was late: the loop had something else to do."""

        self._launch_at = math.inf
        self._ping_at = math.inf
        self._late_at = math.inf

    @property
    def deadline(self) -> float:
        """When something is due."""
        return min(self._launch_at, self._ping_at, self._late_at)

    def heard(self, message: dict[str, Any], received: Received, now: float) -> None:
        """Take a message of the keeper about itself."""
        match message["op"]:
            case "welcome":
                self._watch(int(message["keeper_pid"]))
                self._late_at = math.inf
                self._anew, self._unheard = False, 0
                self._ping_at = _next_ping(now, self._interval)
            case "listener" if received.fds:
                if self._listener >= 0:
                    os.close(self._listener)
                self._listener = os.dup(received.fds[0])
                self._argv = [str(word) for word in message["argv"]]
            case "retiring":
                self._anew, self._asked, self._failures = True, True, 0
            case "pong":
                self._late_at = math.inf
                self._ping_at = _next_ping(now, self._interval)

    def ping(self, now: float) -> bool:
        """Return whether a ping is to be sent now."""
        if now < self._ping_at:
            return False
        self.lag = now - self._ping_at
        self._ping_at = math.inf
        self._patience = self._hang_after
        self._late_at = now + self._patience
        return True

    def stalled(self, now: float) -> None:
        """Give the keeper the whole time again: it was us who stood still."""
        if self._late_at < math.inf:
            self._late_at = now + self._patience

    def due(self, now: float) -> None:
        """End a keeper that does not answer, and start one where there is none."""
        if now >= self._late_at:
            self._late_at = math.inf
            _LOGGER.error("the keeper does not answer for %g s: ending it", self._patience)
            if self._pidfd >= 0:
                identity.send(self._pidfd, signal.SIGKILL)
        if now >= self._launch_at:
            self._launch_at = math.inf
            self._launch(now)

    def release(self) -> None:
        """Close what is held, in a forked child and at the end."""
        for fd in (self._pidfd, self._listener):
            if fd >= 0:
                os.close(fd)
        self._pidfd = self._listener = -1

    @property
    def _interval(self) -> float:
        return min(PING_SECONDS, self._hang_after * 2 / 3)

    def _watch(self, pid: int) -> None:
        """Watch this process as the keeper, in place of any other."""
        if self._pidfd >= 0 and self._pid == pid:
            return
        self._unwatch()
        try:
            self._pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._ended()
            return
        self._pid, self._since = pid, time.monotonic()
        self._loop.watch(self._pidfd, self._ended)

    def _unwatch(self) -> None:
        if self._pidfd >= 0:
            self._loop.forget(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    def _ended(self) -> None:
        self._unwatch()
        self._ping_at = self._late_at = math.inf
        if self._listener < 0 or not self._rundir.wanted.exists():
            _LOGGER.warning("the keeper has ended, and no other is wanted; serving on")
            return
        now = time.monotonic()
        if now - self._since >= STEADY:
            self._failures = 0
        self._launch_at = now + backoff(self._failures)
        self.due(now)

    def _launch(self, now: float) -> None:
        self._failures += 1
        self._unheard += 1
        anew = self._anew or self._unheard > 1 or self._failures > FORKS_MOST
        argv = [*self._argv, "--asked"] if self._asked else self._argv
        try:
            process = self._start(argv, self._listener, anew=anew)
        except OSError:
            _LOGGER.exception("cannot start a keeper")
            self._launch_at = now + backoff(self._failures)
            return
        self._asked = False
        self._patience = max(self._hang_after, START_TIMEOUT)
        self._late_at = now + self._patience
        _LOGGER.warning("the keeper has ended: started another as pid %d", process.pid)
        self._watch(process.pid)


def _next_ping(now: float, interval: float) -> float:
    return math.floor((now + interval) / interval) * interval
