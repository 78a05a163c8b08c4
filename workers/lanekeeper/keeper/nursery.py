"""The nursery: a fork server with everything imported, one thread and no ZeroMQ.

Owns the way requests become processes: warm workers for the keeper, terminals' children for
workers; how they end is the brood's. Refuses to start
threads and to die with the keeper. Started by the keeper as `python -m lanekeeper.keeper.nursery`.
"""

import argparse
import errno
import importlib
import logging
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from lanekeeper.keeper import hooks, identity, logs
from lanekeeper.keeper.beats import HANG_AFTER
from lanekeeper.keeper.brood import Brood
from lanekeeper.keeper.channel import Channel, Listener, Received, connect
from lanekeeper.keeper.clock import Clock
from lanekeeper.keeper.exits import Orphans, become_subreaper
from lanekeeper.keeper.forking import (
    ChildFds,
    Inherited,
    SpecError,
    WorkerStart,
    fork_child,
    fork_worker,
    read_spec,
    room,
    settle,
)
from lanekeeper.keeper.loop import Handlers, Loop
from lanekeeper.keeper.rebirth import Rebirth
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.keeper.shortage import explain
from lanekeeper.keeper.warden import Warden
from lanekeeper.keeper.wards import Wards
from lanekeeper.keeper.warmth import Warmth

_LOGGER: Final = logging.getLogger(__name__)

REJOIN_SECONDS: Final = 0.5
"""Between two attempts at a keeper that does not listen, or that shuts the door at once."""

JOIN_SECONDS: Final = 5.0
"""For a keeper that has started us to accept us."""

_SPAWN_FDS: Final = {"tty": 4, "pipe": 5}


