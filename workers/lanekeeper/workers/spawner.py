"""Starts programs through the nursery and hears of their ends.

The worker opens the PTY and the pipes; the nursery, which has no threads and no ZeroMQ, forks. The
child waits at a gate until its pid is in the journal. A pipe that closes on exec says whether the
program runs: its end means yes, an error in it means no.
"""

import contextlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lanekeeper.keeper import cgroups, scopes
from lanekeeper.keeper.channel import Channel, ChannelError, Received, connect
from lanekeeper.keeper.identity import LANE_MARKER
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.messages.terminal import ExitStatus, Spawn, TerminalInfo, Text
from lanekeeper.workers.actions import (
    End,
    Executed,
    Exited,
    Forked,
    SpawnRefused,
    Stimulus,
    Ungated,
)
from lanekeeper.workers.life import UNKNOWN
from lanekeeper.workers.pty import Pty
from lanekeeper.workers.sweep import Origin

_LOG: Final = logging.getLogger(__name__)
_PLANE_NAMES: Final = ("LANEKEEPER_PLANE", "LANEKEEPER_ROLE")
GATE: Final = "gate"
"""The stage at which a child says that its gate was closed and not opened."""
_NO_NURSERY: Final = (
    "no nursery answers, so no program can be started; try again in a second, "
    "and see lane status if it goes on"
)


@dataclass(slots=True)
class Child:
    """One program, from the request on. Descriptors are -1 once they are closed."""

    terminal_id: str
    pty: Pty
    gate: int
    errors: int
    stdin: int
    pid: int = 0
    start_time: int = 0
    pidfd: int = -1
    exited: bool = False


