"""The collector's files: the token of its pages, where they are, and the totals.

Owns how they are written: whole, mode 0600, by a rename, so that a reader never sees half of one.
Refuses a token that others could have read or that is too short. Called by `server`.
"""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from lanekeeper.keeper.rundir import Rundir

TOKEN_BYTES: Final = 32
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Endpoint(Struct, kw_only=True):
    """What `endpoint.json` says: where the pages are, who serves them, and where the token is."""

    url: str
    health_url: str
    port: int
    token_file: str
    pid: int


def write(path: Path, data: bytes) -> None:
    """Replace a file of ours; a directory that was deleted is made again.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    new.replace(path)


def token(rundir: Rundir) -> str:
    """Return the token: that of a collector before this one, else a new one, written down.

    Raises:
        OSError: it cannot be written.
    """
    path = rundir.metrics_token
    found = _read(path).decode("ascii", "replace").strip()
    if len(found) == 2 * TOKEN_BYTES and found.isalnum() and _private(path):
        return found
    made = secrets.token_hex(TOKEN_BYTES)
    write(path, made.encode("ascii"))
    return made


def announce(rundir: Rundir, port: int) -> None:
    """Write down where the pages are.

    Raises:
        OSError: it cannot be written.
    """
    base = f"http://127.0.0.1:{port}"
    endpoint = Endpoint(
        url=f"{base}/metrics",
        health_url=f"{base}/healthz",
        port=port,
        token_file=str(rundir.metrics_token),
        pid=os.getpid(),
    )
    write(rundir.metrics_endpoint, msgspec.json.encode(endpoint) + b"\n")


def totals(rundir: Rundir) -> bytes:
    """Return what the collector before this one had added up; nothing when there was none."""
    return _read(rundir.metrics_totals)


def last_port(rundir: Rundir) -> int:
    """Return the port of the collector before this one; 0 when there was none."""
    try:
        found = msgspec.json.decode(_read(rundir.metrics_endpoint), type=Endpoint)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0
    return found.port


def _private(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and not status.st_mode & _OTHERS


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
