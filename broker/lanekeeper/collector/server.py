"""The collector's shell: samples in, pages out, the keeper's channel, and the clock; one loop.

Owns the PULL socket and the order of a turn: samples first, then who asks. Wakes for samples, for
those who ask and for the beat alone. Called by `__main__`.
"""

import logging
import stat
import time
from dataclasses import dataclass
from typing import Final

import zmq

from lanekeeper.collector import export, pages, places
from lanekeeper.collector.http import Http
from lanekeeper.collector.model import Incarnation, Model
from lanekeeper.collector.own import Own
from lanekeeper.keeper import identity
from lanekeeper.keeper.link import Link
from lanekeeper.keeper.program import wakeup_pipe
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.endpoints import PlaneEndpoints
from lanekeeper.wire.sample import SAMPLE_BYTES, SampleError

HIGH_WATER: Final = 10_000
"""Samples queued before those who push drop theirs: small, and each replaces the one before."""

BACKLOG: Final = 1_024
"""Connections that wait to be accepted: every worker of a plane comes at once."""

BUDGET: Final = 500
"""Samples taken per turn, so that a flood of them keeps nobody waiting who asks."""

REFUSALS_LOGGED: Final = 20
"""Refused samples that get a line of their own; the rest are counted."""

LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How to serve; `port` 0 takes any, the one of the collector before if it is free."""

    port: int = 0


class Collector:
    """The running collector."""

    def __init__(
        self, rundir: Rundir, pull: zmq.Socket[bytes], wakeup: int, options: Options
    ) -> None:
        """Serve a bound socket until the descriptor `wakeup` becomes readable."""
        self._rundir = rundir
        self._pull = pull
        self._wakeup = wakeup
        self._port = options.port
        me = identity.current()
        self._model = Model(known_before=me.start_time)
        self._own = Own(self._model, Incarnation("collector", me.pid, me.start_time))
        self._link = Link(rundir, "collector")
        self._poller = zmq.Poller()
        self._http = Http(self._poller, self._page)
        self._token = ""
        self._polled: int | None = None

    def run(self) -> None:
        """Serve until a signal arrives."""
        self._poller.register(self._pull, zmq.POLLIN)
        self._poller.register(self._wakeup, zmq.POLLIN)
        self._token = places.token(self._rundir)
        self._listen()
        self._link.open(time.monotonic())
        self._follow_link()
        LOG.info("served; metrics at http://127.0.0.1:%d/metrics", self._http.port)
        while True:
            ready = dict(self._poller.poll(self._timeout()))
            now = time.monotonic()
            self._drain(now)
            self._http.turn(ready, now)
            self._hear(now)
            if self._wakeup in ready:
                break
        self._http.close()
        self._link.close()
        LOG.info("stopped; %s", self._model.tallies)

    def _listen(self) -> None:
        """Listen where the collector before did, for the sake of those who scrape."""
        tries = [self._port] if self._port else [places.last_port(self._rundir), 0]
        for port in tries:
            try:
                self._http.listen(port)
            except OSError as error:
                LOG.warning("cannot serve metrics on port %d: %s", port, error)
                continue
            places.announce(self._rundir, self._http.port)
            return

    def _drain(self, now: float) -> None:
        for _ in range(BUDGET):
            try:
                frames = self._pull.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                self._model.feed(b"".join(frames), now)
            except SampleError as error:
                if self._model.tallies.refused <= REFUSALS_LOGGED:
                    LOG.warning("refused a sample: %s", error)

    def _page(self, asked: pages.Asked) -> pages.Page:
        return pages.answer(asked, self._token, self._http.port, self._render)

    def _render(self, accept: str) -> tuple[str, bytes]:
        self._own.measure(time.monotonic())
        return export.render(self._model.series(), accept)

    def _hear(self, now: float) -> None:
        """Read what the keeper says."""
        for message in self._link.turn():
            if message["op"] == "rebind":
                self._rebind()
        self._link.beat(now)
        self._link.retry(now)
        self._follow_link()
        self._model.forget(now)

    def _rebind(self) -> None:
        """Listen anew where the socket was deleted; who is connected stays so."""
        if not self._rundir.collector_sock.exists():
            bind(self._pull, self._rundir)
        if not self._rundir.metrics_endpoint.exists():
            places.write(self._rundir.metrics_token, self._token.encode("ascii"))
            places.announce(self._rundir, self._http.port)

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
        due = [d for d in (self._link.deadline(), self._http.deadline()) if d is not None]
        return None if not due else max(int((min(due) - time.monotonic()) * 1000) + 1, 0)


def serve(rundir: Rundir, options: Options = Options()) -> None:
    """Bind below `rundir` and serve until SIGTERM or SIGINT.

    Raises:
        zmq.ZMQError: the socket cannot be bound.
        OSError: the token cannot be written.
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
            Collector(rundir, pull, wakeup, options).run()
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
