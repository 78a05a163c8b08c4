"""Makes fork fail with EAGAIN in one process, as a full system or a container's limit does.

Owns the ways in which that is real: a pids cgroup of its own (version 1 or 2), which binds root as
well, or else RLIMIT_NPROC, which binds all others. Refuses to pretend: `ROUTES` holds what this
machine has. Nothing but the process that is named is limited, and what it has forked before is not
moved. Called by the tests of faults.
"""

import contextlib
import os
import resource
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from kit import places
from kit.waiting import wait_until

_MOUNTS: Final = Path("/proc/self/mounts")


@contextlib.contextmanager
def in_cgroup(top: Path, pid: int) -> Iterator[None]:
    """Move a process into a cgroup that is full with it; move it back afterwards."""
    before = _cgroup_of(top, pid)
    group = top / f"lanekeeper-test-{places.run_token()}-{pid}"
    group.mkdir()
    try:
        (group / "pids.max").write_text("1")
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        (group / "pids.max").write_text("max")
        for inside in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):  # it has ended
                (before / "cgroup.procs").write_text(inside)
        wait_until(partial(_removed, group), 5.0, f"removal of {group}")


@contextlib.contextmanager
def by_rlimit(pid: int) -> Iterator[None]:
    """Allow the user of a process not one more process, as far as that process is concerned."""
    before = resource.prlimit(pid, resource.RLIMIT_NPROC)
    resource.prlimit(pid, resource.RLIMIT_NPROC, (1, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NPROC, before)


def _routes() -> dict[str, Callable[[int], contextlib.AbstractContextManager[None]]]:
    found: dict[str, Callable[[int], contextlib.AbstractContextManager[None]]] = {}
    for line in _MOUNTS.read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        top = Path(where)
        first = kind == "cgroup" and "pids" in options.split(",")
        enabled = top / "cgroup.subtree_control"
        second = kind == "cgroup2" and enabled.exists() and "pids" in enabled.read_text().split()
        if (first or second) and os.access(top, os.W_OK) and "rw" in options.split(","):
            found[kind] = partial(in_cgroup, top)
    if not found and os.getuid() != 0:
        found["rlimit"] = by_rlimit
    return found


def _cgroup_of(top: Path, pid: int) -> Path:
    for line in Path("/proc", str(pid), "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if ("pids" in controllers.split(",")) == (top.name == "pids"):
            return top / path.lstrip("/")
    return top


def _removed(group: Path) -> bool:
    with contextlib.suppress(OSError):
        group.rmdir()
    return not group.exists()


ROUTES: Final = _routes()
"""What makes fork fail here, by name; a context manager around it takes the pid."""
