"""What the kernel shows of a process that was forked to become another one of ours.

A fork keeps the command line and the first environment of its parent, by which the processes of a
plane are found and told apart. Owns writing both anew, in place, where the kernel reads them.
Refuses what does not fit: such a process is to be executed instead. Called by `rebirth`.
"""

import contextlib
import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lanekeeper.keeper.identity import ROLE_MARKER

_ARG_START: Final = 45
"""Index of arg_start in /proc/PID/stat behind the name; arg_end, env_start and env_end follow."""

_PADDING: Final = b"."


@dataclass(frozen=True, slots=True)
class Guise:
    """Where the calling process, and every fork of it, has its arguments and its environment."""

    arguments: tuple[int, int]
    """From the first byte to behind the last."""

    role: tuple[int, int]
    """From the first byte of the role marker's value to behind the last."""

    def fits(self, role: str) -> bool:
        """Whether there is room for this role."""
        start, end = self.role
        return 0 < len(role.encode()) <= end - start

    def wear(self, argv: Sequence[str], role: str) -> None:
        """Be seen with this command line and this role; a long line is cut behind a word.

        The arguments are shown with spaces between them: a byte behind the line that is not zero
        makes the kernel show one string, as it does for every program that sets its title.
        """
        start, end = self.arguments
        words = list(argv)
        while words and len(_line(words)) >= end - start:
            words.pop()
        line = _line(words)
        ctypes.memmove(start, line + _PADDING * (end - start - len(line)), end - start)
        start, end = self.role
        ctypes.memmove(start, role.encode().ljust(end - start, b"\0"), end - start)


def own() -> Guise | None:
    """Return where it is for the calling process; None where that cannot be told."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        arg_start, arg_end, env_start, env_end = map(int, fields[_ARG_START:][:4])
        marker = f"\0{ROLE_MARKER}=".encode()
        block = b"\0" + ctypes.string_at(env_start, env_end - env_start)
        # Read once more by the kernel: an area that is not what /proc shows is left alone.
        shown = Path("/proc/self/environ").read_bytes()
        found = block.index(marker) + len(marker)
        if arg_end - arg_start > 1 and block[1:] == shown:
            first = env_start + found - 1
            last = env_start + block.index(b"\0", found) - 1
            return Guise((arg_start, arg_end), (first, last))
    return None


def _line(words: Sequence[str]) -> bytes:
    return os.fsencode(" ".join(words)) + b"\0"
