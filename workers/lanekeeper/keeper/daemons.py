"""The daemons' half of the supervisor: start, readiness, backoff, restart, stop.

Owns one record per role and its deadlines. Refuses a second process for a role and a readiness
that was not announced by the process itself. Sans-IO: called by `supervisor` alone, with the time.
"""

import math
import signal
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from lanekeeper.keeper.events import (
    BROKER,
    COLLECTOR,
    Action,
    Kill,
    Launch,
    Launched,
    Message,
    Note,
    RequestError,
    Send,
    answer,
)
from lanekeeper.keeper.states import DAEMON_TABLE, Daemon, DaemonCause, follow

BACKOFF_MIN: Final = 0.05
BACKOFF_MAX: Final = 5.0

STEADY: Final = 10.0
"""Seconds a daemon must live to be started again at once, its failures forgotten."""

START_TIMEOUT: Final = 15.0
"""Seconds a daemon may take to serve; then it is killed and started again."""

STOP_TIMEOUT: Final = 5.0
"""Seconds from SIGTERM to SIGKILL."""

RESTARTERS_MAX: Final = 64
"""Peers that wait for one restart."""


@dataclass(slots=True)
class Record:
    """What is known of one role."""

    role: str
    state: Daemon = Daemon.WAITING
    pid: int = 0
    start_time: int = 0
    peer: int | None = None
    launched_at: float = 0.0
    failures: int = 0
    restarts: int = 0
    reason: str = ""
    launching: bool = False
    asked_to_end: bool = False
    adopted: bool = False
    """Whether the process is older than this keeper."""

    deadline: float = math.inf
    restarters: list[tuple[int, Message]] = field(default_factory=list)

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self.pid != 0

    def move(self, cause: DaemonCause) -> None:
        """Follow the table."""
        self.state = follow(DAEMON_TABLE, self.state, cause)


def backoff(failures: int) -> float:
    """Return the seconds to wait after this many failures in a row."""
    if failures <= 0:
        return 0.0
    return min(BACKOFF_MAX, BACKOFF_MIN * 2.0 ** min(failures - 1, 16))


