"""The worker process: one thread around one poller for sockets and every other descriptor.

A turn: read what is ready (each terminal within its budget), let the core decide, carry its actions
out, publish what is new, then do what time has made due. `warm` makes it when a lane is assigned.
"""

import logging
import math
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import zmq

from lanekeeper.keeper import hooks
from lanekeeper.keeper.identity import Process, current
from lanekeeper.keeper.program import EXIT_CONFLICT
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.codec import decode_response, encode
from lanekeeper.wire.envelope import Event, raw
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.ids import RANDOM_BYTES, make_id
from lanekeeper.wire.meter import Meter
from lanekeeper.wire.topics import WORKER_REGISTERED
from lanekeeper.wire.version import VERSION
from lanekeeper.workers.actions import Action, Delivered, Drain, Frame, Moment, Stimulus, Tick
from lanekeeper.workers.book import Book
from lanekeeper.workers.core import LaneCore
from lanekeeper.workers.custody import Custody
from lanekeeper.workers.effects import Effects
from lanekeeper.workers.estate import JOURNAL, Estate
from lanekeeper.workers.figures import ROLE, Figures
from lanekeeper.workers.flow import Flow
from lanekeeper.workers.listeners import KINDS, Listeners
from lanekeeper.workers.sockets import READ, WRITE, Sockets
from lanekeeper.workers.spawner import Spawner
from lanekeeper.workers.tally import Tally
from lanekeeper.workers.turn import Surroundings

BEAT: Final = 7.0
"""Seconds between two signs of life: two of them may be missed in the 15 s that mean a hang."""
TOGETHER: Final = 0.05
"""Lanes beat at multiples of this, so that a few wake together and wake the keeper once."""
AWAKE_SECONDS: Final = 0.0004
"""How long to stay awake after an input, for the program's answer and for the next input.

Waking a processor that sleeps costs more than all the work of a key (docs/decisions/0011).
"""
_LOG: Final = logging.getLogger(__name__)


