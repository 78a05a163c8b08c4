"""The interop witness: a client in nothing but pyzmq and msgpack.

Owns the smallest client that the protocol's pages allow, written from them alone. Refuses to import
anything of the product: what it can do, a program in any language can do. Called by tests of the
bus and of bad input.
"""

import datetime as dt
import math
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgpack
import zmq

ANSWER_S: Final = 10.0


class RefusedError(Exception):
    """A command was answered with an error; `error` is its map: code, message, retryable..."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        """Keep the error's map."""
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.error = error
        self.code = str(error.get("code"))


class NoAnswerError(Exception):
    """Nothing came within the deadline."""


@dataclass(frozen=True, slots=True)
class Output:
    """One message of a lane's output."""

    terminal_id: str
    kind: str
    epoch: int
    offset: int
    data: bytes


def timestamp() -> str:
    """Return now as RFC 3339 in UTC."""
    return dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")


def command(method: str, payload: object = None, **ids: object) -> dict[str, Any]:
    """Return the map of one command; `ids` are envelope fields and may replace any of them."""
    fields: dict[str, Any] = {
        "v": 1,
        "type": "command",
        "id": f"cmd_{secrets.token_hex(8)}",
        "ts": timestamp(),
        "method": method,
        "payload": {} if payload is None else payload,
        "correlation_id": f"corr_{secrets.token_hex(8)}",
    }
    return fields | ids


class WireClient:
    """One DEALER to the broker of a runtime directory, and subscriptions; a context manager."""

    def __init__(self, runtime_dir: Path) -> None:
        """Connect; nothing is waited for."""
        self._dir = runtime_dir
        self._context = zmq.Context()
        self._dealers: dict[str, zmq.Socket[bytes]] = {}
        self._subscriptions: list[zmq.Socket[bytes]] = []

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all sockets."""
        self.close()

    def close(self) -> None:
        """Close all sockets and the context."""
        self._context.destroy(linger=0)

    def call(self, method: str, payload: object = None, **ids: object) -> dict[str, Any]:
        """Send a command to the broker and return the result in its answer.

        Raises:
            RefusedError: the answer is an error.
            NoAnswerError: there is none in time.
        """
        return self.result(command(method, payload, **ids))

    def call_lane(
        self, lane_id: str, method: str, payload: object = None, **ids: object
    ) -> dict[str, Any]:
        """Send a command straight to a lane's worker; otherwise as `call`."""
        message = command(method, payload, lane_id=lane_id, **ids)
        return self.result(message, f"lanes/{lane_id}.in")

    def result(self, message: Mapping[str, Any], to: str = "broker.sock") -> dict[str, Any]:
        """Send a whole command map and return the result; raises as `call` does."""
        answer = self.exchange(message, to)
        if answer["status"] != "ok":
            raise RefusedError(answer["error"])
        found: dict[str, Any] = answer["result"]
        return found

    def exchange(self, message: Mapping[str, Any], to: str = "broker.sock") -> dict[str, Any]:
        """Send a whole command map and return the whole answer with its id.

        Raises:
            NoAnswerError: there is none in time.
        """
        self.send(msgpack.packb(message), to=to)
        deadline = time.monotonic() + ANSWER_S
        while (left := deadline - time.monotonic()) > 0:
            answer = self.receive(left, to)
            if answer["id"] == message["id"]:
                return answer
        raise NoAnswerError(f"no answer to {message['method']} within {ANSWER_S:g} s")

    def send(self, *frames: bytes | str, to: str = "broker.sock") -> None:
        """Send raw frames: whatever a test wants the other side to survive."""
        parts = [frame.encode() if isinstance(frame, str) else frame for frame in frames]
        self._dealer(to).send_multipart(parts)

    def receive(self, timeout: float = ANSWER_S, to: str = "broker.sock") -> dict[str, Any]:
        """Return the next answer, whosever it is.

        Raises:
            NoAnswerError: none comes in time.
        """
        socket = self._dealer(to)
        if not socket.poll(math.ceil(timeout * 1000)):
            raise NoAnswerError(f"no answer from {to} within {timeout:g} s")
        (frame,) = socket.recv_multipart()
        answer: dict[str, Any] = msgpack.unpackb(frame)
        return answer

    def _dealer(self, path: str) -> zmq.Socket[bytes]:
        if path not in self._dealers:
            socket = self._context.socket(zmq.DEALER)
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(f"ipc://{self._dir / path}")
            self._dealers[path] = socket
        return self._dealers[path]

    def events(self, *topics: str) -> "Subscription":
        """Subscribe to lifecycle events (all without `topics`) and wait until it is in force."""
        return self._subscribe("events.sock", topics or ("",))

    def output(self, lane_id: str, terminal_id: str) -> "Subscription":
        """Subscribe to a terminal's output and wait until it is in force."""
        return self._subscribe(f"lanes/{lane_id}.out", (terminal_id,))

    def _subscribe(self, path: str, topics: Iterable[str]) -> "Subscription":
        socket = self._context.socket(zmq.SUB)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(f"ipc://{self._dir / path}")
        self._subscriptions.append(socket)
        return Subscription(socket, tuple(topics))


class Subscription:
    """One SUB socket that has joined: what is published from now on arrives.

    Attributes:
        joined: the array that came back under our own token.
    """

    def __init__(self, socket: zmq.Socket[bytes], topics: tuple[str, ...]) -> None:
        """Subscribe to the topics, then to a token, and wait for the token.

        Raises:
            NoAnswerError: it does not come back.
        """
        self._socket = socket
        self._early: list[list[bytes]] = []
        for topic in topics:
            socket.subscribe(topic)
        token = f"tok_{secrets.token_hex(8)}"
        socket.subscribe(token)
        while (frames := self._next(ANSWER_S))[0] != token.encode():
            self._early.append(frames)
        socket.unsubscribe(token)
        self.joined: list[Any] = msgpack.unpackb(frames[1])

    def event(self, timeout: float = ANSWER_S) -> dict[str, Any]:
        """Return the next event.

        Raises:
            NoAnswerError: none comes in time.
        """
        found: dict[str, Any] = msgpack.unpackb(self._frames(timeout)[1])
        return found

    def until(self, topic: str, timeout: float = ANSWER_S) -> list[dict[str, Any]]:
        """Return the events up to and with the first of `topic`.

        Raises:
            NoAnswerError: it does not come in time.
        """
        deadline = time.monotonic() + timeout
        seen = [self.event(deadline - time.monotonic())]
        while seen[-1]["topic"] != topic:
            seen.append(self.event(max(0.0, deadline - time.monotonic())))
        return seen

    def message(self, timeout: float = ANSWER_S) -> Output:
        """Return the next message of a lane's output.

        Raises:
            NoAnswerError: none comes in time.
        """
        topic, head, data = self._frames(timeout)
        _version, kind, epoch, offset, _length, _time = msgpack.unpackb(head)
        return Output(topic.decode("ascii"), kind, epoch, offset, data)

    def _frames(self, timeout: float) -> list[bytes]:
        return self._early.pop(0) if self._early else self._next(timeout)

    def _next(self, timeout: float) -> list[bytes]:
        if not self._socket.poll(math.ceil(timeout * 1000)):
            raise NoAnswerError(f"nothing was published within {timeout:g} s")
        return self._socket.recv_multipart()
