"""One question after the other: the leanest way to a broker, for a program that asks and ends.

Owns one DEALER. Retries and deadlines are those of `session`, which it shares with the full client;
what waits, streams or holds a lease is not here. Called by verbs of the command line whose start
must be quick.
"""

import os
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

import zmq
from msgspec import Struct

from lanekeeper.client.errors import error_for, from_wire
from lanekeeper.client.links import RECONNECT_MOST_MS, RECONNECT_MS
from lanekeeper.client.session import Observer, Request, Requests
from lanekeeper.wire.codec import decode_body
from lanekeeper.wire.endpoints import PlaneEndpoints
from lanekeeper.wire.envelope import EMPTY_MAP, Command, raw
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.ids import RANDOM_BYTES, make_id
from lanekeeper.wire.version import VERSION

T = TypeVar("T", bound=Struct)


class Asker:
    """A context manager around one connection to the broker of a runtime directory."""

    def __init__(self, directory: str, timeout: float, observer: Observer | None = None) -> None:
        """Connect; nothing is sent yet. `timeout` is in seconds and holds for each question."""
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.set(zmq.RECONNECT_IVL, RECONNECT_MS)
        self._socket.set(zmq.RECONNECT_IVL_MAX, RECONNECT_MOST_MS)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._socket.connect(PlaneEndpoints(directory).commands)
        self._timeout = timeout
        self._requests = Requests()
        self._requests.observer = observer

    def ask(
        self,
        method: str,
        result: type[T],
        payload: Struct | None = None,
        *,
        workspace_id: str | None = None,
    ) -> T:
        """Return the answer of a method that changes nothing.

        Raises:
            LaneError: what the broker refused, or TIMEOUT.
        """
        now = time.monotonic()
        command = Command(
            v=VERSION,
            id=make_id("command", os.urandom(RANDOM_BYTES)),
            ts=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            method=method,
            payload=EMPTY_MAP if payload is None else raw(payload),
            workspace_id=workspace_id,
            deadline_ms=int(self._timeout * 1000),
        )
        request = self._requests.submit(command, None, now + self._timeout, now)
        self._run(request)
        if request.response is None:
            raise request.error or error_for("INTERNAL", "a request ended without an answer")
        try:
            return decode_body(request.response.result, result, method)
        except WireError as error:
            raise from_wire(error) from None

    def __enter__(self) -> Self:
        """Use it in a `with`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(0)
        self._context.term()

    def _run(self, request: Request) -> None:
        while not request.done:
            now = time.monotonic()
            self._requests.expire(now)
            for transmission in self._requests.outgoing(now):
                self._socket.send(transmission.data)
            due = self._requests.next_deadline()
            wait = 0.0 if due is None else max(0.0, due - time.monotonic())
            ready = self._poll(int(wait * 1000) + 1)
            now = time.monotonic()
            if self._monitor in ready:
                self._monitor.recv_multipart()
                self._requests.lost(None, now)
            if self._socket in ready:
                self._requests.receive(self._socket.recv(), now)

    def _poll(self, milliseconds: int) -> set[object]:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        return {found for found, _ in poller.poll(milliseconds)}
