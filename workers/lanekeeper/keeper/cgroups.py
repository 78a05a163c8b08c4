"""Cgroups: one for each terminal, in one for its lane, in one for the plane; where they can be had.

What a process starts stays in its cgroup whatever it does to its parents, session or environment,
and a cgroup is killed at once. Owns where they are, their names, and making, listing, killing and
removing them. Refuses to fail: without a writable cgroup v2 around us nothing is made, and brands
and markers are left to do the work. No controller is used. Called by workers, the keeper and the
finders.
"""

import contextlib
import hashlib
import os
import select
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PREFIX: Final = "lanekeeper-"
SWITCH: Final = "LANEKEEPER_CGROUPS"
"""Set to `never`, a plane makes none."""

WALK_MOST: Final = 20_000
"""Directories looked into in search of leftover ones."""

_DIRECTORY: Final = "user.lanekeeper.dir"
"""The extended attribute that says which runtime directory a plane's cgroup is of."""

_BORN: Final = "user.lanekeeper.born"
"""The extended attribute that says when it was made: monotonic nanoseconds, which nobody sets."""

_OCTAL: Final = ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\"))


@dataclass(frozen=True, slots=True)
class Tree:
    """A plane's cgroup that was found: which runtime directory it is of, when it says so."""

    path: Path
    directory: str


def mount() -> Path | None:
    """Return where cgroup v2 is mounted."""
    try:
        lines = Path("/proc/self/mounts").read_bytes().splitlines()
    except OSError:
        return None
    for line in lines:
        _, where, kind, *_ = line.split(b" ")
        if kind == b"cgroup2":
            for escaped, character in _OCTAL:
                where = where.replace(escaped, character)
            return Path(os.fsdecode(where))
    return None


def outside() -> Path | None:
    """Return the cgroup we are in; when a terminal's is around us, the one around that plane's."""
    top = mount()
    if top is None:
        return None
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text("utf-8", "surrogateescape").splitlines():
            if line.startswith("0::/"):
                parts = line.removeprefix("0::/").split("/")
                ours = (i for i, part in enumerate(parts) if part.startswith(PREFIX))
                return top.joinpath(*parts[: next(ours, len(parts))])
    return None


def leave() -> None:
    """Move the calling process out of a terminal's cgroup: a plane does not end with it."""
    with contextlib.suppress(OSError):
        around = outside()
        if around is not None and PREFIX in Path("/proc/self/cgroup").read_text("utf-8"):
            around.joinpath("cgroup.procs").write_text("0")


def of_process(pid: int) -> str:
    """Return the path below the mount of the terminal's cgroup a process is in; empty for none."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_bytes().splitlines():
            if line.startswith(b"0::/") and PREFIX.encode() in line:
                return os.fsdecode(line.removeprefix(b"0::"))
    return ""


def name(directory: str) -> str:
    """Return the name of the cgroup of the plane in a runtime directory."""
    return PREFIX + hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]


def plane(directory: str, environ: Mapping[str, str]) -> Path | None:
    """Return the path of a plane's cgroup, as seen from its own processes; None without one."""
    around = outside() if environ.get(SWITCH) != "never" else None
    return None if around is None else around / name(directory)


def make(top: Path, directory: str, lane_id: str, terminal_id: str) -> Path | None:
    """Make the cgroup of a terminal, with those around it; None when none can be had."""
    found = top / lane_id / terminal_id
    try:
        if not top.exists():
            top.mkdir(exist_ok=True)
            with contextlib.suppress(OSError):
                os.setxattr(top, _DIRECTORY, os.fsencode(directory))
        found.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    for path in (top, found.parent, found):
        with contextlib.suppress(OSError):  # it is older, or has no attributes
            os.setxattr(path, _BORN, b"%d" % time.monotonic_ns(), os.XATTR_CREATE)
    return found if os.access(found / "cgroup.procs", os.W_OK) else None


