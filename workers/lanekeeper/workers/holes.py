"""Giving memory back in the middle of a file. Called by the logs."""

import ctypes
import os
from typing import Final

_KEEP_SIZE_PUNCH_HOLE: Final = 0x01 | 0x02
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def punch(fd: int, start: int, end: int) -> None:
    """Give back the pages between two offsets; they read as zeros. OSError when it is refused."""
    if _LIBC.fallocate(fd, _KEEP_SIZE_PUNCH_HOLE, start, end - start) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
