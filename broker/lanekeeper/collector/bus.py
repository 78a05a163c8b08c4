"""The collector on the bus: registered with the broker, asked by it, and told of lanes.

Owns the DEALER to the broker, the watch on its connection (every broker that follows hears a new
registration), and the SUB of lane states. Refuses to wait: what cannot be sent is dropped. Called
by `server`.
"""

import logging
from collections.abc import Callable
from typing import Final

import zmq
from msgspec import Struct

from lanekeeper.wire.codec import decode_body, decode_command, decode_event, encode
from lanekeeper.wire.endpoints import PlaneEndpoints
from lanekeeper.wire.envelope import NIL, Command, Event, Response, raw
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.ids import RANDOM_BYTES, make_id
from lanekeeper.wire.limits import MAX_CONTROL, MAX_FRAME
from lanekeeper.wire.messages.diagnostics import Diagnostics, DiagnosticsRequest, MetricChanged
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.plane import Nothing
from lanekeeper.wire.topics import COLLECTOR_REGISTERED
from lanekeeper.wire.version import VERSION

METHOD: Final = "diagnostics.get"
CHANGED: Final = "diagnostics.metric"
LANES: Final = b"lane.state.changed"
HIGH_WATER: Final = 128
EVENTS_HIGH_WATER: Final = 4_096
BUDGET: Final = 256
_RETRY_MS: Final = 50
_RETRY_MOST_MS: Final = 2_000

LOG: Final = logging.getLogger(__name__)

Diagnose = Callable[[DiagnosticsRequest], Diagnostics]
Hear = Callable[[Happened, str], None]


class Bus:
    """Sockets to the broker; see `register` for the poller."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        directory: str,
        randomness: Callable[[int], bytes],
    ) -> None:
        """Connect; the broker may come later."""
        endpoints = PlaneEndpoints(directory)
        self._randomness = randomness
        self._dealer = context.socket(zmq.DEALER)
        self._events = context.socket(zmq.SUB)
        for sock in (self._dealer, self._events):
            sock.set(zmq.LINGER, 0)
            sock.set(zmq.RECONNECT_IVL, _RETRY_MS)
            sock.set(zmq.RECONNECT_IVL_MAX, _RETRY_MOST_MS)
        self._dealer.set(zmq.SNDHWM, HIGH_WATER)
        self._dealer.set(zmq.MAXMSGSIZE, MAX_CONTROL)
        self._events.set(zmq.RCVHWM, EVENTS_HIGH_WATER)
        self._events.set(zmq.MAXMSGSIZE, MAX_FRAME)
        self._events.set(zmq.SUBSCRIBE, LANES)
        self._monitor = self._dealer.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._dealer.connect(endpoints.workers)
        self._events.connect(endpoints.events)

    def register(self, poller: zmq.Poller) -> None:
        """Have everything polled that may bring something."""
        for sock in (self._dealer, self._events, self._monitor):
            poller.register(sock, zmq.POLLIN)

    def turn(self, diagnose: Diagnose, hear: Hear, ts: str) -> None:
        """Do what has come: register with a new broker, answer it, hear of lanes."""
        if self._connected():
            self._report(COLLECTOR_REGISTERED, Nothing(), ts)
        for _ in range(BUDGET):
            data = _receive(self._dealer)
            if data is None:
                break
            self._answer(data[-1], diagnose, ts)
        for _ in range(BUDGET):
            data = _receive(self._events)
            if data is None:
                break
            _heard(data[-1], hear)

    def changed(self, change: MetricChanged, ts: str) -> None:
        """Have the broker publish that a finding has another status."""
        self._report(CHANGED, change, ts)

    def close(self) -> None:
        """Close all sockets."""
        self._dealer.disable_monitor()
        for sock in (self._monitor, self._dealer, self._events):
            sock.close(0)

    def _connected(self) -> bool:
        found = False
        while _receive(self._monitor) is not None:
            found = True
        return found

    def _report(self, topic: str, payload: Struct, ts: str) -> None:
        event = Event(
            v=VERSION,
            id=make_id("event", self._randomness(RANDOM_BYTES)),
            ts=ts,
            topic=topic,
            payload=raw(payload),
            correlation_id=make_id("correlation", self._randomness(RANDOM_BYTES)),
        )
        self._send(encode(event))

    def _answer(self, data: bytes, diagnose: Diagnose, ts: str) -> None:
        try:
            command = decode_command(data)
        except WireError as error:
            LOG.warning("the broker sends what is no command: %s", error)
            return
        self._send(encode(_response(command, diagnose, ts)))

    def _send(self, data: bytes) -> None:
        try:
            self._dealer.send(data, zmq.NOBLOCK)
        except zmq.Again:
            LOG.warning("could not tell the broker something: it does not read")


def _response(command: Command, diagnose: Diagnose, ts: str) -> Response:
    response = Response(
        v=VERSION,
        id=command.id,
        ts=ts,
        status="ok",
        result=NIL,
        correlation_id=command.correlation_id,
    )
    try:
        response.result = raw(diagnose(_request(command)))
    except WireError as error:
        response.status, response.error = "error", error.info
    except Exception:
        LOG.exception("failed at %s", command.method)
        defect = WireError("INTERNAL", "a defect of the collector; see `lane logs collector`")
        response.status, response.error = "error", defect.info
    return response


def _request(command: Command) -> DiagnosticsRequest:
    if command.method != METHOD:
        raise WireError("UNKNOWN_METHOD", f"a collector does not know {command.method}")
    return decode_body(command.payload, DiagnosticsRequest, command.method)


def _heard(data: bytes, hear: Hear) -> None:
    try:
        event = decode_event(data)
        hear(decode_body(event.payload, Happened, event.topic), event.ts)
    except WireError as error:
        LOG.warning("an event that cannot be read: %s", error)


def _receive(sock: zmq.Socket[bytes]) -> list[bytes] | None:
    try:
        return sock.recv_multipart(zmq.NOBLOCK)
    except zmq.Again:
        return None
