"""Starts programs through the nursery and hears of their ends.

The worker opens the PTY and the pipes; the nursery, which has no threads and no ZeroMQ, forks. The
child waits at a gate until its pid is in the journal. A pipe that closes on exec says whether the
program runs: its end means yes, an error in it means no.
"""

import contextlib
import json
import logging
import math
import os
import socket
from collections import Counter
from typing import Any, Final

from lanekeeper.keeper import hooks
from lanekeeper.keeper.channel import Channel, ChannelError, Received, connect
from lanekeeper.keeper.deposits import Deposits
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.messages.terminal import ExitStatus, Spawn, TerminalInfo, Text
from lanekeeper.workers.actions import Executed, Exited, Forked, SpawnRefused, Stimulus, Ungated
from lanekeeper.workers.children import GATE, Child, looked, reason, told, watched
from lanekeeper.workers.origins import Origins
from lanekeeper.workers.pty import Pty

_LOG: Final = logging.getLogger(__name__)
_PLANE_NAMES: Final = ("LANEKEEPER_PLANE", "LANEKEEPER_ROLE")
_PATIENCE: Final = 0.5
"""Seconds for the nursery to have room for us: when it is replaced, all lanes come at once."""

DEATHS_MOST: Final = 4
"""Nurseries that may die over one start: it is refused then, for it may be what they die of."""

_NO_NURSERY: Final = (
    "no nursery answers, so no program can be started; try again in a second, "
    "and see lane status if it goes on"
)


class NoNurseryError(Exception):
    """No nursery answers: it is being replaced, or there is none."""