class Spawner:
    """The worker's side of the nursery."""

    def __init__(self, rundir: Rundir) -> None:
        """Prepare; the connection is made with the first program."""
        self._rundir = rundir
        self._group = cgroups.plane(str(rundir.path), os.environ)
        self._requests: dict[int, Child] = {}
        self._children: dict[str, Child] = {}
        self._next = 0
        self.channel: Channel | None = None

    def start(self, info: TerminalInfo, spec: Spawn) -> Child:
        """Ask for a child.

        Raises:
            OSError: descriptors or PTYs ran out, or no nursery answers; nothing is left open then.
            ChannelError: the nursery does not read.
        """
        channel = self._connected()
        with contextlib.ExitStack() as undo, contextlib.ExitStack() as ours:
            pty = Pty.open(info.cols, info.rows, raw_output=spec.output == "raw")
            undo.callback(pty.close)
            gate_read, gate = _pipe(undo)
            errors, errors_write = _pipe(undo)
            stdin_read, stdin = _pipe(undo) if spec.stdin == "pipe" else (-1, -1)
            description = self._describe(info, spec)
            ours.callback(os.close, description)
            fds = [description, pty.slave, gate_read, errors_write]
            fds += [stdin_read] if stdin_read >= 0 else []
            self._next += 1
            channel.send({"op": "spawn", "id": self._next, "stdin": spec.stdin}, fds)
            undo.pop_all()
            for fd in (gate_read, errors_write, stdin_read):
                if fd >= 0:
                    os.close(fd)
        child = Child(info.id, pty, gate, errors, stdin)
        for fd in (errors, stdin):
            if fd >= 0:
                os.set_blocking(fd, False)
        pty.close_slave()
        self._requests[self._next] = child
        self._children[info.id] = child
        return child

    def inherit(self, child: Child) -> None:
        """Take over the program of a dead worker; the nursery is asked to tell us of its end."""
        self._children[child.terminal_id] = child
        with contextlib.suppress(OSError):  # without a nursery its pidfd is watched
            self._claim(child)

    def pidfd(self, terminal_id: str) -> int:
        """Return the pidfd of a terminal's program, -1 when there is none."""
        child = self._children.get(terminal_id)
        return -1 if child is None else child.pidfd

    def shut_gate(self, terminal_id: str) -> None:
        """Let a child that waits at its gate go home."""
        child = self._children.get(terminal_id)
        if child is not None:
            _close(child, "gate")

    def open_gate(self, terminal_id: str) -> None:
        """Let the child run its program, unless it is known already that it never will."""
        child = self._children.get(terminal_id)
        if child is None or child.gate < 0:
            return
        with contextlib.suppress(BrokenPipeError):  # it was killed at the gate; its exit follows
            os.write(child.gate, b"\n")
        _close(child, "gate")

    def reap(self, terminal_id: str) -> None:
        """Tell the nursery that the exit status is safe."""
        child = self._children.pop(terminal_id, None)
        if child is None:
            return
        if child.exited:
            self._send_reap(child.pid)
        for name in ("gate", "errors", "pidfd"):
            _close(child, name)

    def watched(self) -> dict[int, Child]:
        """The descriptors to poll for reading: error pipes, and pidfds while no nursery answers."""
        fds = {c.errors: c for c in self._children.values() if c.gate < 0 <= c.errors}
        if self.channel is None:
            fds |= {c.pidfd: c for c in self._children.values() if c.pidfd >= 0}
        return fds

    def ready(self, fd: int, child: Child) -> list[Stimulus]:
        """Say what a readable descriptor of `watched` means."""
        if fd == child.errors:
            return [self._executed(child)]
        # The nursery is gone and with it who could have told; the status is not known here.
        return [*self._finish_start(child), Exited(child.terminal_id, UNKNOWN)]

    def receive(self) -> list[Stimulus]:
        """Read what the nursery says; its death refuses what was being started."""
        if self.channel is None:
            return []
        stimuli: list[Stimulus] = []
        try:
            for received in self.channel.receive():
                stimuli += self._message(received)
        except ChannelError:
            _LOG.exception("nursery broke the channel's rules")
            self.channel.closed = True
        if self.channel.closed:
            self.channel.close()
            self.channel = None
            _LOG.warning("nursery gone")
            stimuli += [self._refuse(child, _NO_NURSERY) for child in self._requests.values()]
            self._requests.clear()
        return stimuli

    def origin(self, lane_id: str, ending: End) -> Origin:
        """Return how to tell what the terminals of an ending have started."""
        directory = str(self._rundir.path)
        around = () if self._group is None else (self._group / lane_id,)
        if ending.marker[0] == LANE_MARKER:
            return Origin(ending.marker, (scopes.lane(directory, lane_id),), around)
        brands = (scopes.terminal(directory, lane_id, each) for each in ending.terminal_ids)
        groups = (one / each for one in around for each in ending.terminal_ids)
        return Origin(ending.marker, tuple(brands), tuple(groups))

    def forget(self, lane_id: str, terminal_id: str) -> None:
        """Remove the cgroup of a terminal that is forgotten, if nothing is in it."""
        if self._group is not None:
            cgroups.remove(self._group / lane_id / terminal_id)

    def close(self) -> None:
        """Close every descriptor; children at their gate exit without running."""
        for child in self._children.values():
            for name in ("gate", "errors", "pidfd"):
                _close(child, name)
        if self.channel is not None:
            self.channel.close()

    def _claim(self, child: Child) -> None:
        self._next += 1
        whom = {"pid": child.pid, "start_time": child.start_time}
        self._connected().send({"op": "claim", "id": self._next, **whom})

    def _connected(self) -> Channel:
        if self.channel is None or self.channel.closed:
            try:
                self.channel = connect(self._rundir.nursery_sock)
            except OSError as error:
                self.channel = None
                raise OSError(error.errno, _NO_NURSERY) from error
        return self.channel

    def _message(self, received: Received) -> list[Stimulus]:
        message = received.message
        match message["op"]:
            case "spawned":
                child = self._requests.pop(message["id"])
                child.pid, child.start_time = message["pid"], message["start_time"]
                child.pidfd = received.fds[0]
                return [Forked(child.terminal_id, child.pid, child.start_time)]
            case "failed":
                child = self._requests.pop(message["id"])
                return [self._refuse(child, f"the child could not be forked: {message['message']}")]
            case "exited":
                return self._exited(message)
        received.close()
        _LOG.warning("nursery said something unknown: %s", message["op"])
        return []

    def _exited(self, message: dict[str, Any]) -> list[Stimulus]:
        child = next((c for c in self._children.values() if c.pid == message["pid"]), None)
        if child is None:  # it was refused, and forgotten before it ended
            self._send_reap(message["pid"])
            return []
        child.exited = True
        status = _status(message)
        finished = self._finish_start(child)
        if any(isinstance(s, SpawnRefused) for s in finished):
            return finished
        return [*finished, Exited(child.terminal_id, status)]

    def _send_reap(self, pid: int) -> None:
        if self.channel is not None:
            self.channel.send({"op": "reap", "pid": pid})

    def _finish_start(self, child: Child) -> list[Stimulus]:
        """The child is dead: what its error pipe says is complete, and comes before the exit."""
        if child.errors < 0:
            return []
        at_the_gate = child.gate >= 0
        said = self._executed(child)
        if at_the_gate and isinstance(said, Executed):
            said = self._refuse(child, "the child was killed before it ran its program")
        return [said]

    def _executed(self, child: Child) -> Executed | Ungated | SpawnRefused:
        try:
            data = os.read(child.errors, 4096)
        except BlockingIOError:
            data = b""
        _close(child, "errors")
        if not data:
            return Executed(child.terminal_id)
        stage, reason = _reason(data)
        if stage == GATE:
            return Ungated(child.terminal_id)
        return self._refuse(child, reason)

    def _refuse(self, child: Child, reason: str) -> SpawnRefused:
        for name in ("gate", "errors"):
            _close(child, name)
        return SpawnRefused(child.terminal_id, reason)

    def _make_group(self, info: TerminalInfo) -> Path | None:
        if self._group is None:
            return None
        return cgroups.make(self._group, str(self._rundir.path), info.lane_id, info.id)

    def _describe(self, info: TerminalInfo, spec: Spawn) -> int:
        """Return a memfd with what the child is to run: larger than one message could be."""
        env = {k: os.fsdecode(v) for k, v in spec.env.items() if k not in _PLANE_NAMES}
        env.setdefault("TERM", "xterm-256color")
        env["LANEKEEPER_DIR"] = str(self._rundir.path)
        env["LANEKEEPER_LANE"] = info.lane_id
        env["LANEKEEPER_SESSION"] = info.session_id
        env["LANEKEEPER_TERMINAL"] = info.id
        cgroup = self._make_group(info)
        document = {
            "argv": [os.fsdecode(word) for word in spec.argv],
            "cwd": _directory(spec.cwd, env),
            "env": env,
            "umask": spec.umask,
            "limits": spec.limits,
            "cgroup": None if cgroup is None else str(cgroup),
            "brand": scopes.terminal(str(self._rundir.path), info.lane_id, info.id).value,
        }
        fd = os.memfd_create("lanekeeper-spawn", os.MFD_CLOEXEC)
        os.write(fd, json.dumps(document).encode("ascii"))
        os.lseek(fd, 0, os.SEEK_SET)
        return fd


def _directory(cwd: Text | None, env: dict[str, str]) -> str:
    return os.fsdecode(cwd) if cwd is not None else env.get("HOME", "/")


def _status(message: dict[str, Any]) -> ExitStatus:
    if message.get("signal") is not None:
        return ExitStatus(kind="signaled", signal=message["signal"], core=bool(message.get("core")))
    if message.get("code") is not None:
        return ExitStatus(kind="exited", code=message["code"])
    return UNKNOWN


def _reason(data: bytes) -> tuple[str, str]:
    """Return the stage at which a child failed, and why in words."""
    try:
        said = json.loads(data)
        stage = str(said["stage"])
        return stage, f"{stage}: {said['strerror']} (errno {said['errno']})"
    except (ValueError, KeyError, TypeError):
        return "", "the child failed before it ran its program"


def _pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    read, write = os.pipe2(os.O_CLOEXEC)
    undo.callback(os.close, read)
    undo.callback(os.close, write)
    return read, write


def _close(child: Child, name: str) -> None:
    fd: int = getattr(child, name)
    if fd >= 0:
        os.close(fd)
        setattr(child, name, -1)