class Worker:
    """One lane, served."""

    def __init__(self, rundir: Rundir, estate: Estate, sockets: Sockets, custody: Custody) -> None:
        """Open the lane's sockets; zmq.ZMQError when that fails."""
        self._me = current()
        self._custody = custody
        self._estate = estate
        self._told = b""
        self.refusal = ""
        endpoints = sockets.open(estate.state.assignment.lane_id, estate.listeners)
        meter = Meter(ROLE, self._me.pid, self._me.start_time, time.monotonic())
        tally = self._tally = Tally(meter.spread)
        self.effects = Effects(
            sockets,
            Spawner(rundir, custody.deposits),
            Book(estate.journal, estate.state),
            estate.state,
            estate.terminals,
            custody.deposits,
            tally,
        )
        self.core = LaneCore(
            estate.state,
            Surroundings(
                os.urandom,
                self.effects.log,
                endpoints,
                self.effects.typed,
                self.effects.samples,
                tally,
            ),
        )
        self.flow = Flow(self.effects)
        self._stimuli: deque[Stimulus] = deque()
        self._awake_until = 0.0
        self._wake_read, self._wake_write = socket.socketpair()
        self._poller = zmq.Poller()
        self._polled: dict[int, int] = {}
        self._beat_at = 0.0
        self._figures = Figures(meter, self.effects)
        self._paths = [
            Path(e.removeprefix("ipc://")) for e in (endpoints.output, endpoints.control)
        ]

    def serve(self, said: Sequence[dict[str, Any]] = ()) -> int:
        """Serve until the lane is closed; return the exit code. `said` the keeper has already.

        `refusal` then says why, if the broker does not want the lane.

        After an exception nothing is closed and nothing said: a successor goes on.
        """
        self._watch_signals()
        sockets = self.effects.sockets
        for each in (sockets.output, sockets.control, sockets.broker):
            self._poller.register(each, READ)
        self._poller.register(self._wake_read.fileno(), READ)
        self._begin()
        if not self.effects.leaving:
            self._register()
            self._hear(said)
        while not self.effects.leaving:
            self._turn()
        self._close()
        return EXIT_CONFLICT if self.refusal else 0

    def _begin(self) -> None:
        """Open a new lane, or go on with an inherited one."""
        estate, custody = self._estate, self._custody
        if not estate.entries:
            custody.deposits.put(JOURNAL, estate.root)
            self._do(self.core.first(moment()))
            return
        self._do(self.core.resume(estate.left(), moment()))
        hooks.at("worker.heir.resumed")
        for program in estate.programs:
            io = self.effects.starter.go_on(program)
            self._stimuli += self.effects.write(io, time.monotonic())
        self._settle()
        hooks.at("worker.heir.serves")

    def _turn(self) -> None:
        self._poll_descriptors()
        ready = dict(self._wait())
        if ready and self._figures.deadline == math.inf:
            self._figures.touch()
        self._read_sockets(ready)
        self._read_channels(ready)
        now = time.monotonic()
        self._stimuli += self.flow.read(ready, now)
        # A lease that expires may let a program go on: before the flow looks at who holds it back.
        self._tick()
        self._settle()
        self._stimuli += self.flow.due(time.monotonic())
        self._stimuli += self.effects.spawner.due(time.monotonic())
        self._stimuli += self.effects.starter.due(time.monotonic())
        # What was asked about the cursor is known before more is drawn.
        self._settle()
        self._stimuli += self.effects.screens.turn(idle=not ready)
        self._settle()
        if self._tally.answered:
            self._tally.timed(time.monotonic())
        self.effects.spawner.tidy()
        self.effects.book.compact()

    def _wait(self) -> list[tuple[Any, int]]:
        """Wait for something to be ready: awake for a moment after an input, then asleep."""
        while time.monotonic() < self._awake_until:
            ready = self._poller.poll(0)
            if ready:
                return ready
            # Whoever can run goes first: the program that answers may be among them.
            os.sched_yield()
        return self._poller.poll(self._timeout())

    def _settle(self) -> None:
        """Feed the core until nothing is left to decide."""
        if self._stimuli and self._figures.deadline == math.inf:
            self._figures.touch()
        while self._stimuli:
            self._do(self.core.handle(self._stimuli.popleft(), moment()))

    def _do(self, actions: list[Action]) -> None:
        for action in self.effects.book.record(actions):
            for stimulus in self.effects.carry_out(action):
                if isinstance(stimulus, Delivered):
                    self._awake_until = time.monotonic() + AWAKE_SECONDS
                self._stimuli.append(stimulus)

    def _read_sockets(self, ready: dict[Any, int]) -> None:
        sockets = self.effects.sockets
        if sockets.output in ready:
            for topic in sockets.subscriptions():
                self.effects.welcome(topic)
        if sockets.control in ready:
            for frames in sockets.arrived(sockets.control):
                self._command(frames[0], frames[1:])
        if sockets.broker in ready:
            for frames in sockets.arrived(sockets.broker):
                self._command(None, frames)

    def _refused(self, data: bytes) -> bool:
        """Whether this is the broker's refusal of the lane, which goes on if anything runs in it.

        A keeper ends the worker of a lane that is not wanted; one without a keeper ends by itself.
        """
        if self._told not in data:
            return False
        try:
            error = decode_response(data).error
        except WireError:
            return False
        if error is None:
            return False
        _LOG.error("the broker refuses this lane: %s: %s", error.code, error.message)
        if self._custody.by_hand and not self._estate.terminals:
            self.refusal = f"{error.code}: {error.message}"
            self.effects.leaving = True
        return True

    def _command(self, route: bytes | None, frames: list[bytes]) -> None:
        # A wrong number of frames is an envelope that is not one; the core says so to its sender.
        data = frames[0] if len(frames) == 1 else b""
        if route is None and self._refused(data):
            return
        came = moment()
        self._tally.arrived = came.now
        self._do(self.core.handle(Frame(route, data), came))
        self._settle()
        if self._tally.answered:
            self._tally.timed(time.monotonic())

    def _read_channels(self, ready: dict[Any, int]) -> None:
        if self._wake_read.fileno() in ready and self._signalled():
            self._stimuli.append(Drain())
        keeper, spawner = self._custody.channel, self.effects.spawner
        if keeper is not None and keeper.fileno() in ready:
            self._hear(self._custody.receive(time.monotonic()))
        if spawner.channel is not None and spawner.channel.fileno() in ready:
            spawner.channel.flush()
            self._stimuli += spawner.receive()
        for fd in spawner.watched():
            if fd in ready:
                self._stimuli += spawner.ready(fd, time.monotonic())

    def _hear(self, messages: Sequence[dict[str, Any]]) -> None:
        """Do what the keeper says."""
        deposits = self._custody.deposits
        for message in messages:
            match message["op"]:
                case "drain":
                    self._stimuli.append(Drain())
                case "broker":
                    self._register()
                case "collector":
                    self._figures.again(time.monotonic())
                case "rebind":
                    self._rebind()
                case "exited":
                    self._stimuli += self.effects.spawner.told(message)
                case "deposited" | "released":
                    deposits.answered(message)
                case "error":
                    name, reason = deposits.answered(message), str(message.get("message"))
                    if name is not None:
                        self._stimuli += self.effects.starter.unvaulted(name, reason)
        self.effects.starter.open_gates()

    def _rebind(self) -> None:
        """Listen anew where somebody has deleted our paths; who is connected stays so."""
        if all(path.exists() for path in self._paths):
            return
        lane_id, before = self._estate.state.assignment.lane_id, self._estate.listeners
        paths = dict(zip(KINDS, self._paths, strict=True))
        try:
            self._estate.listeners = Listeners.create(paths)
            self.effects.sockets.open(lane_id, self._estate.listeners)
        except (OSError, zmq.ZMQError):
            _LOG.exception("could not listen anew")
        self._custody.deposits.put(JOURNAL, self._estate.root)
        if before is not self._estate.listeners:
            before.close()

    def _register(self) -> None:
        told = registration(self.core, self._me, moment())
        self._told = told.id.encode("ascii")
        self.effects.sockets.to_broker(encode(told))

    def _tick(self) -> None:
        now = time.monotonic()
        due = self.core.deadline()
        if (due is not None and due <= now) or self.core.waits.behind():
            self._stimuli.append(Tick())
        if now >= self._beat_at:
            if self._beat_at:
                self._figures.lag(now - self._beat_at)
            self._beat_at = math.ceil((now + BEAT) / TOGETHER) * TOGETHER
            self._custody.beat(now)
        if now >= self._figures.deadline:
            self._figures.push(now)
        self._custody.reconnect(now)

    def _timeout(self) -> int:
        """Milliseconds until time alone makes something due."""
        if self.core.waits.behind() or self.effects.screens.behind:
            return 0
        due = [self._beat_at, self._custody.deadline, self._figures.deadline]
        due += [self.effects.spawner.deadline(), self.effects.starter.deadline]
        due += self.flow.deadlines()
        core = self.core.deadline()
        if core is not None:
            due.append(core)
        return math.ceil(max(0.0, min(due) - time.monotonic()) * 1000)

    def _poll_descriptors(self) -> None:
        """Poll exactly what can make progress now."""
        wanted = self.flow.wanted()
        channels = [self._custody.channel, self.effects.spawner.channel]
        for channel in channels:
            if channel is not None and not channel.closed:
                wanted[channel.fileno()] = READ | (WRITE if channel.wants_write else 0)
        wanted |= self.effects.spawner.watched()
        if wanted == self._polled:
            return
        for fd in self._polled.keys() - wanted.keys():
            self._poller.unregister(fd)
        for fd, flags in wanted.items():
            if self._polled.get(fd) != flags:
                self._poller.register(fd, flags)
        self._polled = wanted

    def _watch_signals(self) -> None:
        self._wake_read.settimeout(0.0)
        self._wake_write.settimeout(0.0)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, _noted)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _signalled(self) -> bool:
        return signal.SIGTERM in self._wake_read.recv(64)

    def _close(self) -> None:
        self._figures.push(time.monotonic(), last=True)
        signal.set_wakeup_fd(-1)
        self._wake_read.close()
        self._wake_write.close()
        self.effects.close()
        self._estate.listeners.close()
        for path in self._paths:
            path.unlink(missing_ok=True)
        self._custody.leave()
        self._custody.close()


def registration(core: LaneCore, me: Process, now: Moment) -> Event:
    """Return the event by which a worker tells a broker all about its lane."""
    told = core.registration(me.pid, me.start_time, now)
    return Event(
        v=VERSION,
        id=make_id("event", os.urandom(RANDOM_BYTES)),
        ts=now.ts,
        topic=WORKER_REGISTERED,
        payload=raw(told),
        lane_id=told.assignment.lane_id,
        correlation_id=told.assignment.correlation_id
        or make_id("correlation", os.urandom(RANDOM_BYTES)),
    )


def moment() -> Moment:
    """Return the time as the core wants it."""
    time_ns = time.time_ns()
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return Moment(time.monotonic(), f"{_second(seconds)}.{rest // 1_000_000:03d}Z", time_ns)


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    """Return the date and time of a second, which many moments share."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def _noted(_number: int, _frame: object) -> None:
    """Let the wakeup descriptor tell the poller; the handler itself does nothing."""
