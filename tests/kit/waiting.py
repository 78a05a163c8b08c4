"""Waiting with a deadline, without ever sleeping blindly.

Owns the three ways a test may wait: on a predicate (doubling poll), on a descriptor, on the end of
a process. Refuses to wait for ever: every call has a timeout and says what it waited for when it
fails. Called by all tests and by the rest of the kit.
"""

import math
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

FIRST_PAUSE: Final = 0.001
"""Seconds before the second look; doubled at each look."""
LONGEST_PAUSE: Final = 0.1
"""Seconds between two looks at most: what a test loses at worst on a busy machine."""


class WaitedTooLongError(AssertionError):
    """The deadline passed; the message says what was waited for and what was seen last."""


def remaining(deadline: float) -> float:
    """Return the seconds left until `deadline` of the monotonic clock, never less than zero."""
    return max(0.0, deadline - time.monotonic())


def wait_until(predicate: Callable[[], T], timeout: float, what: str) -> T:
    """Call `predicate` until it returns something true, and return that.

    Raises:
        WaitedTooLongError: `timeout` seconds passed; `what` stands in the message.
    """
    deadline = time.monotonic() + timeout
    pause = FIRST_PAUSE
    while True:
        seen = predicate()
        if seen:
            return seen
        left = remaining(deadline)
        if not left:
            raise WaitedTooLongError(f"no {what} within {timeout:g} s; last seen: {seen!r}")
        select.select([], [], [], min(pause, left))
        pause = min(pause * 2, LONGEST_PAUSE)


def is_readable(fd: int, timeout: float) -> bool:
    """Return whether `fd` has something to read, or is at its end, within `timeout` seconds."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(math.ceil(timeout * 1000)))


def wait_readable(fd: int, timeout: float, what: str = "data") -> None:
    """Wait until `fd` has something to read or is at its end.

    Raises:
        WaitedTooLongError: `timeout` seconds passed.
    """
    if not is_readable(fd, timeout):
        raise WaitedTooLongError(f"no {what} on descriptor {fd} within {timeout:g} s")


def wait_exit(pid: int, timeout: float) -> None:
    """Wait until the process has ended, reaped or not; a process that is gone has ended.

    Raises:
        WaitedTooLongError: it still runs after `timeout` seconds.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        wait_readable(pidfd, timeout, f"end of process {pid}")
    finally:
        os.close(pidfd)


def kill_and_wait(pid: int, number: int = signal.SIGKILL, timeout: float = 10.0) -> None:
    """Send a signal through a pidfd and wait until the process has ended.

    Raises:
        WaitedTooLongError: it still runs after `timeout` seconds.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(pidfd, number)
        wait_readable(pidfd, timeout, f"end of process {pid} by signal {number}")
    except ProcessLookupError:
        return
    finally:
        os.close(pidfd)


def wait_line(fd: int, timeout: float, what: str, *, limit: int = 4096) -> str:
    """Read one line from a pipe, and not a byte more; return it without its end.

    Raises:
        WaitedTooLongError: it did not come in time, the pipe ended, or it is over `limit` bytes.
    """
    deadline = time.monotonic() + timeout
    line = bytearray()
    while len(line) < limit:
        wait_readable(fd, remaining(deadline), what)
        byte = os.read(fd, 1)
        if byte == b"\n":
            return line.decode("utf-8", "replace")
        if not byte:
            break
        line += byte
    raise WaitedTooLongError(f"no whole line for {what}, only {bytes(line)!r}")
