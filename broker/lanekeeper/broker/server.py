"""The broker's shell: one thread, one poller, and the core behind it.

Owns the sockets, the clock, the journal and the log; decides nothing. Each turn drains every socket
within a budget, workers first, so that what a worker said before it died is heard before its death.
Wakes for messages, for deadlines and for the beat; with none of them it sleeps. Called by
`__main__`.
"""

import errno
import logging
import os
import resource
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
import zmq

from lanekeeper.broker import journal as journals
from lanekeeper.broker.core import Core
from lanekeeper.broker.errands import Errands
from lanekeeper.broker.figures import Figures
from lanekeeper.broker.heritage import SOCKETS, Heritage, take_over
from lanekeeper.broker.stimuli import (
    Action,
    FromClient,
    FromKeeper,
    FromWorker,
    Instant,
    KeeperDown,
    KeeperUp,
    Look,
    NeedKeeper,
    Note,
    Publish,
    Reply,
    Stimulus,
    Subscription,
    Tick,
    Tidy,
    ToKeeper,
    ToWorker,
    Undelivered,
    Write,
)
from lanekeeper.keeper import hooks, identity
from lanekeeper.keeper.journal import JournalError
from lanekeeper.keeper.program import wakeup_pipe
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.limits import LOG_BUDGET

BUDGET: Final = 256
"""Messages taken from one socket per turn, so that no socket waits for another's flood."""

LOG: Final = logging.getLogger(__name__)
_SUBSCRIBE: Final = b"\x01"


