"""The keeper's shell: its lock, its socket, its loop; every decision is the supervisor's.

Owns the descriptors behind peers and watched processes, and carries actions out. Refuses to block
and to decide. Made by `entry`.
"""

import contextlib
import logging
import math
import os
import resource
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lanekeeper.keeper import events, hooks, identity, launch, logs
from lanekeeper.keeper.channel import Channel, Listener, Received
from lanekeeper.keeper.clock import Clock
from lanekeeper.keeper.exits import Orphans, reap
from lanekeeper.keeper.framing import close_all
from lanekeeper.keeper.loop import Handlers, Loop
from lanekeeper.keeper.parentage import Parentage
from lanekeeper.keeper.premises import Premises
from lanekeeper.keeper.rundir import Rundir, RundirError
from lanekeeper.keeper.shortage import LOST
from lanekeeper.keeper.states import Plane
from lanekeeper.keeper.status import PlaneInfo
from lanekeeper.keeper.supervisor import Supervisor
from lanekeeper.keeper.survivors import Cleansings, Survivors
from lanekeeper.keeper.vault import Vault
from lanekeeper.keeper.watches import Watches

_LOGGER: Final = logging.getLogger(__name__)
_LEVELS: Final = logging.getLevelNamesMapping()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a keeper starts its plane with."""

    commands: Mapping[str, list[str]]
    """The command line of each daemon."""

    successor: list[str]
    """The command line of the next keeper, should this one die."""

    found: Sequence[tuple[str, identity.Process]] | None
    """Processes of a plane that is taken over; None for a new one."""


class Keeper:
    """One plane, from its start to its end."""

    def __init__(
        self,
        rundir: Rundir,
        options: launch.Options,
        info: PlaneInfo,
        surroundings: Surroundings,
    ) -> None:
        """Listen on keeper.sock, or go on where a dead keeper did; the lock is held.

        Raises:
            ChannelError: the socket cannot be made.
        """
        self.retired = False
        self._rundir = rundir
        self._survivors = Survivors(rundir)
        self._cleansings = Cleansings(self._survivors)
        self._surroundings = surroundings
        self._ready_fd = options.ready_fd
        self._asked = options.asked
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        vault = Vault(limit // 2)
        self._core = Supervisor(info, options.warm, vault, options.hang_after)
        self._peers: dict[int, Channel] = {}
        self._numbers: dict[Channel, int] = {}
        self._next_peer = 0
        self._pending: deque[tuple[events.Event, float | None]] = deque()
        self._busy = False
        self._wanted = True
        self._code: int | None = None
        self._parentage = Parentage(lambda: vault.of_kind("pidfd"))
        self._orphans = Orphans(lambda pid: pid in self._watches or pid in self._parentage)
        self._loop = Loop(limit // 4)
        self._watches = Watches(self._loop, self._on_end)
        self._clock = Clock(time.monotonic)
        self._listener = Listener(rundir.keeper_sock, options.listen_fd)
        self._premises = Premises(rundir, self._loop, info, self._clock)
        self._handlers = Handlers(self._on_message, self._on_gone)
        self._actions = self._hands()

    def _hands(self) -> dict[type[events.Action], Callable[[Any], None]]:
        return {
            events.Launch: self._launch,
            events.Beget: self._beget,
            events.Watch: self._watch,
            events.Kill: self._kill,
            events.Send: self._send,
            events.Discard: self._discard,
            events.Reap: self._reap,
            events.Entrust: self._entrust,
            events.Close: self._close,
            events.Sweep: self._sweep,
            events.Cleanse: self._cleanse,
            events.Announce: self._announce,
            events.Note: self._note,
            events.Retire: self._retire,
            events.Finish: self._finish,
        }

    def run(self) -> int:
        """Keep the plane until it is down; return the exit code."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._loop.on_signals((signal.SIGINT, signal.SIGTERM, signal.SIGCHLD), self._on_signal)
        self.begin()
        while self._code is None:
            self.turn()
        self.release()
        if not self.retired:
            self._survivors.tidy()
        return self._code

    def begin(self) -> None:
        """Listen, and start what is to run; `turn` goes on from there."""
        self._loop.listen(self._listener, self._on_connect)
        self._feed(events.Started(self._found(), asked=self._asked))

    def release(self) -> None:
        """Close what was opened to listen and to look."""
        self._premises.forget()
        self._listener.close()
        self._loop.release()

    def turn(self) -> None:
        """Wait for something to happen, and do what follows from it."""
        now = self._clock.now()
        dues = [due for due in (self._core.next_deadline(), self._orphans.deadline) if due]
        more = (self._premises.deadline, self._watches.deadline, self._cleansings.deadline)
        dues += [due for due in more if due < math.inf]
        patience = max(0.0, min(dues) - now) if dues else None
        self._clock.wait(patience)
        self._loop.turn(patience)
        if self._clock.check():
            self._feed(events.Stalled())
        for orphaned in self._parentage.untold():
            self._feed(orphaned)
        self._orphans.sweep(self._clock.now())
        self._watches.again(self._clock.now())
        self._tick()
        self._cleanse_on()
        self._repair()
        if self._core.state is not Plane.RUNNING and self._wanted:
            self._premises.forget()
            # From here on nobody starts a keeper to bring this plane up again.
            self._wanted = False
            self._rundir.wanted.unlink(missing_ok=True)

    def _cleanse_on(self) -> None:
        for one in self._cleansings.due(self._clock.now()):
            done = events.answer(one.request.request, "swept", killed=len(one.killed))
            self._send(events.Send(one.request.peer, done))

    def _tick(self) -> None:
        """Let the core judge by the time, unless part of it is a stop of our own."""
        due, now = self._core.next_deadline(), self._clock.now()
        if self._clock.check():
            self._feed(events.Stalled())
        elif due is not None and due <= now:
            self._feed(events.Tick(now - due), now)

    def _repair(self) -> None:
        """Bind again what somebody deleted, and let the others do so."""
        missing = self._premises.look(self._expected)
        if self._rundir.keeper_sock in missing:
            self._loop.forget(self._listener.fileno())
            self._listener.close()
            self._listener = Listener(self._rundir.keeper_sock)
            self._loop.listen(self._listener, self._on_connect)
            self._feed(events.Damaged(keeper=True))
        elif missing:
            self._feed(events.Damaged(keeper=False))

    def _expected(self) -> Iterator[Path]:
        roles, lanes = self._core.serving()
        for role in ("keeper", *roles):
            yield from self._rundir.sockets_of(role)
        for lane_id in lanes:
            yield from (self._rundir.lane_out(lane_id), self._rundir.lane_in(lane_id))

    def _found(self) -> tuple[events.Found, ...] | None:
        found = self._surroundings.found
        if found is None:
            return None
        return tuple(events.Found(role, one.pid, one.start_time) for role, one in found)

    def _feed(self, event: events.Event, now: float | None = None) -> None:
        """Hand an event to the core and do what it says; events of doing so come after it.

        It happens at `now`: what was looked at before a stop is not judged by the time after it.
        """
        self._pending.append((event, now))
        if self._busy:
            return
        self._busy = True
        try:
            while self._pending:
                following, when = self._pending.popleft()
                when = self._clock.now() if when is None else when
                for action in self._core.handle(following, when):
                    self._actions[type(action)](action)
        finally:
            self._busy = False

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._parentage.look()
            self._orphans.notice(self._clock.now())
        else:
            self._feed(events.Asked(number))

    def _on_connect(self, channel: Channel) -> None:
        self._next_peer += 1
        self._peers[self._next_peer] = channel
        self._numbers[channel] = self._next_peer
        self._loop.join(channel, self._handlers)
        self._feed(events.PeerOpened(self._next_peer))

    def _on_gone(self, channel: Channel) -> None:
        number = self._numbers.pop(channel)
        del self._peers[number]
        self._feed(events.PeerGone(number))

    def _on_message(self, channel: Channel, received: Received) -> None:
        message = received.message
        if message["op"] == "hello" and not _truthful(channel, message):
            received.close()
            text = "pid and start_time are not those of the peer"
            refusal = events.answer(message, "error", code="INVALID_ARGUMENT", message=text)
            self._loop.send(channel, refusal)
            self._loop.drop(channel)
            return
        if received.short:
            refusal = events.answer(message, "error", code="LIMIT_EXCEEDED", message=LOST)
            self._loop.send(channel, refusal)
            return
        if message["op"] == "deposit":
            hooks.at("keeper.deposit.received")
        if message["op"] == "worker-exited":
            self._hear_out(message.get("pid"))
        self._feed(events.PeerSaid(self._numbers[channel], message, received.fds))

    def _launch(self, action: events.Launch) -> None:
        try:
            self._rundir.ensure_subdirs()
            argv = self._surroundings.commands[action.role]
            process = launch.launch(self._rundir, action.role, argv)
        except (OSError, RundirError) as error:
            self._feed(events.LaunchFailed(action.role, str(error)))
            return
        self._feed(events.Launched(action.role, process.pid, process.start_time))
        self._watch_process(process)

    def _beget(self, action: events.Beget) -> None:
        with contextlib.suppress(RundirError):
            self._rundir.ensure_subdirs()
        argv = self._surroundings.commands[action.role]
        wanted = {"op": "start", "id": action.number, "role": action.role, "argv": argv}
        self._send(events.Send(action.peer, wanted))

    def _watch(self, action: events.Watch) -> None:
        if not self._watch_process(identity.Process(action.pid, action.start_time)):
            self._feed(events.Ended(action.pid, known=False))

    def _watch_process(self, process: identity.Process) -> bool:
        return self._watches.add(process, self._clock.now())

    def _on_end(self, pid: int) -> None:
        self._hear_out(pid)
        try:
            found = reap(pid)
        except ChildProcessError:
            found = None
        if found is None:
            self._feed(events.Ended(pid, known=False))
        else:
            self._feed(events.Ended(pid, found.code, found.signal))

    def _hear_out(self, pid: object) -> None:
        """Read what a process said before it ended: word of its end may overtake its own."""
        for channel in [one for one in self._peers.values() if one.peer()[0] == pid]:
            self._loop.hear(channel)

    def _kill(self, action: events.Kill) -> None:
        self._watches.kill(action.pid, action.signal)

    def _send(self, action: events.Send) -> None:
        channel = self._peers.get(action.peer)
        if channel is not None:
            self._loop.send(channel, dict(action.message), action.fds)

    def _discard(self, action: events.Discard) -> None:
        close_all(action.fds)

    def _reap(self, action: events.Reap) -> None:
        self._parentage.told(action.pid)

    def _entrust(self, action: events.Entrust) -> None:
        channel = self._peers.get(action.peer)
        if channel is not None:
            trust = {"op": "listener", "argv": self._surroundings.successor}
            self._loop.send(channel, trust, (self._listener.fileno(),))

    def _close(self, action: events.Close) -> None:
        channel = self._peers.get(action.peer)
        if channel is not None:
            self._loop.drop(channel)

    def _sweep(self, action: events.Sweep) -> None:
        there = [process for process in self._survivors.everybody() if self._watch_process(process)]
        for process in there:
            self._kill(events.Kill(process.pid, action.signal))
        self._feed(events.Swept(tuple(process.pid for process in there)))

    def _cleanse(self, action: events.Cleanse) -> None:
        self._cleansings.begin(action)

    def _announce(self, action: events.Announce) -> None:
        announce(self._ready_fd, action.line)
        self._ready_fd = None

    def _note(self, action: events.Note) -> None:
        _LOGGER.log(_LEVELS[action.level.upper()], "%s", action.text, extra=dict(action.keys))

    def _retire(self, _: events.Retire) -> None:
        self.retired = True
        self._code = 0

    def _finish(self, action: events.Finish) -> None:
        self._code = action.code


def announce(fd: int | None, line: str) -> None:
    """Write one line to whoever started the keeper, and close the descriptor."""
    if fd is not None:
        with contextlib.suppress(OSError):
            os.write(fd, logs.clean_line(line))
        with contextlib.suppress(OSError):
            os.close(fd)


def _truthful(channel: Channel, message: Mapping[str, Any]) -> bool:
    pid, _ = channel.peer()
    return message.get("pid") == pid and message.get("start_time") == identity.start_time(pid)
