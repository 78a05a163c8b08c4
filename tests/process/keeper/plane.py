"""A keeper with a real nursery and small daemons on a temporary directory, for process tests."""

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from kit.waiting import wait_until
from lanekeeper.keeper import identity
from lanekeeper.keeper.channel import Channel, Received, connect
from lanekeeper.keeper.launch import DEFAULT_WARM
from lanekeeper.keeper.rundir import Rundir
from process.keeper.stub_daemon import hello

Value = TypeVar("Value")

TIMEOUT: Final = 15.0
TESTS: Final = Path(__file__).parents[2]
RUN: Final = """
import json, sys
from pathlib import Path
from lanekeeper.keeper import entry, launch, rundir
options = json.loads(sys.argv[2])
sys.exit(entry.main(rundir.Rundir(Path(sys.argv[1])), launch.Options(**options)))
"""


def until(condition: Callable[[], Value], what: str, timeout: float = TIMEOUT) -> Value:
    """Wait until the condition holds and return its value."""
    return wait_until(condition, timeout, what)


class Peer:
    """A blocking end of a channel, with what it has received so far."""

    def __init__(self, path: Path) -> None:
        """Connect to a listener."""
        self.channel: Channel = connect(path)
        self.held: list[Received] = []

    def close(self) -> None:
        """Close what this end holds."""
        self.channel.close()

    def ask(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send one message."""
        self.channel.send(message, fds)

    def expect(self, op: str, timeout: float = TIMEOUT, **fields: object) -> Received:
        """Return the first message of this kind, and keep the others."""
        deadline = time.monotonic() + timeout
        while True:
            for received in self.held:
                message = received.message
                if message["op"] == op and all(message.get(k) == v for k, v in fields.items()):
                    self.held.remove(received)
                    return received
            left = deadline - time.monotonic()
            assert left > 0, f"no {op} {fields} among {[one.message for one in self.held]}"
            assert not self.channel.closed, f"the channel closed before {op} {fields}"
            select.select([self.channel], [], [], left)
            self.held += self.channel.receive()

    def eof(self, timeout: float = TIMEOUT) -> None:
        """Wait until the other end has closed."""
        deadline = time.monotonic() + timeout
        while not self.channel.closed:
            left = deadline - time.monotonic()
            assert left > 0, "the channel stays open"
            select.select([self.channel], [], [], left)
            self.held += self.channel.receive()


@dataclass
class Plane:
    """A running plane; `stop` ends it however it is."""

    rundir: Rundir
    process: subprocess.Popen[bytes]
    ready: int
    closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def announced(self, timeout: float = TIMEOUT) -> str:
        """Return the line on the ready descriptor."""
        readable, _, _ = select.select([self.ready], [], [], timeout)
        assert readable, "the keeper announces nothing"
        return os.read(self.ready, 4096).decode().strip()

    def client(self, role: str = "client") -> Peer:
        """Join the keeper as a client."""
        peer = Peer(self.rundir.keeper_sock)
        self.closing.callback(peer.close)
        peer.ask(hello(role))
        peer.expect("welcome")
        return peer

    def broker(self) -> Peer:
        """Speak to the keeper through the stub broker."""
        path = self.rundir.path / "relay.sock"
        until(path.exists, "the broker's relay")
        peer = Peer(path)
        self.closing.callback(peer.close)
        return peer

    def nursery(self) -> Peer:
        """Join the nursery, as a worker does."""
        peer = Peer(self.rundir.nursery_sock)
        self.closing.callback(peer.close)
        return peer

    def status(self) -> dict[str, Any]:
        """Return the first page of the status."""
        peer = self.client()
        peer.ask({"op": "status", "id": 1})
        message = peer.expect("status").message
        peer.close()
        return dict(message)

    def pids(self, role: str) -> list[int]:
        """Return the pids of a role."""
        return [one["pid"] for one in self.status()["processes"] if one["role"] == role]

    def warm(self, count: int = DEFAULT_WARM) -> list[int]:
        """Wait for warm workers and return their pids."""

        def ready() -> list[int]:
            found = self.status()["processes"]
            pids = [one["pid"] for one in found if one["state"] == "warm"]
            return pids if len(pids) >= count else []

        return until(ready, f"{count} warm workers")

    def stop(self) -> None:
        """End the plane by SIGTERM, or what is left of it by SIGKILL."""
        self.closing.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(TIMEOUT)
        for process in (
            *identity.descendants(self.process.pid),
            *(process for _, process in identity.plane_processes(self.rundir)),
            *identity.plane_children(self.rundir),
        ):
            process.signal(signal.SIGKILL)
        self.process.wait(TIMEOUT)
        if self.process.stderr is not None:
            self.process.stderr.close()
        os.close(self.ready)
        for path in (self.rundir.path / "relay.sock", *self.rundir.sockets()):
            path.unlink(missing_ok=True)


def start(directory: Path, **options: object) -> Plane:
    """Start a keeper; its daemons are the stubs unless `commands` says otherwise."""
    stub = str(Path(__file__).with_name("stub_daemon.py"))
    reader, writer = os.pipe()
    given: dict[str, Any] = {
        "ready_fd": writer,
        "entry": "process.keeper.stub_worker:main",
        "commands": {
            role: [sys.executable, stub, role, str(directory)] for role in ("broker", "collector")
        },
        **options,
    }
    path = os.pathsep.join((str(TESTS), os.environ.get("PYTHONPATH", ""))).rstrip(os.pathsep)
    environ = {
        **os.environ,
        "PYTHONPATH": path,
        identity.PLANE_MARKER: str(directory),
        identity.ROLE_MARKER: "keeper",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(directory), json.dumps(given)],
        env=environ,
        pass_fds=(writer,),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    return Plane(Rundir(directory), process, reader)


@dataclass
class Terminal:
    """A child that a test spawns through the nursery, as a worker would."""

    master: int
    slave: int
    gate: int
    errors: int

    def open_gate(self) -> None:
        """Let the child go on to its program; one that failed before has shut its end."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.gate, b"g")
        os.close(self.gate)
        self.gate = -1

    def shut_gate(self) -> None:
        """End the gate without opening it."""
        os.close(self.gate)
        self.gate = -1

    def error(self) -> dict[str, Any] | None:
        """Wait for the end of the error pipe; return what it held."""
        readable, _, _ = select.select([self.errors], [], [], TIMEOUT)
        assert readable, "the error pipe stays open"
        data = os.read(self.errors, 4096)
        return dict(json.loads(data)) if data else None

    def close(self) -> None:
        """Close what this end holds."""
        for fd in (self.master, self.slave, self.gate, self.errors):
            if fd >= 0:
                os.close(fd)


@contextlib.contextmanager
def terminal(nursery: Peer, argv: list[str], **spec: object) -> Iterator[Terminal]:
    """Ask the nursery for a child on a new PTY; its gate is shut."""
    given = {"argv": argv, "cwd": "/", "env": {"PATH": "/usr/bin:/bin"}, **spec}
    master, slave = pty.openpty()
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    memfd = os.memfd_create("spec")
    os.write(memfd, json.dumps(given).encode())
    gate, gate_end = os.pipe()
    errors, errors_end = os.pipe()
    request = {"op": "spawn", "id": "s", "stdin": "tty", "lane": "lane_test"}
    nursery.ask(request, [memfd, slave, gate, errors_end])
    for fd in (memfd, gate, errors_end):
        os.close(fd)
    child = Terminal(master, slave, gate_end, errors)
    try:
        yield child
    finally:
        child.close()


def read_until(fd: int, what: bytes) -> bytes:
    """Read a terminal until it has said something."""
    data = b""
    while what not in data:
        readable, _, _ = select.select([fd], [], [], TIMEOUT)
        assert readable, f"only {data!r} came"
        data += os.read(fd, 4096)
    return data