def age(path: Path) -> float:
    """Return the seconds since a cgroup was made; 0 when that cannot be known."""
    with contextlib.suppress(OSError, ValueError):
        return (time.monotonic_ns() - int(os.getxattr(path, _BORN))) / 1e9
    with contextlib.suppress(OSError):
        return time.time() - path.stat().st_ctime
    return 0.0


def usable() -> str:
    """Try to have a cgroup; return why it cannot be had, or nothing."""
    around = outside()
    if around is None:
        return "cgroup v2 is not mounted"
    probe = around / f"{PREFIX}probe-{os.getpid()}"
    try:
        probe.mkdir()
    except OSError as error:
        return f"{around} cannot be written: {error.strerror}"
    killable = probe.joinpath("cgroup.kill").exists()
    probe.rmdir()
    return "" if killable else "the kernel has no cgroup.kill: Linux 5.14 or newer is needed"


def members(path: Path) -> list[int]:
    """Return the pids in a cgroup and in all below it."""
    pids: list[int] = []
    for each in _below(path):
        with contextlib.suppress(OSError):
            pids += map(int, each.joinpath("cgroup.procs").read_text("ascii").split())
    return [pid for pid in pids if pid]


def kill(path: Path) -> None:
    """Kill everything in a cgroup and below it at once."""
    with contextlib.suppress(OSError):
        path.joinpath("cgroup.kill").write_text("1")


def remove(path: Path, patience: float = 0.0) -> bool:
    """Remove a cgroup with all below it; wait for what is in it to end. Return whether it went."""
    deadline = time.monotonic() + patience
    while True:
        for each in reversed(list(_below(path))):
            with contextlib.suppress(OSError):
                each.rmdir()
        left = deadline - time.monotonic()
        if not path.exists():
            return True
        if left <= 0 or not _emptied(path, left):
            return False


def trees() -> Iterator[Tree]:
    """Yield the cgroups of planes of this uid, wherever they are."""
    return (tree for tree in search() if tree is not None)


def search() -> Iterator[Tree | None]:
    """Yield the same, and None after each directory that was looked into."""
    top = mount()
    if top is None:
        return
    pending, seen = [top], 0
    while pending and seen < WALK_MOST:
        current = pending.pop()
        seen += 1
        with contextlib.suppress(OSError), os.scandir(current) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    continue
                if not entry.name.startswith(PREFIX):
                    pending.append(Path(entry.path))
                elif entry.stat(follow_symlinks=False).st_uid == os.getuid():
                    yield Tree(Path(entry.path), _directory(entry.path))
        yield None


def children(path: Path) -> list[Path]:
    """Return the cgroups directly below one, by name."""
    try:
        return sorted(each for each in path.iterdir() if each.is_dir())
    except OSError:
        return []


def of_directory(directory: str) -> list[Path]:
    """Return the cgroups of the plane in a runtime directory, wherever it was started from."""
    return [tree.path for tree in trees() if tree.path.name == name(directory)]


def _directory(path: str) -> str:
    try:
        return os.fsdecode(os.getxattr(path, _DIRECTORY))
    except OSError:
        return ""


def _below(path: Path) -> Iterator[Path]:
    """Yield a cgroup and all below it, parents first."""
    if path.is_dir():
        yield path
    for each in children(path):
        yield from _below(each)


def _emptied(path: Path, seconds: float) -> bool:
    """Wait until nothing is in a cgroup and below it; return whether that came in time."""
    try:
        events = os.open(path / "cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        poller = select.poll()
        poller.register(events, select.POLLPRI)
        if b"populated 0" in os.pread(events, 4096, 0):
            # Empty, yet it could not be removed: what ended is still being taken out of it.
            poller.poll(min(seconds, 0.005) * 1000)
            return True
        return bool(poller.poll(seconds * 1000))
    except OSError:
        return True
    finally:
        os.close(events)
