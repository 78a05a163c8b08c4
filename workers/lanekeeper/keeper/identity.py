"""Who a process is: pid and start time together, signals through pidfds, searches in /proc.

Owns the parsing of /proc/PID/stat and the markers that tell a plane's processes apart. Refuses
to signal a bare pid: pids are reused, a pidfd is not. Called by keeper, nursery, workers and the
command line.
"""

import contextlib
import errno
import os
import select
import signal
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lanekeeper.keeper import brand, cgroups, scopes
from lanekeeper.keeper.rundir import Rundir

FORK: Final = "fork"
"""Role of a process that has not yet become what it was forked for."""
WORKER_COMM: Final = "lane-worker"
"""The name of a forked worker, whose environment is the nursery's."""

PLANE_MARKER: Final = "LANEKEEPER_PLANE"
ROLE_MARKER: Final = "LANEKEEPER_ROLE"
DIR_MARKER: Final = "LANEKEEPER_DIR"
LANE_MARKER: Final = "LANEKEEPER_LANE"
TERMINAL_MARKER: Final = "LANEKEEPER_TERMINAL"

_PART: Final = 32 * 1024
_GONE_STATES: Final = frozenset("ZXx")


class StatError(ValueError):
    """A line does not have the shape of /proc/PID/stat."""


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat that matter here."""

    pid: int
    comm: str
    state: str
    ppid: int
    start_time: int
    """Clock ticks after boot."""
    session: int = 0
    """The process that made the session, which every descendant keeps until it makes its own."""

    @property
    def gone(self) -> bool:
        """Whether the process has ended, reaped or not."""
        return self.state in _GONE_STATES


def parse_stat(line: str) -> Stat:
    """Parse one /proc/PID/stat line.

    The command's name stands in parentheses and may itself hold spaces and parentheses, so the
    fields are counted from the last closing one.

    Raises:
        StatError: the line has another shape.
    """
    head, _, tail = line.rpartition(")")
    pid, opening, comm = head.partition("(")
    fields = tail.split()
    try:
        if not opening:
            fields.clear()
        return Stat(
            int(pid), comm, fields[0], int(fields[1]), int(fields[19]), session=int(fields[3])
        )
    except (ValueError, IndexError):
        raise StatError(f"not a stat line: {line[:200]!r}") from None


def read_stat(pid: int) -> Stat | None:
    """Return the stat of a process, or None when there is none with that pid."""
    raw = _contents(f"/proc/{pid}/stat")
    return None if raw is None else parse_stat(raw.decode("utf-8", "surrogateescape"))


def start_time(pid: int, *, zombies: bool = False) -> int | None:
    """Return when a process started, in clock ticks after boot; None when it is gone.

    A process that has ended and waits to be reaped is gone too, unless `zombies` is set.
    """
    found = read_stat(pid)
    if found is None or (found.gone and not zombies):
        return None
    return found.start_time


@dataclass(frozen=True, slots=True)
class Process:
    """One incarnation of a pid."""

    pid: int
    start_time: int

    def alive(self) -> bool:
        """Whether this very process still runs (an unreaped one does not)."""
        return start_time(self.pid) == self.start_time

    def open_pidfd(self) -> int | None:
        """Return a pidfd (close-on-exec) of this very process, or None when it is gone.

        The start time is read after opening: a pid that was reused meanwhile is not mistaken
        for it. An unreaped process still has a pidfd.

        Raises:
            OSError: descriptors or memory ran out: nobody knows whether it is gone.
        """
        try:
            pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        started = start_time(self.pid, zombies=True)
        if started == self.start_time:
            return pidfd
        ended = started is not None or select.select([pidfd], [], [], 0)[0]
        os.close(pidfd)
        if not ended:  # it was not there to be read for want of a descriptor
            raise OSError(errno.EMFILE, f"/proc/{self.pid}/stat cannot be read")
        return None

    def signal(self, number: int) -> bool:
        """Send a signal through a pidfd; return whether the process got it.

        Raises:
            OSError: descriptors ran out.
        """
        pidfd = self.open_pidfd()
        if pidfd is None:
            return False
        try:
            return send(pidfd, number)
        finally:
            os.close(pidfd)


def send(pidfd: int, number: int) -> bool:
    """Send a signal; return False when the process has ended, or is not ours to signal.

    What runs in a terminal may be somebody else's: `sudo` is root's.
    """
    try:
        signal.pidfd_send_signal(pidfd, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def current() -> Process:
    """Return the identity of the calling process.

    Raises:
        OSError: /proc is not mounted.
    """
    pid = os.getpid()
    started = start_time(pid)
    if started is None:
        raise OSError("/proc/self/stat cannot be read; /proc must be mounted")
    return Process(pid, started)


def every_stat() -> Iterator[Stat]:
    """Yield the stat of every process there is, ended ones that are not reaped included."""
    for pid in pids():
        found = read_stat(pid)
        if found is not None:
            yield found


def descendants(pid: int) -> list[Process]:
    """Return the processes below `pid`, parents before their children, in one pass over /proc.

    Ended ones are left out, but not what hangs below them.
    """
    children: dict[int, list[Stat]] = defaultdict(list)
    for found in every_stat():
        children[found.ppid].append(found)
    below: list[Process] = []
    pending = [pid]
    while pending:
        for child in children.pop(pending.pop(0), ()):
            pending.append(child.pid)
            if not child.gone:
                below.append(Process(child.pid, child.start_time))
    return below


def environment(pid: int) -> dict[str, str] | None:
    """Return the environment a process was started with; None when it cannot be read."""
    raw = _contents(f"/proc/{pid}/environ")
    return None if raw is None else _variables(raw)


def plane_processes(rundir: Rundir, *, by_hand: bool = True) -> list[tuple[str, Process]]:
    """Return role and identity of every live process of the plane in this runtime directory.

    What the nursery has forked and what has not yet become a worker or a program, such as a child
    at its gate, still looks like the nursery: it is FORK. A worker that was started `by_hand` knows
    no keeper, and has the role in an environment of its own.
    """
    found: list[tuple[str, Stat]] = []
    for stat, raw in _marked(PLANE_MARKER, str(rundir.path)):
        _, marker, rest = (b"\0" + raw).partition(f"\0{ROLE_MARKER}=".encode())
        if marker:
            role = os.fsdecode(rest.partition(b"\0")[0])
            forked = stat.comm == WORKER_COMM
            if forked or by_hand or role != "worker":
                found.append(("worker" if forked else role, stat))
    roles = {stat.pid: role for role, stat in found}
    return [
        (
            FORK if role != "worker" and roles.get(stat.ppid) == role else role,
            Process(stat.pid, stat.start_time),
        )
        for role, stat in found
    ]


def plane_children(rundir: Rundir) -> list[Process]:
    """Return the live processes that the terminals of this runtime directory started.

    They carry a terminal's marker and no role: what they started inherits that, in whatever
    session it put itself. Those that wiped their environment have their brand.
    """
    directory = str(rundir.path)
    scope = scopes.plane(directory)
    return [
        process
        for process, environ in owned()
        if ROLE_MARKER not in environ
        and environ.get(DIR_MARKER, directory) == directory
        and (
            (DIR_MARKER in environ and TERMINAL_MARKER in environ)
            or scope.covers(brand.read(process.pid))
        )
    ]


def lane_children(rundir: Rundir, lane_id: str) -> list[Process]:
    """Return the live processes that the terminals of one lane started, by marker or brand."""
    scope = scopes.lane(str(rundir.path), lane_id)
    return [
        process
        for process, environ in owned()
        if ROLE_MARKER not in environ
        and (environ.get(LANE_MARKER) == lane_id or scope.covers(brand.read(process.pid)))
    ]


def in_group(path: Path) -> list[Process]:
    """Return the live processes in a cgroup and in all below it."""
    started = ((pid, start_time(pid)) for pid in cgroups.members(path))
    return [Process(pid, when) for pid, when in started if when is not None]


def _marked(name: str, value: str) -> Iterator[tuple[Stat, bytes]]:
    """Yield the live processes of this uid whose first environment has this, and all of that.

    A new keeper waits for it, and a large plane has many processes: one that is not marked costs a
    read and a search.
    """
    uid, wanted = os.getuid(), b"\0" + os.fsencode(f"{name}={value}") + b"\0"
    for pid in pids():
        raw = _contents(f"/proc/{pid}/environ")
        if raw is None or wanted not in b"\0" + raw + b"\0":
            continue
        found = read_stat(pid)
        if found is None or found.gone:
            continue
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}").stat().st_uid == uid:
                yield found, raw


def owned(among: Iterable[int] | None = None) -> Iterator[tuple[Process, dict[str, str]]]:
    """Yield the live processes of this uid with the environment each was started with.

    Looks at all pids there are, unless it is told `among` which.
    """
    uid = os.getuid()
    for pid in pids() if among is None else among:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}").stat().st_uid != uid:
                continue
            environ = environment(pid)
            if environ is None:
                continue
            started = start_time(pid)
            if started is not None:
                yield Process(pid, started), environ


def _variables(raw: bytes) -> dict[str, str]:
    pairs = (item.partition(b"=") for item in raw.split(b"\0") if item)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def _contents(path: str) -> bytes | None:
    """Return what is in a file of /proc; None when it cannot be read."""
    parts: list[bytes] = []
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        while part := os.read(fd, _PART):
            parts.append(part)
    except OSError:
        return None
    finally:
        os.close(fd)
    return b"".join(parts)


def pids() -> Iterator[int]:
    """Yield the pids there are."""
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal():
                yield int(entry.name)
