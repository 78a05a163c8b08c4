"""A few words with a keeper, in nothing but a socket and JSON.

Owns the oracle's own end of keeper.sock: who runs under which role, and whether the plane says that
it is whole. Refuses to wait for long: a keeper that is being replaced is asked again by the caller.
"""

import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lanekeeper.soak import proc

_MESSAGE_MAX: Final = 64 * 1024
_PATIENCE: Final = 2.0


class SilentError(Exception):
    """No keeper answers there now."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a keeper says of its plane."""

    processes: tuple[dict[str, Any], ...]
    degraded: tuple[str, ...]

    def of(self, role: str, lane_id: str | None = None) -> list[proc.Seen]:
        """Return the processes of a role that are in charge; of one lane if it is given."""
        return [
            proc.Seen(int(one["pid"]), int(one["start_time"]))
            for one in self.processes
            if one["role"] == role and one.get("lane") == lane_id
        ]


def status(directory: Path) -> Status:
    """Ask the keeper of a runtime directory for its status.

    Raises:
        SilentError: nobody answers in time.
    """
    pages = _ask(directory, "status")
    processes = tuple(one for page in pages for one in page["processes"])
    reasons = tuple(str(one.get("reason")) for one in pages[-1].get("degraded", ()))
    return Status(processes, reasons)


def vault(directory: Path) -> dict[str, int]:
    """Ask the keeper how many descriptors it holds, by owner.

    Raises:
        SilentError: nobody answers in time.
    """
    pages = _ask(directory, "vault")
    return {str(one["owner"]): int(one["held"]) for page in pages for one in page["entries"]}


def _ask(directory: Path, operation: str) -> list[dict[str, Any]]:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as channel:
            channel.settimeout(_PATIENCE)
            channel.connect(os.fspath(directory / "keeper.sock"))
            me = proc.look(os.getpid())
            started = me.start_time if me else 0
            hello = {"op": "hello", "role": "client", "pid": os.getpid(), "start_time": started}
            channel.send(json.dumps(hello).encode("ascii"))
            _until(channel, "welcome")
            channel.send(json.dumps({"op": operation, "id": "soak"}).encode("ascii"))
            pages = [_until(channel, operation)]
            while pages[-1].get("more"):
                pages.append(_until(channel, operation))
            return pages
    except (OSError, ValueError, LookupError) as error:
        raise SilentError(str(error)) from error


def _until(channel: socket.socket, operation: str) -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        data = channel.recv(_MESSAGE_MAX)
        if not data:
            raise ConnectionError(f"the keeper closed the channel before {operation!r}")
        message: dict[str, Any] = json.loads(data)
        if message.get("op") == operation:
            return message
        if message.get("op") == "error":
            raise ConnectionError(f"the keeper refused: {message.get('message')}")
    raise TimeoutError(f"no {operation!r} from the keeper")
