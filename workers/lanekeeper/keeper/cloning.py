"""Forking into a cgroup: clone3 with CLONE_INTO_CGROUP, as `os.fork` does it otherwise.

A process that is moved after its fork waits for every CPU to pass a quiet point, some 10 ms; one
that is born in the cgroup waits for nothing. Owns that one system call and the steps of Python
around a fork. Refuses to run beside other threads: the caller has none. Called by `forking`.
"""

import ctypes
import errno
import os
import signal
import struct
from pathlib import Path
from typing import Final

_CLONE3: Final = 435
"""The same number on every architecture."""

_CLONE_INTO_CGROUP: Final = 0x2_0000_0000
_ARGUMENTS: Final = struct.Struct("=11Q")
_libc: Final = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_python: Final = ctypes.pythonapi


def fork_into(cgroup: str | None) -> int:
    """Fork; the child is in `cgroup` if that can be, else where we are. Return as `os.fork` does.

    Raises:
        OSError: the kernel does not fork.
    """
    if cgroup is None:
        return os.fork()
    try:
        directory = os.open(cgroup, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return os.fork()
    try:
        return _clone(directory)
    except OSError as error:
        if error.errno in {errno.EAGAIN, errno.ENOMEM}:
            raise
    finally:
        os.close(directory)
    # No clone3 here, or the cgroup refuses to be born into: be moved there, later and slower.
    pid = os.fork()
    if pid == 0:
        _enter(cgroup)
    return pid


def _clone(directory: int) -> int:
    fields = (_CLONE_INTO_CGROUP, 0, 0, 0, int(signal.SIGCHLD), 0, 0, 0, 0, 0, directory)
    arguments = ctypes.create_string_buffer(_ARGUMENTS.pack(*fields))
    _python.PyOS_BeforeFork()
    pid = int(_libc.syscall(ctypes.c_long(_CLONE3), arguments, ctypes.c_size_t(_ARGUMENTS.size)))
    if pid == 0:
        _python.PyOS_AfterFork_Child()
        return 0
    number = ctypes.get_errno()
    _python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, os.strerror(number))
    return pid


def _enter(cgroup: str) -> None:
    try:
        Path(cgroup, "cgroup.procs").write_text("0")
    except OSError:
        return
