"""What a fake plane answers: one workspace, one lane, one session, scripted terminals.

Plain dictionaries in and out, as they travel. `fakeplane` serves it over real sockets and says
how output is published.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

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
    consumers: dict[str, str] = field(default_factory=dict)
    """Registrations by their lease."""


class FakeLane:
    """The answers, one method per command; subclassed by the plane that publishes."""

    def __init__(self, directory: Path) -> None:
        """Prepare it."""
        self.directory = directory
        self.seen: list[dict[str, Any]] = []
        self.terminals: dict[str, FakeTerminal] = {}
        self.events: list[bytes] = []
        self.epoch = "ep_one"
        self.first_event = 1

    def endpoint(self, name: str) -> str:
        """Return the endpoint of a socket."""
        return f"ipc://{self.directory}/{name}"

    def publish(self, topic: str, kind: str, offset: int, data: bytes) -> None:
        """Publish an output message."""
        raise NotImplementedError

    def write(self, terminal: FakeTerminal, data: bytes) -> None:
        """Append to a terminal's log and publish it."""
        for start in range(0, len(data), CHUNK):
            piece = data[start : start + CHUNK]
            offset = len(terminal.log)
            terminal.log += piece
            self.publish(terminal.id, "data", offset, piece)
        self.publish(terminal.id, "head", len(terminal.log), b"")

    def end(self, terminal: FakeTerminal, status: dict[str, Any]) -> None:
        """End a terminal's program."""
        terminal.exit = status
        self.publish(terminal.id, "end", len(terminal.log), msgpack.packb(status))

    def play(self, terminal: FakeTerminal) -> None:
        """Do what the script says at the start."""
        word, *rest = terminal.argv
        if word == "echo":
            self.write(terminal, " ".join(rest).encode() + b"\n")
            self.end(terminal, {"kind": "exited", "code": 0})
        elif word == "both":
            self.write(terminal, " ".join(rest).encode() + b"\n")
            self.end(terminal, {"kind": "exited", "code": 7})
        elif word == "exit":
            self.end(terminal, {"kind": "exited", "code": int(rest[0])})
        elif word == "flood":
            self.write(terminal, flood(int(rest[0])))
            self.end(terminal, {"kind": "exited", "code": 0})

    def answer(self, method: str, command: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a command, or raise its refusal."""
        handler = getattr(self, "_on_" + method.replace(".", "_"), None)
        if handler is None:
            raise RefusedByFakeError("UNKNOWN_METHOD", method)
        result: dict[str, Any] = handler(command, command.get("payload", {}))
        return result

    def terminal(self, command: dict[str, Any]) -> FakeTerminal:
        """Return the terminal a command means."""
        terminal = self.terminals.get(command.get("terminal_id", ""))
        if terminal is None:
            raise RefusedByFakeError("TERMINAL_NOT_FOUND", "no such terminal")
        return terminal

    def _endpoints(self) -> dict[str, str]:
        return {
            "output": self.endpoint(f"lanes/{LANE}.out"),
            "control": self.endpoint(f"lanes/{LANE}.in"),
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
            "events_endpoint": self.endpoint("events.sock"),
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

    def _on_session_list(self, _: object, __: object) -> dict[str, Any]:
        return {"sessions": [self._session()]}

    def _on_terminal_list(self, _: object, payload: dict[str, Any]) -> dict[str, Any]:
        """Return pages of one terminal each."""
        after = payload.get("after", "")
        found = [self._info(one) for name, one in self.terminals.items() if name > after]
        more = {"next": found[0]["id"]} if len(found) > 1 else {}
        return {"terminals": found[:1], **more}

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

    def _on_session_detach(self, _: object, payload: dict[str, Any]) -> dict[str, Any]:
        for terminal in self.terminals.values():
            terminal.consumers.pop(payload["lease_id"], None)
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
            terminal.consumers[payload["consume"]["lease_id"]] = "cons_spawned"
        return result

    def _on_terminal_respawn(self, command: dict[str, Any], _: object) -> dict[str, Any]:
        terminal = self.terminal(command)
        terminal.exit = None
        return {"terminal": self._info(terminal), "endpoints": self._endpoints(), "epoch": 1}

    def _on_terminal_consume(
        self, command: dict[str, Any], payload: dict[str, Any]
    ) -> dict[str, Any]:
        terminal = self.terminal(command)
        return {
            "consumer_id": f"cons_{len(self.seen)}",
            "offset": max(payload.get("offset", 0), terminal.tail),
            "head": len(terminal.log),
            "tail": terminal.tail,
            "epoch": 1,
            "terminal": self._info(terminal),
        }

    def _on_terminal_consumers(self, command: dict[str, Any], _: object) -> dict[str, Any]:
        terminal = self.terminal(command)
        common = {"policy": "block", "offset": terminal.acked, "lag": 0}
        found = [
            {"id": consumer_id, "lease_id": lease_id, **common}
            for lease_id, consumer_id in terminal.consumers.items()
        ]
        return {"consumers": found}

    def _on_terminal_ack(self, command: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
        self.terminal(command).acked = payload["offset"]
        return {}

    def _on_terminal_read(self, command: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
        terminal = self.terminal(command)
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
        terminal = self.terminal(command)
        data = payload.get("data", b"")
        terminal.input += data
        if terminal.argv[0] == "cat":
            self.write(terminal, data)
        if payload.get("eof"):
            terminal.eof = True
            if terminal.argv[0] == "cat":
                self.end(terminal, {"kind": "exited", "code": 0})
        return {"delivered": len(data)}

    def _on_terminal_wait(self, command: dict[str, Any], _: object) -> dict[str, Any]:
        terminal = self.terminal(command)
        return {"reason": "exit", "exit": terminal.exit, "end": len(terminal.log)}

    def _on_terminal_get(self, command: dict[str, Any], _: object) -> dict[str, Any]:
        return {"terminal": self._info(self.terminal(command))}

    def _on_terminal_resize(self, command: dict[str, Any], payload: object) -> dict[str, Any]:
        terminal = self.terminal(command)
        assert isinstance(payload, dict)
        size = msgpack.packb([payload["cols"], payload["rows"]])
        self.publish(terminal.id, "resize", len(terminal.log), size)
        return {"terminal": self._info(terminal)}

    def _on_terminal_signal(self, command: dict[str, Any], _: object) -> dict[str, Any]:
        terminal = self.terminal(command)
        self.end(terminal, {"kind": "signaled", "signal": 15})
        return {"terminal": self._info(terminal)}

    def _on_terminal_close(self, command: dict[str, Any], _: object) -> dict[str, Any]:
        self.terminal(command)
        return {"sessions": 0, "terminals": 1, "processes": 1, "killed": 0}


def flood(size: int) -> bytes:
    """Return `size` bytes in which every place can be told from every other."""
    return b"".join(b"%08d\n" % number for number in range(size // 9 + 1))[:size]
