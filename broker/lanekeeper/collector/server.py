"""The collector's shell: samples in, pages and diagnostics out, and the clock; one loop.

Owns the PULL socket and the order of a turn: samples first, then who asks, then a slice of what is
not urgent. Wakes for samples, for those who ask and for the beat alone; everything that recurs
waits for the beat. Called by `__main__`.
"""

import logging
import os
import stat
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import zmq

from lanekeeper.collector import pages, places
from lanekeeper.collector.bus import Bus
from lanekeeper.collector.gathering import Gathering
from lanekeeper.collector.http import Http
from lanekeeper.collector.processes import Processes
from lanekeeper.keeper import identity
from lanekeeper.keeper.link import BEAT_SECONDS, Link
from lanekeeper.keeper.program import wakeup_pipe
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.endpoints import PlaneEndpoints
from lanekeeper.wire.messages.diagnostics import Diagnostics, DiagnosticsRequest
from lanekeeper.wire.sample import SAMPLE_BYTES, SampleError

HIGH_WATER: Final = 10_000
"""Samples queued before those who push drop theirs: small, and each replaces the one before."""

BACKLOG: Final = 1_024
"""Connections that wait to be accepted: every worker of a plane comes at once."""

BUDGET: Final = 200
"""Samples taken per turn, so that a flood of them keeps nobody waiting who asks."""

REFUSALS_LOGGED: Final = 20
"""Refused samples that get a line of their own; the rest are counted."""

ASKED: Final = "processes"
"""The id of our question to the keeper."""

LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How to serve; `port` 0 takes any, the one of the collector before if it is free."""

    port: int = 0


class Collector:
    """The running collector."""

    def __init__(
        self, rundir: Rundir, pull: zmq.Socket[bytes], bus: Bus, wakeup: int, options: Options
    ) -> None:
        """Serve a socket, to be bound, until the descriptor `wakeup` becomes readable.

        Raises:
            OSError: the token cannot be written.
        """
        self._rundir = rundir
        self._pull = pull
        self._bus = bus
        self._wakeup = wakeup
        self._port = options.port
        now = time.monotonic()
        me = identity.current()
        self._gathering = Gathering(me.pid, me.start_time, _ts())
        self._processes = Processes(self._gathering.model, self._gathering.usage, now)
        self._link = Link(rundir, "collector")
        self._poller = zmq.Poller()
        self._http = Http(self._poller, self._page)
        self._warned = False
        self._token = places.token(rundir)
        self._polled: int | None = None
        self._tick_at = now

    def run(self) -> None:
        """Bind, and serve until a signal arrives; zmq.ZMQError when the socket cannot be bound."""
        self._poller.register(self._pull, zmq.POLLIN)
        self._poller.register(self._wakeup, zmq.POLLIN)
        self._bus.register(self._poller)
        self._gathering.restore(places.totals(self._rundir), time.monotonic())
        self._listen()
        # Last, for it shows that everything else is there.
        bind(self._pull, self._rundir)
        self._link.open(time.monotonic())
        self._link.send({"op": "status", "id": ASKED})
        self._follow_link()
        self._tick_at = time.monotonic()
        LOG.info("served")
        while True:
            ready = dict(self._poller.poll(self._timeout()))
            self._turn(ready)
            if self._wakeup in ready:
                break
        self._drain(time.monotonic())
        self._save()
        self._http.close()
        self._link.close()
        LOG.info("stopped; %s", self._gathering.model.tallies)

    def _turn(self, ready: dict[Any, int]) -> None:
        now = time.monotonic()
        self._gathering.faults.ts = ts = _ts()
        self._drain(now)
        self._http.turn(ready, now)
        self._bus.turn(self._diagnose, self._gathering.faults.lane, ts)
        self._hear(now)
        if now >= self._tick_at:
            self._tick(now, ts)
        if self._processes.busy:
            self._processes.turn(now)

    def _tick(self, now: float, ts: str) -> None:
        """Do what recurs."""
        self._gathering.lag(now - self._tick_at, now)
        if self._processes.due() <= now:
            self._link.send({"op": "status", "id": ASKED})
            self._processes.turn(now)
        for change in self._gathering.changes(now):
            self._bus.changed(change, ts)
        self._save()
        if not self._http.port:
            self._listen()
        following = self._link.deadline() if self._link.is_open else None
        self._tick_at = now + BEAT_SECONDS if following is None else following

    def _listen(self) -> None:
        """Listen where the collector before did, for the sake of those who scrape.

        A port that is taken is tried again with every beat, and nobody is sent there meanwhile.
        """
        tries = [self._port] if self._port else [places.last_port(self._rundir), 0]
        for port in tries:
            try:
                self._http.listen(port)
            except OSError as error:
                if not self._warned:
                    LOG.warning("cannot serve metrics on port %d: %s", port, error)
                continue
            places.announce(self._rundir, self._http.port)
            LOG.info("metrics at http://127.0.0.1:%d/metrics", self._http.port)
            return
        self._warned = True
        self._rundir.metrics_endpoint.unlink(missing_ok=True)

    def _drain(self, now: float) -> None:
        for _ in range(BUDGET):
            try:
                frames = self._pull.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                self._gathering.model.feed(b"".join(frames), now)
            except SampleError as error:
                if self._gathering.model.tallies.refused <= REFUSALS_LOGGED:
                    LOG.warning("refused a sample: %s", error)

    def _page(self, asked: pages.Asked) -> pages.Page:
        return pages.answer(asked, self._token, self._http.port, self._render)

    def _render(self, accept: str) -> tuple[str, bytes]:
        """Return the figures; what was shown is kept first, so that no counter ever falls."""
        now = time.monotonic()
        self._drain(now)
        page = self._gathering.render(accept, now)
        self._save(whole=True)
        return page

    def _diagnose(self, request: DiagnosticsRequest) -> Diagnostics:
        now = time.monotonic()
        self._drain(now)
        if request.lanes:
            self._processes.asked(now)
            self._tick_at = min(self._tick_at, max(now, self._processes.due()))
        return self._gathering.diagnose(request, now)

    def _save(self, *, whole: bool = False) -> None:
        data = self._gathering.dump(whole=whole)
        if data is None:
            return
        try:
            places.write(self._rundir.metrics_totals, data)
        except OSError as error:
            LOG.warning("could not keep the totals: %s", error)

    def _hear(self, now: float) -> None:
        """Read what the keeper says."""
        for message in self._link.turn():
            if message["op"] == "rebind":
                self._rebind()
            elif message["op"] == "status" and message.get("id") == ASKED:
                self._gathering.listed(message.get("processes", ()), now)
        self._link.beat(now)
        self._link.retry(now)
        self._follow_link()

    def _rebind(self) -> None:
        """Listen anew where the socket was deleted; who is connected stays so."""
        try:
            if not self._rundir.collector_sock.exists():
                bind(self._pull, self._rundir)
            if self._http.port and not self._rundir.metrics_endpoint.exists():
                places.write(self._rundir.metrics_token, self._token.encode("ascii"))
                places.announce(self._rundir, self._http.port)
        except (OSError, zmq.ZMQError):
            LOG.exception("could not listen anew")

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

    def _timeout(self) -> int:
        if self._processes.busy:
            return 0
        due = [self._tick_at, self._link.deadline(), self._http.deadline()]
        first = min(moment for moment in due if moment is not None)
        return max(int((first - time.monotonic()) * 1000) + 1, 0)


def serve(rundir: Rundir, options: Options) -> None:
    """Bind below `rundir` and serve until SIGTERM or SIGINT.

    Raises:
        zmq.ZMQError: the socket cannot be bound.
        OSError: the token cannot be written.
    """
    wakeup = wakeup_pipe()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        pull = context.socket(zmq.PULL)
        bus = Bus(context, str(rundir.path), os.urandom)
        try:
            pull.set(zmq.LINGER, 0)
            pull.set(zmq.RCVHWM, HIGH_WATER)
            pull.set(zmq.BACKLOG, BACKLOG)
            pull.set(zmq.MAXMSGSIZE, SAMPLE_BYTES)
            Collector(rundir, pull, bus, wakeup, options).run()
        finally:
            rundir.collector_sock.unlink(missing_ok=True)
            pull.close()
            bus.close()
    finally:
        context.destroy()


def bind(pull: zmq.Socket[bytes], rundir: Rundir) -> None:
    """Bind the collector's socket, mode 0600.

    Raises:
        zmq.ZMQError: it cannot be bound.
    """
    pull.bind(PlaneEndpoints(str(rundir.path)).collector)
    rundir.collector_sock.chmod(stat.S_IRUSR | stat.S_IWUSR)


def _ts() -> str:
    """Return the RFC 3339 timestamp of now, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
