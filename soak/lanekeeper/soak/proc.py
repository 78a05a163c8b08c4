"""What the kernel says of processes: the oracle's own reading of /proc.

Owns the identity of a process (pid and start time), the search by the plane's marks, and counts of
what can leak. Shares no code with the product, whose own reading is what is judged.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_GONE: Final = "ZXx"
_ATTRIBUTE: Final = "user.lanekeeper.dir"
_MARKS: Final = (b"LANEKEEPER_PLANE=", b"LANEKEEPER_DIR=")


@dataclass(frozen=True, slots=True)
class Seen:
    """One incarnation of a process."""

    pid: int
    start_time: int


@dataclass(frozen=True, slots=True)
class Size:
    """What a process holds: resident bytes, descriptors, threads."""

    memory: int
    descriptors: int
    threads: int


def look(pid: int) -> Seen | None:
    """Return the process of this pid, None when there is none or it has ended (a zombie too)."""
    try:
        text = (_PROC / str(pid) / "stat").read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    fields = text.rpartition(") ")[2].split()
    return None if fields[0] in _GONE else Seen(pid, int(fields[19]))


def lives(seen: Seen) -> bool:
    """Whether this very incarnation lives."""
    return look(seen.pid) == seen


def measure(pid: int) -> Size | None:
    """Return what a process holds now, None when it is gone."""
    folder = _PROC / str(pid)
    try:
        status = (folder / "status").read_text("utf-8", "surrogateescape")
        descriptors = sum(1 for _ in (folder / "fd").iterdir())
    except OSError:
        return None
    values = dict(line.partition(":\t")[::2] for line in status.splitlines())
    memory = int(values.get("VmRSS", "0 kB").split()[0]) * 1024
    return Size(memory, descriptors, int(values.get("Threads", "0")))


def of_plane(directory: Path) -> Iterator[str]:
    """Yield one line for each process that carries the marks of a runtime directory."""
    for pid in pids_of_plane(directory):
        with contextlib.suppress(OSError):
            command = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ")
            yield f"process {pid}: {command.decode('utf-8', 'replace')[:120]}"


def pids_of_plane(directory: Path) -> Iterator[int]:
    """Yield the processes that carry the marks of a runtime directory."""
    yield from _marked({mark + os.fsencode(directory) for mark in _MARKS})


def of_lane(lane_id: str) -> Iterator[int]:
    """Yield the programs that carry the mark of a lane."""
    yield from _marked({b"LANEKEEPER_LANE=" + lane_id.encode()})


def _marked(wanted: set[bytes]) -> Iterator[int]:
    for entry in os.scandir(_PROC):
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            environ = Path(entry.path, "environ").read_bytes().split(b"\0")
            if wanted.intersection(environ) and look(int(entry.name)) is not None:
                yield int(entry.name)


def cgroups_of(directory: Path) -> Iterator[Path]:
    """Yield the cgroups that say they are of the plane in a runtime directory."""
    for line in Path("/proc/self/mounts").read_text("utf-8").splitlines():
        _, where, kind, *_ = line.split()
        # Other planes' come and go meanwhile: os.walk goes on where rglob raises.
        for parent, names, _ in os.walk(where) if kind == "cgroup2" else ():
            for path in (Path(parent, name) for name in names if name.startswith("lanekeeper-")):
                with contextlib.suppress(OSError):
                    if os.getxattr(path, _ATTRIBUTE) == os.fsencode(directory):
                        yield path


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal; a process that is gone is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
