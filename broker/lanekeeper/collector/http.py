"""The pages over HTTP on loopback: one listener and a few connections, in the collector's one loop.

Owns the sockets and their bounds: connections, bytes of a request's head, seconds for a request and
for its answer. h11 does the protocol. Refuses to wait for anybody: nothing blocks, and a newcomer
takes the place of whoever has been silent longest. Called by `server`.
"""

import logging
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import h11
import zmq

from lanekeeper.collector.pages import Asked, Page

LOOPBACK: Final = "127.0.0.1"
CONNECTIONS_MOST: Final = 32
ACCEPTED_PER_TURN: Final = 16
HEAD_BYTES: Final = 8 * 1024
REQUESTS_MOST: Final = 1_000
"""Requests of one connection before it has to come again."""
REQUEST_SECONDS: Final = 5.0
"""From the first byte of a request to its last, and from then to the end of its answer."""
IDLE_SECONDS: Final = 90.0
"""How long a connection may rest between two requests: longer than any usual scrape interval."""
_READ: Final = 16 * 1024

LOG: Final = logging.getLogger(__name__)

Serve = Callable[[Asked], Page]

_NO_BODY: Final = Page(413, b"a request here has no body\n")


class _Connection:
    """One client."""

    def __init__(self, sock: socket.socket, now: float) -> None:
        self.sock = sock
        self.deadline = now + REQUEST_SECONDS
        self.used = now
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self._out = b""
        self._served = 0
        self._begun = True

    @property
    def events(self) -> int:
        """What to poll for; one with an answer to take is not read from."""
        return zmq.POLLOUT if self._out else zmq.POLLIN

    def turn(self, serve: Serve, now: float) -> bool:
        """Read, answer and write what can be; return whether the connection goes on."""
        try:
            if not self._out and not self._read(serve, now):
                return bool(self._out) and self._write(now)
            return self._write(now)
        except OSError:
            return False

    def _read(self, serve: Serve, now: float) -> bool:
        try:
            data = self.sock.recv(_READ)
        except BlockingIOError:
            return True
        self.used = now
        if not self._begun:
            self._begun = True
            self.deadline = now + REQUEST_SECONDS
        try:
            self._http.receive_data(data)
            return self._advance(serve, now)
        except h11.RemoteProtocolError as error:
            self._refuse(error)
            return False

    def _advance(self, serve: Serve, now: float) -> bool:
        """Answer the request that is complete, if one is."""
        while not self._out:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                return True
            if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return False
            if isinstance(event, h11.Request):
                page = serve(_asked(event))
                last = _has_body(event)
                if last and page.status == HTTPStatus.OK:
                    page = _NO_BODY
                self._answer(page, head=event.method == b"HEAD", last=last)
                self.deadline = now + REQUEST_SECONDS
        return True

    def _answer(self, page: Page, *, head: bool, last: bool) -> None:
        self._served += 1
        headers = [
            ("Content-Type", page.content_type),
            ("Content-Length", str(len(page.body))),
            ("X-Content-Type-Options", "nosniff"),
            *page.headers,
        ]
        if last or self._served >= REQUESTS_MOST:
            headers.append(("Connection", "close"))
        reason = HTTPStatus(page.status).phrase
        parts = [
            self._http.send(
                h11.Response(status_code=page.status, headers=headers, reason=reason.encode())
            ),
            b"" if head else self._http.send(h11.Data(data=page.body)),
            self._http.send(h11.EndOfMessage()),
        ]
        self._out = b"".join(part for part in parts if part)

    def _refuse(self, error: h11.RemoteProtocolError) -> None:
        if self._http.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        page = Page(error.error_status_hint, f"{error}\n".encode("ascii", "replace"))
        self._answer(page, head=False, last=True)

    def _write(self, now: float) -> bool:
        while self._out:
            try:
                sent = self.sock.send(self._out)
            except BlockingIOError:
                return True
            self._out = self._out[sent:]
            self.used = now
        if self._http.our_state is h11.DONE:
            self._http.next_event()  # the end of a request without a body
            self._http.start_next_cycle()
            self._begun = False
            self.deadline = now + IDLE_SECONDS
        return self._http.our_state not in {h11.MUST_CLOSE, h11.CLOSED, h11.ERROR}

    def pending(self, serve: Serve, now: float) -> bool:
        """Answer a request that came together with the one before; return whether to go on."""
        if self._out or self._http.our_state is not h11.IDLE:
            return True
        try:
            return self._advance(serve, now)
        except h11.RemoteProtocolError as error:
            self._refuse(error)
            return bool(self._out)


class Http:
    """The listener and its connections, registered with the loop's poller."""

    def __init__(self, poller: zmq.Poller, serve: Serve) -> None:
        """Serve nobody before `listen`."""
        self._poller = poller
        self._serve = serve
        self._listener: socket.socket | None = None
        self._connections: dict[int, _Connection] = {}
        self.port = 0

    def listen(self, port: int) -> None:
        """Listen on loopback; 0 takes any port.

        Raises:
            OSError: the port is taken, or there is no loopback.
        """
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LOOPBACK, port))
            listener.listen(CONNECTIONS_MOST)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        self.port = listener.getsockname()[1]
        self._poller.register(listener, zmq.POLLIN)

    def turn(self, ready: dict[object, int], now: float) -> None:
        """Do what can be done at once for those who are `ready`, and end who is late."""
        for fd in [fd for fd in self._connections if fd in ready]:
            self._go_on(fd, now)
        if self._listener is not None and self._listener.fileno() in ready:
            self._accept(now)
        for fd in [fd for fd, one in self._connections.items() if one.deadline <= now]:
            self._drop(fd)

    def deadline(self) -> float | None:
        """Return when somebody will be late."""
        return min((one.deadline for one in self._connections.values()), default=None)

    def close(self) -> None:
        """End all of them."""
        for fd in list(self._connections):
            self._drop(fd)
        if self._listener is not None:
            self._poller.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, now: float) -> None:
        if self._listener is None:
            return
        for _ in range(ACCEPTED_PER_TURN):
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                LOG.warning("could not accept a connection: %s", error)
                return
            sock.settimeout(0)
            if len(self._connections) >= CONNECTIONS_MOST:
                self._drop(min(self._connections, key=lambda fd: self._connections[fd].used))
            self._connections[sock.fileno()] = _Connection(sock, now)
            self._poller.register(sock.fileno(), zmq.POLLIN)

    def _go_on(self, fd: int, now: float) -> None:
        connection = self._connections[fd]
        before = connection.events
        try:
            going = connection.turn(self._serve, now)
            if going and connection.events == zmq.POLLIN:
                going = connection.pending(self._serve, now)
        except Exception:
            LOG.exception("failed at a request")
            going = False
        if not going:
            self._drop(fd)
        elif connection.events != before:
            self._poller.modify(fd, connection.events)

    def _drop(self, fd: int) -> None:
        connection = self._connections.pop(fd)
        self._poller.unregister(fd)
        connection.sock.close()


def _has_body(request: h11.Request) -> bool:
    """Return whether a request says that it has a body; what follows it is then not read."""
    named = dict(request.headers)
    return b"transfer-encoding" in named or named.get(b"content-length", b"0") != b"0"


def _asked(request: h11.Request) -> Asked:
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        headers.setdefault(name.decode("ascii"), []).append(value.decode("latin-1"))
    method = request.method.decode("ascii")
    return Asked(method, request.target.decode("latin-1"), headers)
