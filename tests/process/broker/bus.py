"""A plane's bus as a stranger speaks it: plain pyzmq and msgpack against a real broker process.

Starts the broker below a private runtime directory, and gives a client, a subscriber and a worker
that are made of sockets alone. Everything has a deadline.
"""

import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgpack
import zmq

from kit.waiting import wait_until

TS = "2026-01-01T00:00:00Z"
DEFAULT = "ws_aaaaaaaaaaaaaaaa"
PATIENCE_MS = 10_000


class Daemon:
    """A daemon of the plane as a process of its own, without a keeper."""

    def __init__(
        self, directory: Path, role: str, *, wait: bool = True, options: Sequence[str] = ()
    ) -> None:
        """Start it and wait until its socket is there; with `wait` false, do not."""
        self._sock = directory / f"{role}.sock"
        command = [sys.executable, "-m", f"lanekeeper.{role}", "--runtime-dir", str(directory)]
        self.process = subprocess.Popen([*command, *options], stdin=subprocess.DEVNULL)
        if wait:
            self.served()

    def served(self) -> None:
        """Wait until its socket is there."""
        sock = self._sock
        wait_until(lambda: sock.exists() and _listens(sock), 10.0, f"a daemon at {sock}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(10.0)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


class Bus:
    """A runtime directory and the sockets a test has opened on it."""

    def __init__(self, directory: Path) -> None:
        """Speak on the sockets in a directory."""
        self.directory = directory
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._numbers = itertools.count(1)
        self._sockets: list[zmq.Socket[bytes]] = []

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every socket."""
        for sock in self._sockets:
            sock.close()
        self.context.term()

    def open(self, kind: int, name: str) -> zmq.Socket[bytes]:
        """Return a socket connected to NAME.sock; what waits longer than the patience fails."""
        sock = self.context.socket(kind)
        self._sockets.append(sock)
        sock.set(zmq.RCVTIMEO, PATIENCE_MS)
        sock.set(zmq.LINGER, 0)
        sock.connect(f"ipc://{self.directory}/{name}.sock")
        return sock

    def command(self, method: str, payload: object = None, **fields: Any) -> dict[str, Any]:
        """Return a command with a new id and a correlation id."""
        return {
            "v": 1,
            "type": "command",
            "id": f"cmd-{next(self._numbers)}",
            "ts": TS,
            "method": method,
            "payload": payload or {},
            "correlation_id": "corr-test",
            **fields,
        }

    def client(self) -> "Client":
        """Return a new client."""
        return Client(self)


class Client:
    """A DEALER that sends one frame and receives one."""

    def __init__(self, bus: Bus) -> None:
        """Connect."""
        self.bus = bus
        self.sock = bus.open(zmq.DEALER, "broker")

    def send(self, method: str, payload: object = None, **fields: Any) -> str:
        """Send a command and return its id."""
        command = self.bus.command(method, payload, **fields)
        self.sock.send(msgpack.packb(command))
        command_id: str = command["id"]
        return command_id

    def receive(self) -> dict[str, Any]:
        """Return the next answer."""
        answer: dict[str, Any] = msgpack.unpackb(self.sock.recv())
        return answer

    def call(self, method: str, payload: object = None, **fields: Any) -> Any:
        """Return the result of a command that works."""
        command_id = self.send(method, payload, **fields)
        answer = self.receive()
        assert answer["id"] == command_id, answer
        assert answer["status"] == "ok", answer
        return answer["result"]


class Worker:
    """A DEALER that answers for a lane."""

    def __init__(self, bus: Bus, name: str, number: int = 1, workspace_id: str = DEFAULT) -> None:
        """Connect; `register` makes it known."""
        self.sock = bus.open(zmq.DEALER, "workers")
        self.lane_id = f"lane_{number:016}"
        self.assignment = {
            "lane_id": self.lane_id,
            "workspace_id": workspace_id,
            "workspace": "default",
            "name": name,
            "generation": 1,
            "created": TS,
        }

    def report(self, topic: str, payload: object, **fields: Any) -> None:
        """Send an event."""
        event = {
            "v": 1,
            "type": "event",
            "id": "evt-1",
            "ts": TS,
            "topic": topic,
            "payload": payload,
            "correlation_id": "corr-worker",
            **fields,
        }
        self.sock.send(msgpack.packb(event))

    def register(self) -> None:
        """Tell the broker which lane this is."""
        self.report(
            "worker.registered",
            {
                "assignment": self.assignment,
                "pid": os.getpid(),
                "start_time": 1,
                "endpoints": {"output": "ipc://out", "control": "ipc://in"},
            },
        )

    def receive(self) -> dict[str, Any]:
        """Return the next command."""
        command: dict[str, Any] = msgpack.unpackb(self.sock.recv())
        return command

    def answer(self, command: dict[str, Any], result: object) -> None:
        """Answer a command."""
        response = {
            "v": 1,
            "type": "response",
            "id": command["id"],
            "ts": TS,
            "status": "ok",
            "result": result,
        }
        self.sock.send(msgpack.packb(response))


class Subscriber:
    """A SUB that has joined: from here on it misses nothing."""

    def __init__(self, bus: Bus) -> None:
        """Subscribe to everything, then wait for the own token."""
        self.sock = bus.open(zmq.SUB, "events")
        self.sock.set(zmq.SUBSCRIBE, b"")
        self.sock.set(zmq.SUBSCRIBE, b"tok_mine")
        self.earlier: list[str] = []
        while True:
            topic, data = self.sock.recv_multipart()
            if topic == b"tok_mine":
                break
            self.earlier.append(topic.decode())
        version, kind, self.epoch, self.seq = msgpack.unpackb(data)
        assert (version, kind) == (1, "joined")

    def next(self) -> dict[str, Any]:
        """Return the next event."""
        topic, data = self.sock.recv_multipart()
        event: dict[str, Any] = msgpack.unpackb(data)
        assert event["topic"].encode() == topic
        return event

    def joined_again(self) -> tuple[str, int]:
        """Wait until the connection is back; return the epoch and the last event before it."""
        topic, data = self.sock.recv_multipart()
        assert topic == b"tok_mine"
        _, _, epoch, last = msgpack.unpackb(data)
        return epoch, last

    def until(self, topic: str) -> list[dict[str, Any]]:
        """Return the events up to one of that topic."""
        events = [self.next()]
        while events[-1]["topic"] != topic:
            events.append(self.next())
        return events


@contextmanager
def private_directory() -> Iterator[Path]:
    """Give a short private directory, as sockets need it."""
    with tempfile.TemporaryDirectory(prefix="lkb-", dir="/tmp") as name:
        yield Path(name)
