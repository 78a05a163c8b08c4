"""A small real plane for the shells' tests: real ZeroMQ sockets, plain msgpack, no product code.

One thread serves the broker's ROUTER and XPUB and one lane's ROUTER and XPUB. Programs are
scripted: `argv[0]` names what the terminal does. Faults are knobs a test sets before it acts.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgpack
import zmq

from unit.client.fakelane import LANE, NOW, FakeLane, FakeTerminal, RefusedByFakeError


@dataclass
class Faults:
    """What goes wrong on purpose; counts go down as they happen."""

    ignore: Counter[str] = field(default_factory=Counter)
    refuse: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)
    mute_output: int = 0
    double_output: bool = False
    silent: bool = False
    broker_hangs: bool = False


class FakePlane(FakeLane):
    """The plane; a context manager. `seen` lists every command in order."""

    def __init__(self, directory: Path) -> None:
        """Prepare it; nothing is bound yet."""
        super().__init__(directory)
        self.faults = Faults()
        self.answers: dict[str, bytes] = {}
        self._waiting: list[tuple[zmq.Socket[bytes], bytes, dict[str, Any]]] = []
        self._context = zmq.Context()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._stop, self._stopper = self._pair()
        self._bound = threading.Event()

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        assert self._bound.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving and close everything."""
        self._stopper.send(b"stop")
        self._thread.join(5)
        self._stopper.close(0)
        self._context.term()

    def do(self, what: str) -> None:
        """Have the serving thread do one thing: die, revive, event, write TEXT, forget or end."""
        self._stopper.send(what.encode())
        assert self._stopper.recv() == b"done"

    def methods(self) -> list[str]:
        """Return the methods of all commands seen."""
        return [str(command["method"]) for command in self.seen]

    def _pair(self) -> tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"]:
        ours, theirs = self._context.socket(zmq.PAIR), self._context.socket(zmq.PAIR)
        ours.bind("inproc://control")
        theirs.connect("inproc://control")
        return ours, theirs

    def _bind(self) -> None:
        (self.directory / "lanes").mkdir(exist_ok=True)
        self._commands = self._context.socket(zmq.ROUTER)
        self._commands.bind(self.endpoint("broker.sock"))
        self._control = self._context.socket(zmq.ROUTER)
        self._control.bind(self.endpoint(f"lanes/{LANE}.in"))
        self._published = self._context.socket(zmq.XPUB)
        self._published.bind(self.endpoint("events.sock"))
        self._output = self._context.socket(zmq.XPUB)
        self._output.bind(self.endpoint(f"lanes/{LANE}.out"))

    def _close(self) -> None:
        for socket in (self._commands, self._control, self._published, self._output):
            socket.close(0)

    def _serve(self) -> None:
        self._bind()
        self._bound.set()
        try:
            self._loop()
        finally:
            self._close()
            self._stop.close(0)

    def _loop(self) -> None:
        while True:
            poller = zmq.Poller()
            sockets = [self._stop]
            if not self._commands.closed:
                sockets += [self._commands, self._control, self._published, self._output]
            for socket in sockets:
                poller.register(socket, zmq.POLLIN)
            ready = dict(poller.poll())
            if self._stop in ready:
                order = self._stop.recv().decode()
                if order == "stop":
                    return
                self._order(order)
                self._stop.send(b"done")
                continue
            for socket in ready:
                if socket in (self._published, self._output):
                    self._subscribed(socket)
                else:
                    self._command(socket)

    def _order(self, order: str) -> None:
        word, _, text = order.partition(" ")
        if word == "die":
            self._close()
        elif word == "revive":
            self._bind()
        elif word == "event":
            self.happen(text or "lane.created")
        elif word == "write":
            for terminal in self.terminals.values():
                self.write(terminal, text.encode())
        elif word == "forget":
            self.terminals.clear()
        elif word == "end":
            for terminal in self.terminals.values():
                self.end(terminal, {"kind": "exited", "code": 0})

    def _subscribed(self, socket: "zmq.Socket[bytes]") -> None:
        message = socket.recv()
        topic = message[1:]
        if message[:1] != b"\x01" or not topic.startswith(b"tok_"):
            return
        if socket is self._published:
            body = msgpack.packb([1, "joined", self.epoch, len(self.events)])
            socket.send_multipart([topic, body])
        else:
            self.publish(topic.decode(), "joined", 0, b"")

    def happen(self, topic: str) -> None:
        """Publish one event (in the serving thread)."""
        seq = len(self.events) + 1
        event = msgpack.packb(
            {
                "type": "event",
                "v": 1,
                "id": f"evt_{seq}",
                "ts": NOW,
                "topic": topic,
                "correlation_id": "corr_1",
                "seq": seq,
                "epoch": self.epoch,
            }
        )
        self.events.append(event)
        self._published.send_multipart([topic.encode(), event])

    def end(self, terminal: FakeTerminal, status: dict[str, Any]) -> None:
        """End a terminal's program and answer who waits for it."""
        super().end(terminal, status)
        for socket, route, command in self._waiting:
            self._reply(socket, route, command, self.answer("terminal.wait", command))
        self._waiting.clear()

    def publish(self, topic: str, kind: str, offset: int, data: bytes) -> None:
        """Publish an output message, as far as the faults let it."""
        if self.faults.mute_output and kind != "joined":
            self.faults.mute_output -= 1
            return
        header = msgpack.packb([1, kind, 1, offset, len(data), 0])
        for _ in range(2 if self.faults.double_output else 1):
            self._output.send_multipart([topic.encode(), header, data])

    def _command(self, socket: "zmq.Socket[bytes]") -> None:
        route, data = socket.recv_multipart()
        command = msgpack.unpackb(data)
        self.seen.append(command)
        method = command["method"]
        if self.faults.silent or (self.faults.broker_hangs and socket is self._commands):
            return
        if self.faults.ignore[method] > 0:
            self.faults.ignore[method] -= 1
            return
        kept = self.answers.get(command["id"])
        if kept is not None:
            socket.send_multipart([route, kept])
            return
        try:
            result = self._result(socket, route, command)
        except RefusedByFakeError as error:
            self._reply(socket, route, command, None, error.info)
            return
        if result is not None and method not in {"lease.renew", "terminal.ack"}:
            self._reply(socket, route, command, result)
        if result is not None and method in {"terminal.spawn", "terminal.respawn"}:
            self.play(self.terminals[result["terminal"]["id"]])

    def _result(
        self, socket: "zmq.Socket[bytes]", route: bytes, command: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Return the result, or None when it comes later."""
        method = command["method"]
        refusals = self.faults.refuse.get(method)
        if refusals:
            code, retryable = refusals.pop(0)
            raise RefusedByFakeError(code, f"{method} refused", retryable=retryable)
        if method == "terminal.wait" and self.terminal(command).exit is None:
            self._waiting.append((socket, route, command))
            return None
        return self.answer(method, command)

    def _reply(
        self,
        socket: "zmq.Socket[bytes]",
        route: bytes,
        command: dict[str, Any],
        result: object,
        error: dict[str, Any] | None = None,
    ) -> None:
        answer: dict[str, Any] = {"type": "response", "v": 1, "id": command["id"], "ts": NOW}
        answer |= {"status": "error", "error": error} if error else {"status": "ok"}
        if error is None:
            answer["result"] = result
        data = msgpack.packb(answer)
        if error is None:
            self.answers[command["id"]] = data
        socket.send_multipart([route, data])