class Server:
    """The running broker."""

    def __init__(
        self, rundir: Rundir, heritage: Heritage, wakeup: int, log_budget: int = LOG_BUDGET
    ) -> None:
        """Serve on bound sockets until the descriptor `wakeup` becomes readable."""
        self._rundir = rundir
        self._sockets = heritage.sockets
        self._wakeup = wakeup
        self._link = heritage.link
        self._journal = heritage.journal
        self._keeping = journals.Keeping(heritage.journal, heritage.state)
        self._core = Core(heritage.state, os.urandom, str(rundir.path))
        self._figures = Figures(identity.current(), self._core.desk, time.monotonic())
        self._keeper_owed = False
        self._core.desk.budget.limit = log_budget
        self._errands = Errands(rundir)
        self._poller = zmq.Poller()
        self._polled: tuple[int, int] | None = None
        self._keeper_known = False

    def run(self) -> None:
        """Serve until a signal arrives; then answer what has already come, and return."""
        poller = self._poller
        for sock in (self._sockets.clients, self._sockets.workers, self._sockets.events):
            poller.register(sock, zmq.POLLIN)
        poller.register(self._wakeup, zmq.POLLIN)
        self._carry_out(self._core.start(_now()))
        self._follow_link(_now())
        self._turn()
        self._link.serve()
        LOG.info("served")
        while True:
            self._watch_link()
            ready = dict(poller.poll(self._timeout()))
            self._turn()
            if self._wakeup in ready:
                break
        self._turn()
        self._sample(time.monotonic(), last=True)
        self._link.deposits.drop(SOCKETS)
        self._link.close()
        self._journal.close()
        LOG.info("stopped; %s", dict(self._core.desk.counters))

    def _turn(self) -> None:
        now = _now()
        self._drain(self._sockets.workers, FromWorker)
        for message in self._link.turn():
            if message["op"] == "rebind":
                self._rebind()
            elif message["op"] == "collector":
                self._figures.again(now.monotonic)
                self._keeper_owed = not self._push(*self._figures.keeper.again())
            elif message["op"] == "figures":
                self._pass_on(message)
            else:
                self._feed(FromKeeper(message), now)
        self._follow_link(now)
        self._drain_subscriptions(now)
        self._drain(self._sockets.clients, FromClient)
        deadline = self._core.next_deadline()
        if deadline is not None and deadline <= now.monotonic:
            self._feed(Tick(), now)
        done = self._errands.turn()
        if done is not None:
            self._feed(done, _now())
        self._beat(now.monotonic)
        if self._link.retry(now.monotonic):
            self._follow_link(now)
        self._sample(now.monotonic)

    def _beat(self, now: float) -> None:
        due = self._link.deadline()
        if self._link.is_open and due is not None and due <= now:
            self._figures.lag(now - due)
            if self._keeper_owed:
                self._keeper_owed = not self._push(*self._figures.keeper.again())
        self._link.beat(now)

    def _rebind(self) -> None:
        """Listen anew where somebody has deleted our paths; the keeper says so."""
        try:
            if self._sockets.rebind(self._rundir):
                self._link.deposit(SOCKETS, self._sockets.listeners)
        except (OSError, zmq.ZMQError):
            LOG.exception("could not listen anew")

    def _drain(
        self,
        sock: zmq.Socket[bytes],
        stimulus: Callable[[bytes, list[bytes]], Stimulus],
    ) -> None:
        for _ in range(BUDGET):
            try:
                route, *frames = sock.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if sock is self._sockets.workers:
                hooks.at("broker.worker.told")
            self._feed(stimulus(route, frames), _now())

    def _drain_subscriptions(self, now: Instant) -> None:
        for _ in range(BUDGET):
            try:
                message = self._sockets.events.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            if message.startswith(_SUBSCRIBE):
                self._feed(Subscription(message[1:]), now)

    def _feed(self, stimulus: Stimulus, now: Instant) -> None:
        self._figures.touch()
        try:
            actions = self._core.handle(stimulus, now)
        except Exception:
            story = self._core.desk.story
            LOG.exception(
                "failed at a stimulus; the story: %s",
                story.tell(),
                extra={"stimulus": story.number},
            )
            actions = self._core.rescue()
        self._carry_out(actions)
        if self._core.desk.timings:
            self._figures.timed(time.monotonic())

    def _carry_out(self, actions: list[Action]) -> None:
        """Do what a turn says: all its records first, as one, then the rest in order."""
        records = [action.record for action in actions if isinstance(action, Write)]
        if records:
            self._write(records)
        for action in actions:
            match action:
                case Reply(route=route, data=data):
                    self._reply(route, data)
                case ToWorker():
                    self._to_worker(action)
                case Publish(topic=topic, data=data):
                    self._sockets.events.send_multipart((topic, data), zmq.NOBLOCK)
                case ToKeeper(message=message):
                    self._link.send(message)
                case NeedKeeper():
                    self._open_link()
                case Look() | Tidy():
                    self._errands.begin(action)
                case Note(level=level, text=text, lane=lane):
                    LOG.log(level, text, extra={"lane": lane})

    def _reply(self, route: bytes, data: bytes) -> None:
        hooks.at("broker.answer")
        try:
            self._sockets.clients.send_multipart((route, data), zmq.NOBLOCK)
        except zmq.Again:
            self._core.desk.counters["clients.full"] += 1
        except zmq.ZMQError as error:
            if error.errno != errno.EHOSTUNREACH:
                raise
            self._core.desk.counters["clients.vanished"] += 1

    def _to_worker(self, action: ToWorker) -> None:
        try:
            self._sockets.workers.send_multipart((action.route, action.data), zmq.NOBLOCK)
        except zmq.Again:
            full = True
        except zmq.ZMQError as error:
            if error.errno != errno.EHOSTUNREACH:
                raise
            full = False
        else:
            hooks.at("broker.forwarded")
            return
        missed = Undelivered(action.route, action.lane_id, action.command_id, full)
        self._feed(missed, _now())

    def _write(self, records: list[bytes]) -> None:
        try:
            self._keeping.write(records)
        except (OSError, JournalError):
            self._core.desk.counters["journal.failed"] += 1
            LOG.exception("could not write to the journal")

    def _sample(self, now: float, *, last: bool = False) -> None:
        """Push the figures to the collector when it is time to; never waits."""
        sample = self._figures.take(now, last=last)
        if sample is not None:
            self._figures.pushed(sent=self._push(sample))

    def _push(self, *samples: bytes) -> bool:
        """Return whether all are on their way."""
        for sample in samples:
            try:
                self._sockets.samples.send(sample, zmq.NOBLOCK)
            except zmq.Again:
                self._core.desk.counters["samples.dropped"] += 1
                return False
        return True

    def _pass_on(self, message: dict[str, Any]) -> None:
        """Push the keeper's figures, which has no socket of this kind."""
        try:
            self._keeper_owed = not self._push(*self._figures.keeper.hear(message))
        except msgspec.ValidationError as error:
            self._core.desk.counters["keeper.unknown"] += 1
            LOG.warning("passed over the keeper's figures: %s", error)
        self._figures.touch()

    def _open_link(self) -> None:
        now = _now()
        self._keeper_known = self._link.open(now.monotonic)
        self._feed(KeeperUp() if self._keeper_known else KeeperDown(), now)

    def _follow_link(self, now: Instant) -> None:
        """Tell the core when the channel has closed or opened since the last turn."""
        if self._keeper_known == self._link.is_open:
            return
        self._keeper_known = self._link.is_open
        LOG.info("found the keeper" if self._keeper_known else "lost the keeper")
        self._feed(KeeperUp() if self._keeper_known else KeeperDown(), now)

    def _watch_link(self) -> None:
        """Poll the channel as it is now: gone, open, or with messages that wait."""
        wanted: tuple[int, int] | None = None
        if self._link.is_open:
            writing = zmq.POLLOUT if self._link.wants_write else 0
            wanted = (self._link.fileno(), zmq.POLLIN | writing)
        if wanted == self._polled:
            return
        if self._polled is not None and (wanted is None or wanted[0] != self._polled[0]):
            self._poller.unregister(self._polled[0])
        if wanted is not None:
            self._poller.register(*wanted)
        self._polled = wanted

    def _timeout(self) -> int | None:
        """Return milliseconds until something is due, rounded up; None to wait for messages."""
        if self._errands.busy:
            return 0
        due = (
            self._core.next_deadline(),
            self._link.deadline(),
            self._figures.due(),
        )
        moments = [moment for moment in due if moment is not None]
        if not moments:
            return None
        return max(int((min(moments) - time.monotonic()) * 1000) + 1, 0)


def serve(rundir: Rundir, log_budget: int = LOG_BUDGET) -> None:
    """Bind below `rundir` and serve until SIGTERM or SIGINT; `log_budget` is in bytes.

    Raises:
        AlreadyRunningError: another broker serves this directory.
        OSError: the keeper does not answer, or a path cannot be bound.
        zmq.ZMQError: a socket cannot be bound.
    """
    raise_descriptor_limit()
    wakeup = wakeup_pipe()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        heritage = take_over(context, rundir)
        try:
            Server(rundir, heritage, wakeup, log_budget).run()
        finally:
            heritage.sockets.close()
    finally:
        context.destroy()


def raise_descriptor_limit() -> None:
    """Raise the soft limit of descriptors to the hard one; libzmq aborts when they run out."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _now() -> Instant:
    return Instant(time.monotonic(), time.time_ns())
