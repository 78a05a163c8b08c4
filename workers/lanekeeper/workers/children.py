"""The programs of a lane as the worker holds them, and how their ends are known without a nursery.

Owns the descriptors of one program's start, and the order in which an end is believed: its parent
says it, else the kernel does, in /proc until it is reaped and by the pidfd afterwards, else it is
unknown, never 0. Called by `spawner`.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import zmq

from lanekeeper.keeper.channel import Channel
from lanekeeper.keeper.identity import Process
from lanekeeper.keeper.pidfds import ended
from lanekeeper.wire.messages.terminal import ExitStatus
from lanekeeper.workers.life import UNKNOWN
from lanekeeper.workers.pty import Pty
from lanekeeper.workers.sockets import READ

PATIENCE: Final = 1.0
"""Seconds from the end of a program that no nursery waits for to a status that is unknown."""

GATE: Final = "gate"
"""The stage at which a child says that its gate was closed and not opened."""

REAPED: Final = int(zmq.POLLERR)
"""What a pidfd shows when its process has been reaped: a hang-up, which is always polled for."""


@dataclass(slots=True)
class Child:
    """One program, from the request on. Descriptors are -1 once they are closed."""

    terminal_id: str
    pty: Pty
    gate: int
    errors: int
    stdin: int
    pid: int = 0
    start_time: int = 0
    pidfd: int = -1
    said: bool = False
    """Whether its error pipe was read."""

    exited: bool = False
    nursery: Channel | None = None
    """Who tells how it ends; None when that nursery has gone."""

    given_up_at: float | None = None
    """When an end that was seen, and that nobody has explained, is unknown."""

    @property
    def lonely(self) -> bool:
        """Whether its end is seen by its pidfd alone."""
        return self.nursery is None and self.pidfd >= 0 and not self.exited

    def close(self, *names: str) -> None:
        """Close some of its descriptors."""
        for name in names:
            fd: int = getattr(self, name)
            if fd >= 0:
                os.close(fd)
                setattr(self, name, -1)


def watched(children: Iterable[Child]) -> dict[int, int]:
    """Return the descriptors to poll, and for what: error pipes, and pidfds nobody speaks for."""
    fds: dict[int, int] = {}
    for child in children:
        if child.gate < 0 <= child.errors and not child.said:
            fds[child.errors] = READ
        if child.lonely:
            fds[child.pidfd] = READ if child.given_up_at is None else REAPED
    return fds


def looked(child: Child, now: float) -> ExitStatus | None:
    """Say how a program that nobody speaks for has ended; None: not known yet, look again."""
    found = ended(child.pidfd, Process(child.pid, child.start_time))
    if found is not None:
        return status(found.code, found.signal, core=found.core)
    if child.given_up_at is None:
        child.given_up_at = now + PATIENCE
    return UNKNOWN if now >= child.given_up_at else None


def told(message: dict[str, Any]) -> ExitStatus:
    """Return what a parent's `exited` says."""
    return status(message.get("code"), message.get("signal"), core=bool(message.get("core")))


def status(code: int | None, number: int | None, *, core: bool) -> ExitStatus:
    """Return a status of the wire; unknown without a code and a signal."""
    if number is not None:
        return ExitStatus(kind="signaled", signal=number, core=core)
    return UNKNOWN if code is None else ExitStatus(kind="exited", code=code)


def reason(data: bytes) -> tuple[str, str]:
    """Return the stage at which a child failed, and why in words, from its error pipe."""
    try:
        said = json.loads(data)
        stage = str(said["stage"])
        return stage, f"{stage}: {said['strerror']} (errno {said['errno']})"
    except (ValueError, KeyError, TypeError):
        return "", "the child failed before it ran its program"
