"""The listening sockets of a lane: they outlive the worker, so a client that returns waits in line.

Owns the two descriptors and their paths. ZeroMQ gets duplicates; ours go into the vault and from
there to a successor, which serves whoever has connected meanwhile. Called by `estate`.
"""

import errno
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

KINDS: Final = ("output", "control")
BACKLOG: Final = 1024
"""Clients that wait to be accepted: all of a lane's come back at once."""


class Listeners:
    """Two listening unix sockets, by kind."""

    def __init__(self, fds: Mapping[str, int]) -> None:
        """Take over the descriptors of both kinds."""
        self.fds = {kind: fds[kind] for kind in KINDS}

    @classmethod
    def create(cls, paths: Mapping[str, Path]) -> "Listeners":
        """Listen at both paths, in place of whatever stands there.

        Raises:
            OSError: the runtime directory is gone or descriptors ran out.
        """
        fds: dict[str, int] = {}
        try:
            for kind in KINDS:
                fds[kind] = _listen(paths[kind])
        except OSError:
            for fd in fds.values():
                os.close(fd)
            raise
        return cls(fds)

    def close(self) -> None:
        """Close ours; the sockets listen on while somebody has duplicates."""
        for fd in self.fds.values():
            os.close(fd)


def _listen(path: Path) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.bind(os.fspath(path))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            path.unlink(missing_ok=True)
            sock.bind(os.fspath(path))
        sock.listen(BACKLOG)
        sock.settimeout(0.0)
        return sock.detach()
