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

NOW = "2026-01-01T00:00:00Z"
LANE = "lane_aaaaaaaaaaaaaaaa"
WS = "ws_aaaaaaaaaaaaaaaa"
SESSION = "sess_aaaaaaaaaaaaaaaa"
CHUNK = 64 * 1024


class RefusedByFakeError(Exception):
    """An error answer."""

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        """Make it."""
        super().__init__(message)
        self.info = {"code": code, "message": message, "retryable": retryable}


@dataclass
class FakeTerminal:
    """A terminal whose program is a script."""

    id: str
    argv: list[str]
    log: bytearray = field(default_factory=bytearray)
    tail: int = 0
    exit: dict[str, Any] | None = None
    input: bytearray = field(default_factory=bytearray)
    eof: bool = False
    acked: int = 0


@dataclass
class Faults:
    """What goes wrong on purpose; counts go down as they happen."""

    ignore: Counter[str] = field(default_factory=Counter)
    refuse: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)
    mute_output: int = 0
    double_output: bool = False
    silent: bool = False


class FakePlane:
    """The plane; a context manager. `seen` lists every command in order."""

    def __init__(self, directory: Path) -> None:
        """Prepare it; nothing is bound yet."""
        self.directory = directory
        self.faults = Faults()
        self.seen: list[dict[str, Any]] = []
        self.terminals: dict[str, FakeTerminal] = {}
        self.events: list[bytes] = []
        self.epoch = "ep_one"
        self.first_event = 1
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
        """Have the serving thread do something: `die`, `revive`, `event`, `write TEXT`."""
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

    def _endpoint(self, name: str) -> str:
        return f"ipc://{self.directory}/{name}"

    def _bind(self) -> None:
        (self.directory / "lanes").mkdir(exist_ok=True)
        self._commands = self._context.socket(zmq.ROUTER)
        self._commands.bind(self._endpoint("broker.sock"))
        self._control = self._context.socket(zmq.ROUTER)
        self._control.bind(self._endpoint(f"lanes/{LANE}.in"))
        self._published = self._context.socket(zmq.XPUB)
        self._published.bind(self._endpoint("events.sock"))
        self._output = self._context.socket(zmq.XPUB)
        self._output.bind(self._endpoint(f"lanes/{LANE}.out"))

    def _close(self) -> None:
        for socket in (self._commands, self._control, self._published, self._output):
            socket.close(0)

    def _serve(self) -> None:
        self._bind()
        self._bound.set()
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
                    break
                self._order(order)
                self._stop.send(b"done")
                continue
            for socket in ready:
                if socket in (self._published, self._output):
                    self._subscribed(socket)
                else:
                    self._command(socket)
        self._close()
        self._stop.close(0)

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
                self._write(terminal, text.encode())
        elif word == "end":
            for terminal in self.terminals.values():
                self._end(terminal, 0)

    def _subscribed(self, socket: "zmq.Socket[bytes]") -> None:
        message = socket.recv()
        topic = message[1:]
        if message[:1] != b"\x01" or not topic.startswith(b"tok_"):
            return
        if socket is self._published:
            body = msgpack.packb([1, "joined", self.epoch, len(self.events)])
            socket.send_multipart([topic, body])
        else:
            self._publish(topic.decode(), "joined", 0, b"")

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

    def _publish(self, topic: str, kind: str, offset: int, data: bytes) -> None:
        if self.faults.mute_output and kind != "joined":
            self.faults.mute_output -= 1
            return
        header = msgpack.packb([1, kind, 1, offset, len(data), 0])
        for _ in range(2 if self.faults.double_output else 1):
            self._output.send_multipart([topic.encode(), header, data])

    def _write(self, terminal: FakeTerminal, data: bytes) -> None:
        for start in range(0, len(data), CHUNK):
            piece = data[start : start + CHUNK]
            offset = len(terminal.log)
            terminal.log += piece
            self._publish(terminal.id, "data", offset, piece)

    def _end(self, terminal: FakeTerminal, code: int) -> None:
        terminal.exit = {"kind": "exited", "code": code}
        self._publish(terminal.id, "end", len(terminal.log), msgpack.packb(terminal.exit))
        for socket, route, command in self._waiting:
            self._reply(socket, route, command, self._wait_result(terminal))
        self._waiting.clear()

    def _wait_result(self, terminal: FakeTerminal) -> dict[str, Any]:
        return {"reason": "exit", "exit": terminal.exit, "end": len(terminal.log)}

    def _command(self, socket: "zmq.Socket[bytes]") -> None:
        route, data = socket.recv_multipart()
        command = msgpack.unpackb(data)
        self.seen.append(command)
        method = command["method"]
        if self.faults.silent:
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
            self._play(self.terminals[result["terminal"]["id"]])

    def _result(
        self, socket: "zmq.Socket[bytes]", route: bytes, command: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Return the result, or None when it comes later."""
        method = command["method"]
        refusals = self.faults.refuse.get(method)
        if refusals:
            code, retryable = refusals.pop(0)
            raise RefusedByFakeError(code, f"{method} refused", retryable=retryable)
        handler = getattr(self, "_on_" + method.replace(".", "_"), None)
        if handler is None:
            raise RefusedByFakeError("UNKNOWN_METHOD", method)
        if method == "terminal.wait" and self._terminal(command).exit is None:
            self._waiting.append((socket, route, command))
            return None
        result: dict[str, Any] = handler(command, command.get("payload", {}))
        return result

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

    def _play(self, terminal: FakeTerminal) -> None:
        word, *rest = terminal.argv
        if word == "echo":
            self._write(terminal, " ".join(rest).encode() + b"\n")
            self._end(terminal, 0)
        elif word == "exit":
            self._end(terminal, int(rest[0]))
        elif word == "flood":
            self._write(terminal, flood(int(rest[0])))
            self._end(terminal, 0)

    def _terminal(self, command: dict[str, Any]) -> FakeTerminal:
        terminal = self.terminals.get(command.get("terminal_id", ""))
        if terminal is None:
            raise RefusedByFakeError("TERMINAL_NOT_FOUND", "no such terminal")
        return terminal

    def _endpoints(self) -> dict[str, str]:
        return {
            "output": self._endpoint(f"lanes/{LANE}.out"),
            "control": self._endpoint(f"lanes/{LANE}.in"),
        }

    def _info(self, terminal: FakeTerminal) -> dict[str, Any]:
        return {
            "id": terminal.id,
            "workspace_id": WS,
            "lane_id": LANE,
            "session_id": SESSION,
            "name": terminal.id[-4:],
            "state": "active" if terminal.exit is None else "stopped",
            "argv": terminal.argv,
            "cols": 80,
            "rows": 24,
            "head": len(terminal.log),
            "created": NOW,
            "updated": NOW,
        }

    def _on_plane_hello(self, _: object, __: object) -> dict[str, Any]:
        return {
            "protocol": "helios.localbus.v1",
            "versions": [1],
            "product": "0",
            "epoch": self.epoch,
            "complete": True,
            "limits": {},
            "capabilities": [],
            "events_endpoint": self._endpoint("events.sock"),
        }

    def _workspace(self) -> dict[str, Any]:
        return {"id": WS, "name": "default", "created": NOW, "updated": NOW}

    def _on_workspace_create(self, _: object, __: object) -> dict[str, Any]:
        return {"workspace": self._workspace(), "created": False}

    def _on_workspace_list(self, _: object, __: object) -> dict[str, Any]:
        return {"workspaces": [self._workspace()]}

    def _lane(self) -> dict[str, Any]:
        return {
            "id": LANE,
            "workspace_id": WS,
            "name": "build",
            "status": "ready",
            "created": NOW,
            "updated": NOW,
            "endpoints": self._endpoints(),
        }

    def _on_lane_create(self, _: object, __: object) -> dict[str, Any]:
        return {"lane": self._lane(), "created": True}

    def _on_lane_list(self, _: object, payload: dict[str, Any]) -> dict[str, Any]:
        if payload.get("after"):
            return {"lanes": [self._lane()], "complete": False}
        return {"lanes": [self._lane()], "next": LANE}

    def _on_lane_cleanup(self, _: object, __: object) -> dict[str, Any]:
        return {"sessions": 1, "terminals": 1, "processes": 1, "killed": 0}

    def _on_address_resolve(self, _: object, payload: dict[str, Any]) -> dict[str, Any]:
        _, dot, name = payload["address"].partition(".")
        infos = [self._info(terminal) for terminal in self.terminals.values()]
        found = [info for info in infos if not dot or info["name"] == name]
        result: dict[str, Any] = {
            "workspace": self._workspace(),
            "lane": self._lane(),
            "sessions": [self._session()],
            "terminals": found,
        }
        if len(found) == 1:
            result["terminal"] = found[0]
        return result

    def _on_context_get(self, _: object, __: object) -> dict[str, Any]:
        return {"lane_id": LANE}

    def _on_events_replay(self, _: object, payload: dict[str, Any]) -> dict[str, Any]:
        since = max(payload.get("since", 0), self.first_event - 1)
        events = [msgpack.unpackb(event) for event in self.events[since : since + 3]]
        last = len(self.events)
        return {"epoch": self.epoch, "first": self.first_event, "last": last, "events": events}

    def _session(self) -> dict[str, Any]:
        return {
            "id": SESSION,
            "lane_id": LANE,
            "workspace_id": WS,
            "name": "main",
            "status": "detached",
            "created": NOW,
            "updated": NOW,
        }

    def _on_session_create(self, _: object, __: object) -> dict[str, Any]:
        return {"session": self._session(), "created": True}

    def _on_session_attach(self, _: object, __: object) -> dict[str, Any]:
        return {
            "session": self._session(),
            "lease_id": f"lease_{len(self.seen)}",
            "beat_s": 0.1,
            "ttl_s": 6.0,
            "endpoints": self._endpoints(),
            "generation": 1,
        }

    def _on_session_detach(self, _: object, __: object) -> dict[str, Any]:
        return {}

    def _on_lease_renew(self, _: object, __: object) -> dict[str, Any]:
        return {}

    def _on_terminal_spawn(self, _: object, payload: dict[str, Any]) -> dict[str, Any]:
        if payload["argv"][0] == "missing":
            raise RefusedByFakeError("SPAWN_FAILED", "no such file")
        terminal = FakeTerminal(f"term_{len(self.terminals):016d}", payload["argv"])
        self.terminals[terminal.id] = terminal
        result = {"terminal": self._info(terminal), "endpoints": self._endpoints(), "epoch": 1}
        if payload.get("consume"):
            result["consumer_id"] = "cons_spawned"
        return result

    def _on_terminal_respawn(self, command: dict[str, Any], _: object) -> dict[str, Any]:
        terminal = self._terminal(command)
        terminal.exit = None
        return {"terminal": self._info(terminal), "endpoints": self._endpoints(), "epoch": 1}

    def _on_terminal_consume(
        self, command: dict[str, Any], payload: dict[str, Any]
    ) -> dict[str, Any]:
        terminal = self._terminal(command)
        return {
            "consumer_id": f"cons_{len(self.seen)}",
            "offset": max(payload.get("offset", 0), terminal.tail),
            "head": len(terminal.log),
            "tail": terminal.tail,
            "epoch": 1,
            "terminal": self._info(terminal),
        }

    def _on_terminal_ack(self, command: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
        self._terminal(command).acked = payload["offset"]
        return {}

    def _on_terminal_read(self, command: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
        terminal = self._terminal(command)
        asked = payload.get("offset", terminal.tail)
        offset = max(asked, terminal.tail)
        result = {
            "offset": offset,
            "data": bytes(terminal.log[offset : offset + payload.get("max", CHUNK)]),
            "head": len(terminal.log),
            "tail": terminal.tail,
            "epoch": 1,
        }
        if asked < offset:
            result["gap"] = {"start": asked, "end": offset}
        if terminal.exit is not None:
            result |= {"end": len(terminal.log), "exit": terminal.exit}
        return result

    def _on_terminal_input(
        self, command: dict[str, Any], payload: dict[str, Any]
    ) -> dict[str, Any]:
        terminal = self._terminal(command)
        data = payload.get("data", b"")
        terminal.input += data
        if terminal.argv[0] == "cat":
            self._write(terminal, data)
        if payload.get("eof"):
            terminal.eof = True
            if terminal.argv[0] == "cat":
                self._end(terminal, 0)
        return {"delivered": len(data)}

    def _on_terminal_wait(self, command: dict[str, Any], _: object) -> dict[str, Any]:
        return self._wait_result(self._terminal(command))

    def _on_terminal_get(self, command: dict[str, Any], _: object) -> dict[str, Any]:
        return {"terminal": self._info(self._terminal(command))}

    def _on_terminal_resize(self, command: dict[str, Any], payload: object) -> dict[str, Any]:
        terminal = self._terminal(command)
        assert isinstance(payload, dict)
        size = msgpack.packb([payload["cols"], payload["rows"]])
        self._publish(terminal.id, "resize", len(terminal.log), size)
        return {"terminal": self._info(terminal)}

    def _on_terminal_signal(self, command: dict[str, Any], _: object) -> dict[str, Any]:
        terminal = self._terminal(command)
        terminal.exit = {"kind": "signaled", "signal": 15}
        self._publish(terminal.id, "end", len(terminal.log), msgpack.packb(terminal.exit))
        return {"terminal": self._info(terminal)}

    def _on_terminal_close(self, command: dict[str, Any], _: object) -> dict[str, Any]:
        self._terminal(command)
        return {"sessions": 0, "terminals": 1, "processes": 1, "killed": 0}


def flood(size: int) -> bytes:
    """Return `size` bytes in which every place can be told from every other."""
    return b"".join(b"%08d\n" % number for number in range(size // 9 + 1))[:size]
