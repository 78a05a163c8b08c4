"""The ZeroMQ sockets of one worker, all used from its one thread.

output   XPUB  what the lane's terminals print; bounded per subscriber, never blocks
control  ROUTER  the hot path: commands straight from clients
broker   DEALER  commands through the broker, answers and events to it
metrics  PUSH  samples for the collector; dropped and counted when it is away
"""

import os
from collections.abc import Iterator
from typing import Final

import zmq

from lanekeeper.wire.endpoints import PlaneEndpoints
from lanekeeper.wire.ids import PREFIXES, RANDOM_BYTES
from lanekeeper.wire.limits import MAX_FRAME, MAX_ID, MAX_TOPICS, SEND_HIGH_WATER
from lanekeeper.wire.messages.lane import Endpoints
from lanekeeper.wire.output import Kind, OutputMessage, encode_output
from lanekeeper.workers.listeners import Listeners

READ: Final = int(zmq.POLLIN)
WRITE: Final = int(zmq.POLLOUT)
FAILED: Final = int(zmq.POLLERR)
"""Poll events as plain numbers: the poller is asked thousands of times a second."""
REPLY_HIGH_WATER = 1000
BROKER_HIGH_WATER = 100_000
CLOSE_MS = 1000
BACKLOG: Final = 1024
"""Clients that wait to be accepted: all of a plane's come back at once."""
SUBSCRIPTION_BYTES: Final = 1024
"""The longest subscription: every byte of a topic costs ZeroMQ a node of a tree."""
FRAMES_PER_TURN: Final = 100
SUBSCRIPTIONS_PER_TURN: Final = 256
_CHANGES: Final = frozenset({b"\x00", b"\x01"})
"""What begins an unsubscription and a subscription."""
TERMINAL_TOPIC: Final = len(PREFIXES["terminal"]) + 1 + RANDOM_BYTES * 8 // 5
"""Characters of a terminal id; a shorter topic is a prefix of several."""


class Sockets:
    """The sockets of one worker. They are made early, while the worker is warm, and bound late."""

    def __init__(self, directory: str) -> None:
        """Make the sockets of a worker; broker and collector of the directory are on their way."""
        self._plane = PlaneEndpoints(directory)
        self._context = zmq.Context(io_threads=1)
        self.output = self._socket(zmq.XPUB, SEND_HIGH_WATER)
        self.output.setsockopt(zmq.MAXMSGSIZE, SUBSCRIPTION_BYTES)
        self.control = self._socket(zmq.ROUTER, REPLY_HIGH_WATER)
        self.control.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.broker = self._socket(zmq.DEALER, BROKER_HIGH_WATER)
        self.metrics = self._socket(zmq.PUSH, 16)
        self.broker.connect(self._plane.workers)
        self.metrics.connect(self._plane.collector)
        self._topics: set[bytes] = set()
        self._prefixes: set[bytes] = set()
        self._speech = False
        self.vanished = 0
        self.dropped_samples = 0
        self.dropped_reports = 0

    def open(self, lane_id: str, listeners: Listeners) -> Endpoints:
        """Serve the lane's own sockets; those who have connected already are in line.

        Raises:
            OSError: descriptors ran out.
            zmq.ZMQError: ZeroMQ refuses a listener.
        """
        endpoints = Endpoints(
            output=self._plane.output(lane_id), control=self._plane.control(lane_id)
        )
        bound = (
            ("output", self.output, endpoints.output),
            ("control", self.control, endpoints.control),
        )
        for kind, socket, endpoint in bound:
            socket.setsockopt(zmq.USE_FD, os.dup(listeners.fds[kind]))
            socket.bind(endpoint)
        return endpoints

    def wanted(self, topic: bytes) -> bool:
        """Whether anybody subscribes to this terminal."""
        return topic in self._topics or any(topic.startswith(p) for p in self._prefixes)

    def publish(self, message: OutputMessage) -> None:
        """Publish one output message; ZeroMQ drops it for subscribers that are too slow."""
        self.output.send_multipart(encode_output(message), zmq.NOBLOCK, copy=True)

    def subscriptions(self) -> list[str]:
        """Take in subscription changes and return the new tokens and terminals among them.

        A turn takes a bounded number; a topic that nothing can have is no token and no terminal.
        An XSUB may say anything beside: another first byte, or a message of several parts.
        """
        fresh: list[str] = []
        for _ in range(SUBSCRIPTIONS_PER_TURN):
            try:
                data = self.output.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
            spoken, self._speech = self._speech, bool(self.output.getsockopt(zmq.RCVMORE))
            if spoken or self._speech or data[:1] not in _CHANGES:
                continue
            topic = data[1:]
            if len(topic) > MAX_ID or not topic.isascii():
                continue
            if data[:1] == b"\x01" and topic.startswith(b"tok_"):
                fresh.append(topic.decode("ascii"))
            elif not topic.startswith(b"tok_"):
                wanted = data[:1] == b"\x01"
                self._follow(topic, wanted=wanted)
                fresh += [topic.decode("ascii")] if wanted else []
        return fresh

    @staticmethod
    def arrived(socket: "zmq.Socket[bytes]") -> Iterator[list[bytes]]:
        """Yield the messages that wait in a socket, a turn's worth at most."""
        for _ in range(FRAMES_PER_TURN):
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            yield frames
            # Asking costs half of an exception, and there is mostly one message.
            if not int(socket.getsockopt(zmq.EVENTS)) & READ:
                return

    def _follow(self, topic: bytes, *, wanted: bool) -> None:
        whole = len(topic) == TERMINAL_TOPIC and topic.startswith(b"term_")
        group = self._topics if whole else self._prefixes
        if wanted and len(group) < MAX_TOPICS:
            group.add(topic)
        elif wanted:
            # Beyond the bound everything counts as wanted: it costs work, never output.
            self._prefixes.add(b"")
        elif not wanted:
            group.discard(topic)

    def joined(self, token: str, epoch: int, time_ns: int) -> None:
        """Send a subscriber its own token back."""
        self.publish(OutputMessage(token, Kind.JOINED, epoch, 0, time_ns, b""))

    def reply(self, route: bytes, data: bytes) -> None:
        """Answer a client on the hot path; one that has gone is counted."""
        try:
            self.control.send_multipart((route, data), zmq.NOBLOCK)
        except (zmq.Again, zmq.ZMQError):
            self.vanished += 1

    def to_broker(self, data: bytes) -> None:
        """Send a response or an event to the broker; it waits in order while there is none.

        Beyond the high-water mark it is dropped and counted.
        """
        try:
            self.broker.send(data, zmq.NOBLOCK)
        except zmq.Again:  # the registration after the broker's return tells the truth again
            self.dropped_reports += 1

    def sample(self, data: bytes) -> bool:
        """Push a sample and return whether it is on its way; never waits."""
        try:
            self.metrics.send(data, zmq.NOBLOCK)
        except zmq.Again:
            self.dropped_samples += 1
            return False
        return True

    def close(self) -> None:
        """Close everything; replies and events on their way get a second to leave."""
        self.control.close(CLOSE_MS)
        self.broker.close(CLOSE_MS)
        self.output.close(CLOSE_MS)
        self.metrics.close(CLOSE_MS)
        self._context.term()

    def _socket(self, kind: int, high_water: int) -> "zmq.Socket[bytes]":
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, CLOSE_MS)
        socket.setsockopt(zmq.SNDHWM, high_water)
        socket.setsockopt(zmq.RCVHWM, REPLY_HIGH_WATER)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME)
        socket.setsockopt(zmq.BACKLOG, BACKLOG)
        return socket
