"""Private directories of this test run, short enough for the sockets of a plane.

Owns their names: all of them carry the token of the run, so that whatever is left over can be found
by looking, without a list that a crash would lose. Called by `kit.cluster` and `kit.leaks`.
"""

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Final

from kit.processes import RUN_MARKER

ROOT: Final = Path("/", "tmp")
"""Not TMPDIR: a socket's path has at most 107 bytes."""


def run_token() -> str:
    """Return the token of this run; the first call puts it into the environment."""
    return os.environ.setdefault(RUN_MARKER, secrets.token_hex(3))


def private_directory() -> Path:
    """Make a directory of mode 0700 that only this run uses; the caller removes it."""
    return Path(tempfile.mkdtemp(prefix=f"lk-{run_token()}-", dir=ROOT))


def private_directories() -> frozenset[Path]:
    """Return the private directories of this run that exist now."""
    return frozenset(ROOT.glob(f"lk-{run_token()}-*"))


def remove(directory: Path) -> None:
    """Remove a private directory and all in it; one that is gone is fine."""
    shutil.rmtree(directory, ignore_errors=True)


def sockets_below(directory: Path) -> list[Path]:
    """Return the socket files in a directory tree."""
    return sorted(path for path in directory.rglob("*") if path.is_socket())
