"""Private directories of this test run, short enough for the sockets of a plane.

Owns their names: all of them carry the token of the run, so that whatever is left over can be found
by looking, without a list that a crash would lose. Called by `kit.cluster` and `kit.leaks`.
"""

import contextlib
import os
import secrets
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from kit.processes import RUN_MARKER
from kit.waiting import wait_until

WORKER_MARKER: Final = "LANEKEEPER_TEST_WORKER"
ROOT: Final = Path("/", "tmp")
"""Not TMPDIR: a socket's path has at most 107 bytes."""


def run_token() -> str:
    """Return the token of this run; the first call puts it into the environment.

    Of a run that is shared between processes each has its own: they do not look for each other's.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if os.environ.get(WORKER_MARKER, "") != worker:
        os.environ[WORKER_MARKER] = worker
        os.environ[RUN_MARKER] = secrets.token_hex(3)
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


def cgroups_of(directory: Path) -> list[Path]:
    """Return the cgroups that say they are of the plane in a runtime directory, outermost first."""
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    tops = [Path(line.split()[1]) for line in mounts if line.split()[2] == "cgroup2"]
    found: list[Path] = []
    # Other planes end meanwhile, and their cgroups with them: os.walk goes on where rglob raises.
    for path in (path for top in tops for path in _below(top)):
        if path.name.startswith("lanekeeper-"):
            with contextlib.suppress(OSError):
                if os.getxattr(path, "user.lanekeeper.dir") == os.fsencode(directory):
                    found += sorted(_below(path))
    return found


def _below(top: Path) -> list[Path]:
    """Return a directory and all in it."""
    return [Path(path) for path, _, _ in os.walk(top)]


def remove_cgroups(directory: Path) -> None:
    """Kill what is in the cgroups of a plane, and remove them."""
    for path in reversed(cgroups_of(directory)):
        path.joinpath("cgroup.kill").write_text("1")
        wait_until(partial(_removed, path), 5.0, f"removal of {path}")


def _removed(cgroup: Path) -> bool:
    """Remove a cgroup if it is empty; return whether it is gone."""
    with contextlib.suppress(OSError):
        cgroup.rmdir()
    return not cgroup.exists()


def sockets_below(directory: Path) -> list[Path]:
    """Return the socket files in a directory tree."""
    return sorted(path for path in directory.rglob("*") if path.is_socket())
