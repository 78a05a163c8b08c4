"""What the kernel tells of a process that has ended and is not our child.

Owns the two places where a status is to be had: /proc while nobody has reaped it, and afterwards,
on kernels from 6.15 on, the pidfd. Refuses to guess: a 0 in /proc is also what is shown to who may
not know. Called by workers whose nursery is gone.
"""

import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lanekeeper.keeper import identity

_SIZE: Final = 64
"""Bytes of the first `struct pidfd_info`; a newer kernel fills that much of its own."""

_GET_INFO: Final = (3 << 30) | (_SIZE << 16) | (0xFF << 8) | 11
"""PIDFD_GET_INFO: read and write, magic 0xFF, number 11."""

_MASK: Final = struct.Struct("=Q")
_EXIT: Final = 1 << 3
"""PIDFD_INFO_EXIT: asked for and, when the status is known, given."""

_STATUS: Final = struct.Struct("=i")
_STATUS_AT: Final = 60


@dataclass(frozen=True, slots=True)
class Status:
    """How a process ended: by a code or by a signal."""

    code: int | None
    signal: int | None
    core: bool


def ended(pidfd: int, process: identity.Process) -> Status | None:
    """Return how a process has ended, reaped or not; None when nobody can tell (yet)."""
    return unreaped_status(process) or exit_status(pidfd)


def unreaped_status(process: identity.Process) -> Status | None:
    """Return how a process has ended that nobody has reaped yet."""
    try:
        line = Path(f"/proc/{process.pid}/stat").read_text("utf-8", "surrogateescape")
        found = identity.parse_stat(line)
        status = int(line.split()[-1])
    except (OSError, ValueError):
        return None
    if found.start_time != process.start_time or found.state != "Z":
        return None
    return _decode(status) if status or _ours(process.pid) else None


def exit_status(pidfd: int) -> Status | None:
    """Return how a process that has been reaped had ended.

    None while it runs or waits to be reaped, and on kernels that cannot tell.
    """
    info = bytearray(_SIZE)
    _MASK.pack_into(info, 0, _EXIT)
    try:
        fcntl.ioctl(pidfd, _GET_INFO, info)
    except OSError:
        return None
    (given,) = _MASK.unpack_from(info, 0)
    if not given & _EXIT:
        return None
    (status,) = _STATUS.unpack_from(info, _STATUS_AT)
    return _decode(int(status))


def _ours(pid: int) -> bool:
    """Whether the kernel shows us everything of a process: it runs as we do."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    ids = {name: fields.split() for name, _, fields in (line.partition(":") for line in lines)}
    owned = {"Uid": str(os.getuid()), "Gid": str(os.getgid())}
    return all(set(ids.get(name, [""])) == {number} for name, number in owned.items())


def _decode(status: int) -> Status:
    if os.WIFSIGNALED(status):
        return Status(None, os.WTERMSIG(status), core=os.WCOREDUMP(status))
    return Status(os.WEXITSTATUS(status), None, core=False)
