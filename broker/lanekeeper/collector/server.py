"""The collector's shell: one PULL socket, the keeper's channel, and the model.

Owns the sockets, the clock and the log. Wakes for samples and for the beat alone. Called by
`__main__`.
"""

import contextlib
import logging
import os
import signal
import stat
import time
from pathlib import Path
from typing import Final

import zmq

from lanekeeper.collector.model import Model, SampleError
from lanekeeper.keeper import identity
from lanekeeper.keeper.channel import Channel, ChannelError, connect
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.endpoints import PlaneEndpoints
from lanekeeper.wire.sample import SAMPLE_BYTES

BEAT_SECONDS: Final = 5.0
"""Between signs of life to the keeper."""

HIGH_WATER: Final = 10_000
"""Samples queued before those who push drop theirs: small, and each replaces the one before."""

BACKLOG: Final = 1_024
"""Connections that wait to be accepted: every worker of a plane comes at once."""

BUDGET: Final = 1_000
"""Samples taken per turn."""

REFUSALS_LOGGED: Final = 20
"""Refused samples that get a line of their own; the rest are counted."""

LOG: Final = logging.getLogger(__name__)


class Collector:
    """The running collector."""

    def __init__(self, rundir: Rundir, pull: zmq.Socket[bytes], wakeup: int) -> None:
        """Serve a bound socket until the descriptor `wakeup` becomes readable."""
        self._pull = pull
        self._wakeup = wakeup
        self._model = Model()
        self._keeper = greet(rundir)
        self._beat_at = time.monotonic() + BEAT_SECONDS

    def run(self) -> None:
        """Serve until a signal arrives, then log the totals."""
        poller = zmq.Poller()
        poller.register(self._pull, zmq.POLLIN)
        poller.register(self._wakeup, zmq.POLLIN)
        if self._keeper is not None:
            poller.register(self._keeper.fileno(), zmq.POLLIN)
        LOG.info("served")
        while True:
            ready = dict(poller.poll(self._timeout()))
            self._drain()
            if self._keeper is not None and self._keeper.fileno() in ready:
                self._hear(self._keeper, poller)
            self._beat()
            if self._wakeup in ready:
                break
        if self._keeper is not None:
            self._keeper.close()
        totals = {f"{role}.{name}": total for (role, name), total in self._model.totals().items()}
        LOG.info("stopped; %s; totals %s", self._model.statistics(), totals)

    def _drain(self) -> None:
        for _ in range(BUDGET):
            try:
                frames = self._pull.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                self._model.feed(b"".join(frames))
            except SampleError as error:
                if self._model.statistics().refused <= REFUSALS_LOGGED:
                    LOG.warning("refused a sample: %s", error)

    def _hear(self, keeper: Channel, poller: zmq.Poller) -> None:
        """Read what the keeper says; nothing is asked of a collector yet."""
        try:
            for received in keeper.receive():
                received.close()
        except ChannelError as error:
            LOG.warning("lost the keeper: %s", error)
        if keeper.closed:
            poller.unregister(keeper.fileno())
            keeper.close()
            self._keeper = None

    def _beat(self) -> None:
        now = time.monotonic()
        if self._keeper is not None and now >= self._beat_at:
            self._beat_at = now + BEAT_SECONDS
            with contextlib.suppress(ChannelError):
                self._keeper.send({"op": "beat"})

    def _timeout(self) -> int | None:
        if self._keeper is None:
            return None
        return max(int((self._beat_at - time.monotonic()) * 1000) + 1, 0)


def greet(rundir: Rundir) -> Channel | None:
    """Return the channel to the keeper after hello and ready; None when there is no keeper."""
    try:
        keeper = connect(rundir.keeper_sock)
        me = identity.current()
        keeper.send(
            {"op": "hello", "role": "collector", "pid": me.pid, "start_time": me.start_time}
        )
        keeper.send({"op": "ready"})
    except (OSError, ChannelError) as error:
        LOG.info("found no keeper: %s", error)
        return None
    return keeper


def serve(rundir: Rundir) -> None:
    """Bind below `rundir` and serve until SIGTERM or SIGINT.

    Raises:
        zmq.ZMQError: the socket cannot be bound.
    """
    wakeup = _wakeup_pipe()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        pull = context.socket(zmq.PULL)
        try:
            pull.set(zmq.LINGER, 0)
            pull.set(zmq.RCVHWM, HIGH_WATER)
            pull.set(zmq.BACKLOG, BACKLOG)
            pull.set(zmq.MAXMSGSIZE, SAMPLE_BYTES)
            pull.bind(PlaneEndpoints(str(rundir.path)).collector)
            _own(rundir.collector_sock)
            Collector(rundir, pull, wakeup).run()
        finally:
            rundir.collector_sock.unlink(missing_ok=True)
            pull.close()
    finally:
        context.destroy()


def _own(path: Path) -> None:
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)


def _wakeup_pipe() -> int:
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _note_signal)
    return reading


def _note_signal(number: int, _frame: object) -> None:
    """Let the wake-up descriptor speak; the main loop does the rest."""
    LOG.info("received %s", signal.Signals(number).name)
