"""What a pidfd tells of a process after somebody else has reaped it.

Owns one ioctl that kernels from 6.15 on answer: a pidfd keeps the exit status. Refuses to guess: a
kernel that does not answer, or a process that is not reaped, gives None. Called by workers whose
nursery is gone, and by the keeper.
"""

import fcntl
import os
import struct
from dataclasses import dataclass
from typing import Final

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
    if os.WIFSIGNALED(status):
        return Status(None, os.WTERMSIG(status), core=os.WCOREDUMP(status))
    return Status(os.WEXITSTATUS(status), None, core=False)
