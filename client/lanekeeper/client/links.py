"""The sockets of a client: one DEALER per link, one SUB per subscription, never blocking.

Owns their options, the messages that a full DEALER could not take yet, and their closing. Knows
nothing of commands or output. Called by `hub`.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

import zmq

from lanekeeper.client.effects import Sink
from lanekeeper.client.session import Transmission
from lanekeeper.wire.limits import MAX_FRAME, SEND_HIGH_WATER

ZmqSocket = zmq.Socket[bytes]

RECONNECT_MS: Final = 2
RECONNECT_MOST_MS: Final = 1_000
"""Milliseconds before the first attempt to reach a socket again, and between later ones at most.

The vault keeps the sockets of a dead worker or broker open, so the first attempt succeeds.
"""
BATCH: Final = 128
"""Messages taken from one socket per turn, so that a flood does not starve the others."""
_READABLE: Final = int(zmq.POLLIN)
OUTBOX_MOST: Final = 4_096
"""Messages that wait for a DEALER with a full queue; what is dropped beyond is sent again later."""


class Link:
    """A DEALER to the broker or to a lane's hot path.

    `monitor` is readable when its connection was lost: what had left then may not have arrived.
    """

    def __init__(self, context: "zmq.Context[ZmqSocket]", endpoint: str) -> None:
        """Connect to `endpoint`; it need not exist yet."""
        self.endpoint = endpoint
        self.socket = _socket(context, zmq.DEALER)
        self.monitor: ZmqSocket = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.socket.connect(endpoint)
        self.outbox: deque[bytes] = deque(maxlen=OUTBOX_MOST)

    def send(self, data: bytes) -> None:
        """Send or queue one message."""
        self.outbox.append(data)
        self.flush()

    def flush(self) -> bool:
        """Send what waits; return whether anything left."""
        moved = False
        while self.outbox:
            try:
                self.socket.send(self.outbox[0], zmq.NOBLOCK)
            except zmq.Again:
                break
            self.outbox.popleft()
            moved = True
        return moved

    def lost(self) -> bool:
        """Return whether the connection was lost since the last look."""
        return bool(list(_drain(self.monitor, lambda: False)))

    def close(self) -> None:
        """Close the socket; unsent messages are dropped."""
        self.socket.disable_monitor()
        self.monitor.close(0)
        self.socket.close(0)

    def receive(self) -> Iterator[bytes]:
        """Yield what has come in, at most a batch; messages of several frames are dropped."""
        for frames in _drain(self.socket, lambda: False):
            if len(frames) == 1:
                yield frames[0]


class Subscription:
    """A SUB into a sink."""

    def __init__(
        self,
        context: "zmq.Context[ZmqSocket]",
        endpoint: str,
        topics: tuple[str, ...],
        sink: Sink,
    ) -> None:
        """Subscribe to `topics` (prefixes) at `endpoint`; it need not exist yet.

        ZeroMQ sends the subscriptions of a new connection in alphabetical order, so a token
        (`tok_`) comes after the terminal (`term_`) or the empty prefix it vouches for.
        """
        self.endpoint = endpoint
        self.sink = sink
        self.socket = _socket(context, zmq.SUB)
        self.socket.set(zmq.RCVHWM, SEND_HIGH_WATER)
        for topic in topics:
            self.socket.set(zmq.SUBSCRIBE, topic.encode("ascii"))
        self.socket.connect(endpoint)

    def pump(self) -> bool:
        """Move messages into the sink until it is full or nothing is left; return whether any."""
        moved = False
        for frames in _drain(self.socket, lambda: self.sink.full):
            self.sink.receive(frames)
            moved = True
        return moved


class Sockets:
    """All sockets of one hub."""

    def __init__(self, broker: str) -> None:
        """Connect to the broker's endpoint."""
        self.context: zmq.Context[ZmqSocket] = zmq.Context()
        self.version = 0
        self._polled = -1
        self._poller = zmq.Poller()
        self._broker = broker
        self._links: dict[str, Link] = {}
        self._subscriptions: list[Subscription] = []
        self.link(None)

    def link(self, endpoint: str | None) -> Link:
        """Return the link to an endpoint (None: the broker), connecting it if need be."""
        name = endpoint or self._broker
        found = self._links.get(name)
        if found is None:
            found = self._links[name] = Link(self.context, name)
            self.version += 1
        return found

    def transmit(self, transmissions: list[Transmission]) -> bool:
        """Send; return whether anything left."""
        for transmission in transmissions:
            self.link(transmission.link).send(transmission.data)
        flushed = [link.flush() for link in self._links.values() if link.outbox]
        return bool(transmissions) or any(flushed)

    def receive(self, take: Callable[[bytes], None], lost: Callable[[str | None], None]) -> bool:
        """Hand everything that has come in on the links to `take`, and the rest to the sinks.

        `lost` hears of each link whose connection was lost, None for the broker's.
        """
        ready = self._ready()
        if not ready:
            return False
        moved = False
        for name, link in list(self._links.items()):
            if link.socket in ready:
                for data in link.receive():
                    take(data)
                    moved = True
            if link.monitor in ready and link.lost():
                lost(None if name == self._broker else name)
                moved = True
        for subscription in self._subscriptions:
            if subscription.socket in ready:
                moved = subscription.pump() or moved
        return moved

    def _ready(self) -> set[ZmqSocket]:
        """Return the sockets that have something, asked of all of them in one call."""
        if self._polled != self.version:
            self._polled = self.version
            self._poller = zmq.Poller()
            for link in self._links.values():
                self._poller.register(link.socket, zmq.POLLIN)
                self._poller.register(link.monitor, zmq.POLLIN)
            for subscription in self._subscriptions:
                self._poller.register(subscription.socket, zmq.POLLIN)
        return {found for found, _ in self._poller.poll(0) if isinstance(found, zmq.Socket)}

    def subscribe(self, endpoint: str, topics: tuple[str, ...], sink: Sink) -> Subscription:
        """Open a subscription."""
        subscription = Subscription(self.context, endpoint, topics, sink)
        self._subscriptions.append(subscription)
        self.version += 1
        return subscription

    def unsubscribe(self, feed: object) -> None:
        """Close a subscription; one that is closed already is fine."""
        for subscription in self._subscriptions:
            if subscription is feed:
                self._subscriptions.remove(subscription)
                subscription.socket.close(0)
                self.version += 1
                return

    def unlink(self, unused: Callable[[str], bool]) -> None:
        """Close the links to lanes that are `unused`, so that they do not reconnect for ever."""
        for endpoint in list(self._links):
            if endpoint != self._broker and unused(endpoint):
                self._links.pop(endpoint).close()
                self.version += 1

    def interests(self) -> list[tuple[ZmqSocket, int]]:
        """Return the sockets to wait for, with ZeroMQ's poll flags; full sinks are left out."""
        wanted: list[tuple[ZmqSocket, int]] = [
            (link.socket, zmq.POLLIN | (zmq.POLLOUT if link.outbox else 0))
            for link in self._links.values()
        ]
        wanted += [(link.monitor, zmq.POLLIN) for link in self._links.values()]
        wanted += [
            (subscription.socket, zmq.POLLIN)
            for subscription in self._subscriptions
            if not subscription.sink.full
        ]
        return wanted

    def descriptors(self) -> list[int]:
        """Return the edge-triggered descriptors of all sockets."""
        links = [link.socket for link in self._links.values()]
        links += [link.monitor for link in self._links.values()]
        sockets = links + [subscription.socket for subscription in self._subscriptions]
        return [int(socket.get(zmq.FD)) for socket in sockets]

    def close(self) -> None:
        """Close everything; unsent messages are dropped."""
        for link in self._links.values():
            link.close()
        for subscription in self._subscriptions:
            subscription.socket.close(0)
        self._links.clear()
        self._subscriptions.clear()
        self.context.term()


def _socket(context: "zmq.Context[ZmqSocket]", kind: int) -> ZmqSocket:
    socket = context.socket(kind)
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.set(zmq.RECONNECT_IVL_MAX, RECONNECT_MOST_MS)
    socket.set(zmq.MAXMSGSIZE, MAX_FRAME)
    return socket


def _drain(socket: ZmqSocket, full: Callable[[], bool]) -> Iterator[list[bytes]]:
    # Asking for events first costs a tenth of the exception that an empty socket raises.
    for _ in range(BATCH):
        if full() or not int(socket.get(zmq.EVENTS)) & _READABLE:
            return
        yield socket.recv_multipart(zmq.NOBLOCK)