class Daemons:
    """All daemons of a plane."""

    def __init__(self, roles: Iterable[str]) -> None:
        """Know these roles, in the order in which they are started."""
        self._records = {role: Record(role) for role in roles}

    def __iter__(self) -> Iterator[Record]:
        """Yield the records in their order."""
        return iter(self._records.values())

    def get(self, role: str) -> Record | None:
        """Return the record of a role, if it is one."""
        return self._records.get(role)

    def of_pid(self, pid: int) -> Record | None:
        """Return the record of a running process."""
        return next((record for record in self if record.running and record.pid == pid), None)

    @property
    def serving(self) -> bool:
        """Whether every daemon is ready."""
        return all(record.state is Daemon.READY for record in self)

    @property
    def stopped(self) -> bool:
        """Whether none runs and none will."""
        return all(record.state is Daemon.ENDED and not record.launching for record in self)

    def start(self, besides: Collection[str] = ()) -> list[Action]:
        """Launch all, besides those that run."""
        return [
            action for record in self if record.role not in besides for action in _launch(record)
        ]

    def adopt(self, role: str, pid: int, start_time: int, now: float) -> None:
        """Take a process that runs for the role's: it is to say hello and that it serves.

        One that holds nothing is ended when it does not; a broker is not: its journal is its own.
        """
        record = self._records[role]
        record.pid, record.start_time = pid, start_time
        record.launched_at = now
        record.adopted = True
        record.move(DaemonCause.LAUNCHED)
        record.deadline = math.inf if role == BROKER else now + START_TIMEOUT

    def launched(self, event: Launched, now: float) -> list[Action]:
        """Note a process; one that comes after the stop was asked for is stopped."""
        record = self._records[event.role]
        record.launching = record.adopted = False
        record.pid, record.start_time = event.pid, event.start_time
        record.launched_at = now
        if record.state is Daemon.ENDED:
            record.state = Daemon.STOPPING
            return _end(record, now)
        record.move(DaemonCause.LAUNCHED)
        record.deadline = now + START_TIMEOUT
        return [Note(f"started {record.role} as pid {record.pid}")]

    def launch_failed(self, role: str, reason: str, now: float) -> list[Action]:
        """Try again later."""
        record = self._records[role]
        record.launching = False
        record.failures += 1
        record.reason = f"cannot be started: {reason}"
        record.deadline = now + backoff(record.failures)
        return [Note(f"{role} {record.reason}", "error"), *self._stop_last(now)]

    def claim(self, role: str, pid: int, peer: int) -> None:
        """Take a peer for the process of a role.

        Raises:
            RequestError: that process is another one.
        """
        record = self._records[role]
        if not record.running or record.pid != pid:
            raise RequestError(
                "ALREADY_EXISTS", f"pid {pid} is not the {role} that this keeper started"
            )
        record.peer = peer

    def ready(self, role: str) -> list[Action]:
        """Note that a daemon serves; answer who waited for it.

        Raises:
            RequestError: it had said so, or is being stopped.
        """
        record = self._records[role]
        if record.state is not Daemon.STARTING:
            raise RequestError("ALREADY_EXISTS", f"{role} is {record.state.value}, not starting")
        record.move(DaemonCause.SERVING)
        record.deadline = math.inf
        record.reason = ""
        waiting, record.restarters = record.restarters, []
        return [
            Note(f"{role} is ready"),
            *(
                Send(peer, answer(request, "restarted", pid=record.pid))
                for peer, request in waiting
            ),
        ]

    def exited(self, record: Record, how: str, now: float) -> list[Action]:
        """Note an end; plan the next start unless it was asked to stop."""
        asked = record.state in {Daemon.RESTARTING, Daemon.STOPPING}
        steady = now - record.launched_at >= STEADY
        record.failures = 0 if asked or steady else record.failures + 1
        record.pid, record.start_time, record.peer = 0, 0, None
        record.move(DaemonCause.EXITED)
        text = f"{record.role} ended: {how}"
        if record.state is Daemon.ENDED:
            record.deadline = math.inf
            return [Note(text), *self._stop_last(now)]
        record.restarts += 1
        record.reason = "restarting" if asked else text
        delay = backoff(record.failures)
        record.deadline = now + delay
        if delay <= 0:
            return [Note(text), *_launch(record)]
        return [Note(f"{text}; it starts again in {delay:.2f} s", "error")]

    def restart(self, record: Record, peer: int, request: Message, now: float) -> list[Action]:
        """Replace a daemon's process; the peer is answered when the new one is ready.

        Raises:
            RequestError: too many wait already.
        """
        if len(record.restarters) >= RESTARTERS_MAX:
            raise RequestError("BACKPRESSURE", f"{record.role} is being restarted; try again")
        record.restarters.append((peer, request))
        before = record.state
        record.move(DaemonCause.RESTART)
        if before is Daemon.WAITING:
            record.failures = 0
            return [] if record.launching else _launch(record)
        if before is Daemon.RESTARTING:
            return []
        record.deadline = now + STOP_TIMEOUT
        return [Kill(record.pid, signal.SIGTERM)]

    def stop(self, now: float) -> list[Action]:
        """End all, the collector last: SIGTERM, and SIGKILL when they take too long."""
        actions: list[Action] = []
        for record in self:
            record.move(DaemonCause.STOP)
            record.deadline = math.inf
            if record.running and record.role != COLLECTOR:
                actions += _end(record, now)
        return [*actions, *self._stop_last(now)]

    def kill(self) -> list[Action]:
        """End all at once."""
        actions: list[Action] = []
        for record in self:
            record.move(DaemonCause.STOP)
            record.deadline = math.inf
            if record.running:
                record.asked_to_end = True
                actions.append(Kill(record.pid, signal.SIGKILL))
        return actions

    def deadline(self) -> float:
        """Return when something is due."""
        return min(record.deadline for record in self)

    def due(self, now: float) -> list[Action]:
        """Do what is due: start after a delay, kill what takes too long."""
        actions: list[Action] = []
        for record in self:
            if now < record.deadline:
                continue
            record.deadline = math.inf
            if record.state is Daemon.WAITING:
                actions += _launch(record)
            elif record.running:
                actions.append(
                    Note(f"{record.role} took too long while {record.state.value}", "error")
                )
                actions.append(Kill(record.pid, signal.SIGKILL))
        return actions

    def _stop_last(self, now: float) -> list[Action]:
        """End the collector when nobody is left who has something to tell it."""
        last = self._records[COLLECTOR]
        busy = any(one.running or one.launching for one in self if one is not last)
        if busy or last.asked_to_end or not last.running or last.state is not Daemon.STOPPING:
            return []
        return _end(last, now)


def _end(record: Record, now: float) -> list[Action]:
    record.asked_to_end = True
    record.deadline = now + STOP_TIMEOUT
    return [Kill(record.pid, signal.SIGTERM)]


def _launch(record: Record) -> list[Action]:
    record.launching = True
    record.deadline = math.inf
    # Who asks for a restart may want other code than the nursery has; and of what fails again the
    # nursery may be the cause.
    return [Launch(record.role, anew=bool(record.restarters) or record.failures > 1)]
