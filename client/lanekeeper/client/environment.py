"""What a program started by a caller takes over from it: environment, directory, umask.

Owns the rule which names are the plane's own. Refuses nothing: what cannot be encoded as UTF-8
travels as bytes. Called by the shells' `spawn` and `run`.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

Word = str | bytes | os.PathLike[str]

OWN_PREFIX: Final = "LANEKEEPER_"
_STATUS: Final = Path("/proc/self/status")


def text(word: Word) -> str | bytes:
    """Return a word of a program as it travels: text if it is UTF-8, else bytes."""
    if isinstance(word, bytes):
        return word
    plain = os.fspath(word)
    raw = os.fsencode(plain)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw


def arguments(argv: Sequence[Word]) -> list[str | bytes]:
    """Return a program and its arguments as they travel."""
    return [text(word) for word in argv]


def caller_environment(environ: Mapping[str, str] | None = None) -> dict[str, str | bytes]:
    """Return the environment a program gets by default: the caller's without the plane's names.

    Names that are not UTF-8 are left out.
    """
    found = os.environ if environ is None else environ
    return {
        name: text(value)
        for name, value in found.items()
        if not name.startswith(OWN_PREFIX) and isinstance(text(name), str)
    }


def caller_umask() -> int | None:
    """Return the caller's umask without changing it; None where the kernel does not tell."""
    try:
        lines = _STATUS.read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return None
