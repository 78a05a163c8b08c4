"""A few words with a keeper, in nothing but a socket and JSON.

Owns the kit's own end of keeper.sock, apart from the product's, so that a test can stop a plane
whose own code is broken. Called by `kit.cluster`.
"""

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kit.processes import look

_MESSAGE_MAX: Final = 64 * 1024


class KeeperClient:
    """A channel to the keeper of one runtime directory; a context manager."""

    def __init__(self, path: Path, timeout: float = 5.0) -> None:
        """Connect and introduce ourselves.

        Raises:
            OSError: nobody listens there, or the keeper does not answer in time.
        """
        self._timeout = timeout
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(os.fspath(path))
            pid = os.getpid()
            me = look(pid)
            started = me.start_time if me else 0
            self._send({"op": "hello", "role": "client", "pid": pid, "start_time": started})
            self._until("welcome")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the channel."""
        self._socket.close()

    def status(self) -> list[dict[str, Any]]:
        """Return the keeper's list of processes, all pages of it."""
        self._send({"op": "status", "id": "kit-status"})
        found: list[dict[str, Any]] = []
        while True:
            page = self._until("status")
            found.extend(page["processes"])
            if not page.get("more"):
                return found

    def page(self) -> dict[str, Any]:
        """Return the first page of the status as the keeper says it."""
        self._send({"op": "status", "id": "kit-page"})
        return self._until("status")

    def vaulted(self) -> int:
        """Return how many descriptors the vault holds, of a plane of a few hundred lanes."""
        self._send({"op": "vault", "id": "kit-vault"})
        return sum(int(one["held"]) for one in self._until("vault")["entries"])

    def restart(self, role: str) -> int:
        """Replace a daemon; return the pid of the new one, which serves."""
        self._send({"op": "restart", "id": "kit-restart", "role": role})
        return int(self._until("restarted")["pid"])

    def down(self, timeout: float) -> bool:
        """Ask for the end of the plane; return whether the keeper closed the channel in time."""
        self._send({"op": "down", "id": "kit-down"})
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                if not self._socket.recv(_MESSAGE_MAX):
                    return True
            except TimeoutError:
                return False
            except ConnectionResetError:
                return True
        return False

    def _send(self, message: Mapping[str, object]) -> None:
        self._socket.send(json.dumps(message).encode("ascii"))

    def _until(self, operation: str) -> dict[str, Any]:
        deadline = time.monotonic() + self._timeout
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            data = self._socket.recv(_MESSAGE_MAX)
            if not data:
                raise ConnectionError(f"the keeper closed the channel before {operation!r}")
            message: dict[str, Any] = json.loads(data)
            if message.get("op") == operation:
                return message
            if message.get("op") == "error":
                raise ConnectionError(f"the keeper refused: {message}")
        raise TimeoutError(f"no {operation!r} from the keeper within {self._timeout:g} s")