class Nursery:
    """Forks on request and tells how what it forked has ended."""

    def __init__(
        self, rundir: Rundir, start: WorkerStart, inherited: Inherited, hang_after: float
    ) -> None:
        """Listen on nursery.sock and join the keeper.

        Raises:
            ChannelError: the socket cannot be made.
            OSError: the keeper does not listen.
        """
        self._start = start
        self._inherited = inherited
        self._stopping = False
        self._loop = Loop(resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
        self._brood = Brood(self._loop)
        self._wards = Wards()
        self._orphans = Orphans(self._brood.tracks)
        self._listener = Listener(rundir.nursery_sock)
        self._rundir = rundir
        self._clock = Clock(time.monotonic)
        self._warmth = Warmth()
        self._rebirth = Rebirth(rundir, self._loop, self._brood, self._warmth, self._release)
        self._warden = Warden(rundir, self._loop, hang_after, self._rebirth.keeper)
        self._rejoin_at = math.inf
        self._joined_at = 0.0
        self._keeper = connect(rundir.keeper_sock, JOIN_SECONDS)
        self._handlers = Handlers(self._on_message, self._on_gone)
        self._operations: dict[str, Callable[[Channel, Received], None]] = {
            "fork": self._fork,
            "start": self._begin,
            "spawn": self._spawn,
            "reap": self._reap,
            "claim": self._claim,
            "forget": self._forget,
            "rebind": self._rebind,
            "keep": self._keep,
            "unkeep": self._unkeep,
        }

    def run(self) -> int:
        """Serve until SIGTERM; return the exit code."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._loop.on_signals((signal.SIGTERM, signal.SIGCHLD), self._on_signal)
        self._loop.listen(self._listener, self._on_connect)
        self._greet()
        while not self._stopping:
            self._turn()
        return 0

    def _turn(self) -> None:
        patience = self._patience()
        self._clock.wait(patience)
        self._loop.turn(patience)
        now = time.monotonic()
        if self._clock.check():
            self._warden.stalled(now)
        self._orphans.sweep(now)
        self._brood.sweep(now)
        self._warden.due(now)
        self._warmth.due(now)
        if self._warden.ping(now):
            self._loop.send(self._keeper, {"op": "ping", "lag": self._warden.lag})
        if now >= self._rejoin_at:
            self._rejoin(now)

    def _greet(self) -> None:
        """Say who we are to the keeper, and how workers ended while there was none."""
        self._loop.join(self._keeper, self._handlers)
        own = identity.current()
        hello = {"op": "hello", "role": "nursery", "pid": own.pid, "start_time": own.start_time}
        self._joined_at = time.monotonic()
        self._loop.send(self._keeper, hello)
        self._loop.send(self._keeper, {"op": "ready"})
        self._brood.keeper_came(self._keeper)
        for told, fds in self._wards.offer():
            self._loop.send(self._keeper, told, fds)
        self._warmth.begin(self._joined_at)

    def _rejoin(self, now: float) -> None:
        """Connect again: to a keeper that is there, or that is about to serve its queue."""
        self._rejoin_at = math.inf
        try:
            self._keeper = connect(self._rundir.keeper_sock)
        except OSError:
            self._rejoin_at = now + REJOIN_SECONDS
            return
        self._greet()

    def _patience(self) -> float | None:
        """Return the seconds until time alone makes something due."""
        orphans = self._orphans.deadline
        soonest = min(
            self._brood.deadline,
            self._warden.deadline,
            self._warmth.deadline,
            self._rejoin_at,
            math.inf if orphans is None else orphans,
        )
        return None if math.isinf(soonest) else max(0.0, soonest - time.monotonic())

    def _release(self) -> None:
        self._loop.release()
        self._warden.release()
        self._listener.close()

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGTERM:
            self._stopping = True
        else:
            self._orphans.notice(time.monotonic())

    def _on_connect(self, channel: Channel) -> None:
        self._loop.join(channel, self._handlers)

    def _on_gone(self, channel: Channel) -> None:
        if channel is self._keeper:
            _LOGGER.warning("lost the keeper; serving on")
            now = time.monotonic()
            steady = now - self._joined_at >= REJOIN_SECONDS
            self._rejoin_at = now if steady else now + REJOIN_SECONDS
        self._brood.left(channel)

    def _on_message(self, channel: Channel, received: Received) -> None:
        message = received.message
        self._warmth.disturbed(time.monotonic())
        operation = self._operations.get(message["op"])
        try:
            if operation is not None:
                operation(channel, received)
            elif channel is self._keeper:
                self._warden.heard(message, received, time.monotonic())
            elif message["op"] not in {"hello", "error"}:
                self._refuse(channel, message, f"unknown operation {message['op'][:80]!r}")
        finally:
            received.close()

    def _fork(self, channel: Channel, received: Received) -> None:
        message = received.message
        if channel is not self._keeper:
            self._refuse(channel, message, "only the keeper asks for workers")
            return
        try:
            with room():
                pid = fork_worker(self._start, self._release)
            offspring = self._brood.adopt(pid, channel, worker=True)
        except OSError as error:
            self._fail(channel, message, error)
            return
        answer = {"pid": pid, "start_time": offspring.process.start_time}
        self._loop.send(channel, {"op": "forked", "id": message.get("id"), **answer})

    def _begin(self, channel: Channel, received: Received) -> None:
        if channel is self._keeper:
            self._rebirth.start(channel, received.message)
        else:
            self._refuse(channel, received.message, "only the keeper asks for daemons")

    def _spawn(self, channel: Channel, received: Received) -> None:
        message, fds = received.message, received.fds
        if received.short:
            self._fail(channel, message, OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
            return
        if _SPAWN_FDS.get(str(message.get("stdin"))) != len(fds):
            self._refuse(channel, message, 'stdin is "tty" with 4 descriptors or "pipe" with 5')
            return
        try:
            spec = read_spec(fds[0], self._inherited)
            stdin = fds[4] if message["stdin"] == "pipe" else None
            with room():
                pid = fork_child(spec, ChildFds(fds[1], fds[2], fds[3], stdin))
            hooks.at("nursery.forked")
            lane = str(message.get("lane", ""))
            offspring = self._brood.adopt(pid, channel, worker=False, lane=lane)
        except SpecError as error:
            self._fail(channel, message, OSError(errno.EINVAL, str(error)))
            return
        except OSError as error:
            self._fail(channel, message, error)
            return
        answer = {"pid": pid, "start_time": offspring.process.start_time}
        spawned = {"op": "spawned", "id": message.get("id"), **answer}
        self._loop.send(channel, spawned, (offspring.pidfd,))

    def _reap(self, channel: Channel, received: Received) -> None:
        if not self._brood.reap(channel, received.message):
            self._refuse(channel, received.message, "there is no ended child of yours of that pid")

    def _claim(self, channel: Channel, received: Received) -> None:
        if not self._brood.claim(channel, received.message):
            self._refuse(channel, received.message, "there is no such child", "NOT_FOUND")

    def _rebind(self, channel: Channel, _: Received) -> None:
        """Listen anew where our socket was deleted; who is connected stays so."""
        if channel is not self._keeper or self._rundir.nursery_sock.exists():
            return
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        self._listener = Listener(self._rundir.nursery_sock)
        self._loop.listen(self._listener, self._on_connect)

    def _keep(self, channel: Channel, received: Received) -> None:
        answer = self._wards.take(received) if channel is self._keeper else None
        if answer is not None:
            self._loop.send(channel, answer)

    def _unkeep(self, channel: Channel, received: Received) -> None:
        if channel is self._keeper:
            self._wards.drop(str(received.message.get("lane_id")))

    def _forget(self, _: Channel, received: Received) -> None:
        self._brood.forget(str(received.message.get("lane_id")))

    def _refuse(
        self, channel: Channel, message: dict[str, Any], text: str, code: str = "INVALID_ARGUMENT"
    ) -> None:
        answer = {"id": message.get("id"), "code": code, "message": text}
        self._loop.send(channel, {"op": "error", **answer})

    def _fail(self, channel: Channel, message: dict[str, Any], error: OSError) -> None:
        _LOGGER.warning("did not fork: %s", error)
        answer = {"id": message.get("id"), "errno": error.errno, "message": explain(error)}
        self._loop.send(channel, {"op": "failed", **answer})


def load(entry: str) -> Callable[[str], int]:
    """Import the module of `MODULE:FUNCTION` and return the function.

    Raises:
        TypeError: there is no such function.
        ImportError: the module cannot be imported.
    """
    module, _, name = entry.partition(":")
    function: Callable[[str], int] | None = getattr(importlib.import_module(module), name, None)
    if function is None or not callable(function):
        raise TypeError(f"{entry!r} does not name a function as MODULE:FUNCTION")
    return function


def main(
    rundir: Rundir, start: WorkerStart, inherited: Inherited, hang_after: float = HANG_AFTER
) -> int:
    """Run a nursery until SIGTERM; return the exit code.

    Raises:
        ChannelError: nursery.sock cannot be made.
        OSError: the keeper does not listen.
    """
    become_subreaper()
    nursery = Nursery(rundir, start, inherited, hang_after)
    settle()
    return nursery.run()


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lanekeeper.keeper.nursery", description="Fork server.")
    parser.add_argument("--runtime-dir", required=True, type=Path)
    parser.add_argument("--entry", default="lanekeeper.workers.warm:main")
    parser.add_argument("--umask", type=lambda text: int(text, 8), default=0o077)
    parser.add_argument("--nofile", type=int, nargs=2, required=True, metavar=("SOFT", "HARD"))
    parser.add_argument("--hang-after", type=float, default=HANG_AFTER)
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--log-format", default="text")
    return parser.parse_args(argv)


if __name__ == "__main__":
    given = _arguments(sys.argv[1:])
    where = Rundir(given.runtime_dir)
    logs.configure("nursery", where.log_file("nursery"), given.log_level, given.log_format)
    worker_start = WorkerStart(load(given.entry), where.path, given.log_level, given.log_format)
    soft, hard = given.nofile
    sys.exit(main(where, worker_start, Inherited(given.umask, (soft, hard)), given.hang_after))
