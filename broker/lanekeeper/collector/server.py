"""The collector's shell: one PULL socket, the keeper's channel, and the model.

Owns the sockets, the clock and the log. Wakes for samples and for the beat alone. Called by
`__main__`.
"""

import logging
import stat
import time
from typing import Final

import zmq

from lanekeeper.collector.model import Model, SampleError
from lanekeeper.keeper.link import Link
from lanekeeper.keeper.program import wakeup_pipe
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.endpoints import PlaneEndpoints
from lanekeeper.wire.sample import SAMPLE_BYTES

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
        self._rundir = rundir
        self._pull = pull
        self._wakeup = wakeup
        self._model = Model()
        self._link = Link(rundir, "collector")
        self._poller = zmq.Poller()
        self._polled: int | None = None

    def run(self) -> None:
        """Serve until a signal arrives, then log the totals."""
        self._poller.register(self._pull, zmq.POLLIN)
        self._poller.register(self._wakeup, zmq.POLLIN)
        self._link.open(time.monotonic())
        self._follow_link()
        LOG.info("served")
        while True:
            ready = dict(self._poller.poll(self._timeout()))
            self._drain()
            self._hear()
            if self._wakeup in ready:
                break
        self._link.close()
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

    def _hear(self) -> None:
        """Read what the keeper says; nothing is asked of a collector yet."""
        if any(message["op"] == "rebind" for message in self._link.turn()):
            self._rebind()
        self._link.beat(time.monotonic())
        self._link.retry(time.monotonic())
        self._follow_link()

    def _rebind(self) -> None:
        """Listen anew where the socket was deleted; who is connected stays so."""
        if not self._rundir.collector_sock.exists():
            bind(self._pull, self._rundir)

    def _follow_link(self) -> None:
        """Poll the channel as it is now, gone or another one."""
        wanted = self._link.fileno() if self._link.is_open else None
        if wanted == self._polled:
            return
        if self._polled is not None:
            self._poller.unregister(self._polled)
        if wanted is not None:
            self._poller.register(wanted, zmq.POLLIN)
        self._polled = wanted

    def _timeout(self) -> int | None:
        due = self._link.deadline()
        return None if due is None else max(int((due - time.monotonic()) * 1000) + 1, 0)


def serve(rundir: Rundir) -> None:
    """Bind below `rundir` and serve until SIGTERM or SIGINT.

    Raises:
        zmq.ZMQError: the socket cannot be bound.
    """
    wakeup = wakeup_pipe()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        pull = context.socket(zmq.PULL)
        try:
            pull.set(zmq.LINGER, 0)
            pull.set(zmq.RCVHWM, HIGH_WATER)
            pull.set(zmq.BACKLOG, BACKLOG)
            pull.set(zmq.MAXMSGSIZE, SAMPLE_BYTES)
            bind(pull, rundir)
            Collector(rundir, pull, wakeup).run()
        finally:
            rundir.collector_sock.unlink(missing_ok=True)
            pull.close()
    finally:
        context.destroy()


def bind(pull: zmq.Socket[bytes], rundir: Rundir) -> None:
    """Bind the collector's socket, mode 0600.

    Raises:
        zmq.ZMQError: it cannot be bound.
    """
    pull.bind(PlaneEndpoints(str(rundir.path)).collector)
    rundir.collector_sock.chmod(stat.S_IRUSR | stat.S_IWUSR)