class Spawner:
    """The worker's side of the nursery."""

    def __init__(self, rundir: Rundir, deposits: Deposits) -> None:
        """Prepare; the connection is made with the first program.

        What is closed here is released from `deposits` first.
        """
        self._rundir = rundir
        self._deposits = deposits
        self._read: list[Child] = []
        self.origins = Origins(rundir)
        self._requests: dict[int, Child] = {}
        self._claims: dict[int, Child] = {}
        self._children: dict[str, Child] = {}
        self._deaths: Counter[str] = Counter()
        self._next = 0
        self.channel: Channel | None = None

    def start(self, info: TerminalInfo, spec: Spawn) -> Child:
        """Ask for a child.

        Raises:
            NoNurseryError: no nursery answers; nothing has been done then.
            OSError: descriptors or PTYs ran out; nothing is left open then.
            ChannelError: the nursery does not read.
        """
        channel = self._connected()
        with contextlib.ExitStack() as undo, contextlib.ExitStack() as ours:
            pty = Pty.open(info.cols, info.rows, raw_output=spec.output == "raw")
            undo.callback(pty.close)
            hooks.at("worker.pty.opened")
            gate_read, gate = _pipe(undo)
            errors, errors_write = _told(undo)
            stdin_read, stdin = _pipe(undo) if spec.stdin == "pipe" else (-1, -1)
            description = self._describe(info, spec)
            ours.callback(os.close, description)
            fds = [description, pty.slave, gate_read, errors_write]
            fds += [stdin_read] if stdin_read >= 0 else []
            self._next += 1
            channel.send(
                {"op": "spawn", "id": self._next, "stdin": spec.stdin, "lane": info.lane_id}, fds
            )
            hooks.at("worker.child.asked")
            undo.pop_all()
            for fd in (gate_read, errors_write, stdin_read):
                if fd >= 0:
                    os.close(fd)
        child = Child(info.id, pty, gate, errors, stdin)
        for fd in (errors, stdin):
            if fd >= 0:
                os.set_blocking(fd, False)
        pty.close_slave()
        before = self._children.get(info.id)
        if before is not None:  # it was let go at its gate, and this one is in its place
            before.close("gate", "errors", "pidfd")
        self._requests[self._next] = child
        self._children[info.id] = child
        return child

    def pidfd(self, terminal_id: str) -> int:
        """Return the pidfd of a terminal's program, -1 when there is none."""
        child = self._children.get(terminal_id)
        return -1 if child is None else child.pidfd

    def shut_gate(self, terminal_id: str) -> None:
        """Let a child that waits at its gate go home."""
        child = self._children.get(terminal_id)
        if child is not None:
            child.close("gate")

    def open_gate(self, terminal_id: str) -> None:
        """Let the child run its program, unless it is known already that it never will."""
        child = self._children.get(terminal_id)
        if child is None or child.gate < 0:
            return
        hooks.at("worker.child.gate")
        with contextlib.suppress(BrokenPipeError):  # it was killed at the gate; its exit follows
            os.write(child.gate, b"\n")
        hooks.at("worker.child.runs")
        child.close("gate")

    def inherit(self, child: Child) -> None:
        """Take over a program of a worker that is dead, and ask its nursery to speak for it.

        Its pid, start time and pidfd are known. Without a nursery, or with one that has not forked
        it, the pidfd tells of its end.
        """
        self._children[child.terminal_id] = child
        try:
            channel = self._connected()
            self._next += 1
            who = {"pid": child.pid, "start_time": child.start_time}
            channel.send({"op": "claim", "id": self._next, **who})
        except (NoNurseryError, ChannelError) as error:
            _LOG.warning("nobody speaks for pid %d: %s", child.pid, error)
            return
        child.nursery = channel
        self._claims[self._next] = child

    def reap(self, terminal_id: str) -> None:
        """Tell the nursery that the exit status is safe."""
        child = self._children.pop(terminal_id, None)
        if child is None:
            return
        if child.exited and child.nursery is not None:
            self._send_reap(child.pid)
        self._deposits.drop(terminal_id, ("errors", "pidfd"))
        child.close("gate", "errors", "pidfd")

    def watched(self) -> dict[int, int]:
        """The descriptors to poll, and for what."""
        return watched(self._children.values())

    def tidy(self) -> None:
        """Close the error pipes that were read; after what they said is in the journal."""
        for child in self._read:
            if child.errors >= 0:
                self._deposits.drop(child.terminal_id, ("errors",))
                child.close("errors")
        self._read.clear()

    def ready(self, fd: int, now: float) -> list[Stimulus]:
        """Say what a readable descriptor of `watched` means."""
        for child in self._children.values():
            if fd == child.errors:
                return [self._executed(child)]
            if fd == child.pidfd:
                return self._looked(child, now)
        return []

    def deadline(self) -> float:
        """Return when `due` has something to say."""
        ends = (child.given_up_at for child in self._children.values() if child.lonely)
        return min((at for at in ends if at is not None), default=math.inf)

    def due(self, now: float) -> list[Stimulus]:
        """Give up on ends that nobody explains."""
        late = [
            child
            for child in self._children.values()
            if child.lonely and child.given_up_at is not None and child.given_up_at <= now
        ]
        return [stimulus for child in late for stimulus in self._looked(child, now)]

    def told(self, message: dict[str, Any]) -> list[Stimulus]:
        """Take the keeper's word on an end: with no nursery, the keeper is the parent.

        It may come before we have seen that our nursery is dead.
        """
        same = (message.get("pid"), message.get("start_time"))
        for child in self._children.values():
            running = child.pidfd >= 0 and not child.exited
            if running and (child.pid, child.start_time) == same:
                return self._ended(child, told(message))
        return []

    def receive(self) -> list[Stimulus]:
        """Read what the nursery says; what it has not forked when it dies is to be started anew."""
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
            stimuli += [self._unforked(child) for child in self._requests.values()]
            self._requests.clear()
            self._claims.clear()
            for child in self._children.values():
                child.nursery = None
        return stimuli

    def farewell(self, lane_id: str) -> None:
        """Tell the nursery that nobody will claim what this lane has left: it has ended."""
        if self.channel is not None and not self.channel.closed:
            with contextlib.suppress(ChannelError):
                self.channel.send({"op": "forget", "lane_id": lane_id})

    def close(self) -> None:
        """Close every descriptor; children at their gate exit without running."""
        for child in self._children.values():
            child.close("gate", "errors", "pidfd")
        if self.channel is not None:
            self.channel.close()

    def _connected(self) -> Channel:
        if self.channel is None or self.channel.closed:
            try:
                self.channel = connect(self._rundir.nursery_sock, _PATIENCE)
            except OSError as error:
                self.channel = None
                raise NoNurseryError(_NO_NURSERY) from error
        return self.channel

    def _message(self, received: Received) -> list[Stimulus]:
        message = received.message
        match message["op"]:
            case "spawned":
                hooks.at("worker.child.forked")
                child = self._requests.pop(message["id"])
                del self._deaths[child.terminal_id]
                child.pid, child.start_time = message["pid"], message["start_time"]
                child.pidfd, child.nursery = received.fds[0], self.channel
                return [Forked(child.terminal_id, child.pid, child.start_time)]
            case "failed":
                child = self._requests.pop(message["id"])
                return [self._refuse(child, f"the child could not be forked: {message['message']}")]
            case "exited":
                return self._exited(message)
        received.close()  # of what is claimed the vault's pidfd is held
        claimed = self._claims.pop(message.get("id", 0), None)
        if claimed is None:
            _LOG.warning("nursery said something unknown: %s", message["op"])
        elif message["op"] == "error":
            claimed.nursery = None
        return []

    def _exited(self, message: dict[str, Any]) -> list[Stimulus]:
        child = next((c for c in self._children.values() if c.pid == message["pid"]), None)
        if child is None:  # it was refused, and forgotten before it ended
            self._send_reap(message["pid"])
            return []
        if child.exited:  # the nursery died behind this, and the keeper was faster
            return []
        return self._ended(child, told(message))

    def _looked(self, child: Child, now: float) -> list[Stimulus]:
        found = looked(child, now)
        return [] if found is None else self._ended(child, found)

    def _ended(self, child: Child, status: ExitStatus) -> list[Stimulus]:
        hooks.at("worker.exit.told")
        child.exited = True
        finished = self._finish_start(child)
        if any(isinstance(s, Ungated) for s in finished) and child.nursery is not None:
            self._send_reap(child.pid)
        if any(isinstance(s, SpawnRefused | Ungated) for s in finished):
            return finished
        return [*finished, Exited(child.terminal_id, status)]

    def _send_reap(self, pid: int) -> None:
        if self.channel is not None:
            self.channel.send({"op": "reap", "pid": pid})

    def _finish_start(self, child: Child) -> list[Stimulus]:
        """The child is dead: what its error pipe says is complete, and comes before the exit."""
        if child.errors < 0 or child.said:
            return []
        at_the_gate = child.gate >= 0
        said = self._executed(child)
        if at_the_gate and isinstance(said, Executed):
            said = self._refuse(child, "the child was killed before it ran its program")
        return [said]

    def _executed(self, child: Child) -> Executed | Ungated | SpawnRefused:
        data = _peek(child.errors)
        hooks.at("worker.start.told")
        child.said = True
        self._read.append(child)
        if not data:
            return Executed(child.terminal_id)
        stage, why = reason(data)
        if stage == GATE:
            return Ungated(child.terminal_id)
        return self._refuse(child, why)

    def _unforked(self, child: Child) -> Ungated | SpawnRefused:
        """Give up a child that nobody told us of: without its gate it goes home, if it exists."""
        self._deaths[child.terminal_id] += 1
        if self._deaths[child.terminal_id] >= DEATHS_MOST:
            return self._refuse(child, f"{DEATHS_MOST} nurseries have died before they started it")
        self._let_go(child)
        return Ungated(child.terminal_id)

    def _refuse(self, child: Child, reason: str) -> SpawnRefused:
        del self._deaths[child.terminal_id]
        self._let_go(child)
        return SpawnRefused(child.terminal_id, reason)

    def _let_go(self, child: Child) -> None:
        child.close("gate")
        child.said = True
        self._read.append(child)

    def _describe(self, info: TerminalInfo, spec: Spawn) -> int:
        """Return a memfd with what the child is to run: larger than one message could be."""
        env = {k: os.fsdecode(v) for k, v in spec.env.items() if k not in _PLANE_NAMES}
        env.setdefault("TERM", "xterm-256color")
        env["LANEKEEPER_DIR"] = str(self._rundir.path)
        env["LANEKEEPER_LANE"] = info.lane_id
        env["LANEKEEPER_SESSION"] = info.session_id
        env["LANEKEEPER_TERMINAL"] = info.id
        document = {
            "argv": [os.fsdecode(word) for word in spec.argv],
            "cwd": _directory(spec.cwd, env),
            "env": env,
            "umask": spec.umask,
            "limits": spec.limits,
            **self.origins.given(info),
        }
        fd = os.memfd_create("lanekeeper-spawn", os.MFD_CLOEXEC)
        os.write(fd, json.dumps(document).encode("ascii"))
        os.lseek(fd, 0, os.SEEK_SET)
        return fd


def _directory(cwd: Text | None, env: dict[str, str]) -> str:
    return os.fsdecode(cwd) if cwd is not None else env.get("HOME", "/")


def _told(undo: contextlib.ExitStack) -> tuple[int, int]:
    """Return the ends of what a child says if it cannot run: it can be read more than once."""
    ours, theirs = socket.socketpair()
    read, write = ours.detach(), theirs.detach()
    undo.callback(os.close, read)
    undo.callback(os.close, write)
    return read, write


def _peek(errors: int) -> bytes:
    """Return what a child has said; a successor finds it again if we die before we noted it."""
    with socket.socket(fileno=os.dup(errors)) as said:
        try:
            return said.recv(4096, socket.MSG_PEEK)
        except BlockingIOError:
            return b""


def _pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    read, write = os.pipe2(os.O_CLOEXEC)
    undo.callback(os.close, read)
    undo.callback(os.close, write)
    return read, write
