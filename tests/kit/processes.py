"""What the kernel says about processes, threads, descriptors and terminals.

Owns the kit's own reading of /proc, on purpose apart from the product's: it is the judge. Refuses
to look at processes that belong to nobody in this test run. Called by the leak checks and by
`kit.cluster`.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RUN_MARKER: Final = "LANEKEEPER_TEST_RUN"
"""In the environment of the test process, so that whatever it starts inherits it."""

_PROC: Final = Path("/proc")
_GONE: Final = frozenset("ZXx")


@dataclass(frozen=True, slots=True)
class Seen:
    """One process as /proc shows it; two looks at the same incarnation are equal."""

    pid: int
    start_time: int
    ppid: int
    state: str
    command: str
    environ: tuple[tuple[str, str], ...]

    @property
    def zombie(self) -> bool:
        """Whether it has ended and waits to be reaped."""
        return self.state in _GONE

    @property
    def identity(self) -> tuple[int, int]:
        """Pid and start time."""
        return self.pid, self.start_time

    def variable(self, name: str) -> str:
        """Return a variable of the environment it was started with, or an empty string."""
        return dict(self.environ).get(name, "")

    def __str__(self) -> str:
        """Return one line for a report."""
        state = "zombie " if self.zombie else ""
        role = self.variable("LANEKEEPER_ROLE") or self.variable("LANEKEEPER_TERMINAL")
        return f"{state}process {self.pid} {f'({role}) ' if role else ''}{self.command}"


def look(pid: int) -> Seen | None:
    """Return what /proc shows of a process of this user, or None."""
    folder = _PROC / str(pid)
    try:
        if folder.stat().st_uid != os.getuid():
            return None
        stat = (folder / "stat").read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    name, _, tail = stat.partition(" (")[2].rpartition(") ")
    fields = tail.split()
    command, environ = name, b""
    with contextlib.suppress(OSError):
        line = (folder / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
        command = line.decode("utf-8", "replace")[:200] or name
    with contextlib.suppress(OSError):
        environ = (folder / "environ").read_bytes()
    pairs = (item.partition(b"=") for item in environ.split(b"\0") if item)
    variables = tuple((os.fsdecode(key), os.fsdecode(value)) for key, _, value in pairs)
    return Seen(pid, int(fields[19]), int(fields[1]), fields[0], command, variables)


def everybody() -> Iterator[Seen]:
    """Yield every process of this user but the calling one."""
    me = os.getpid()
    for entry in os.scandir(_PROC):
        if entry.name.isdecimal() and int(entry.name) != me:
            seen = look(int(entry.name))
            if seen is not None:
                yield seen


def family(run: str, directories: frozenset[str]) -> list[Seen]:
    """Return the processes that this test run started, however far away they have gone.

    These are children of the calling process (zombies too), processes that carry the run's
    marker, and processes that carry the marker of one of the runtime `directories`.
    """
    me = os.getpid()
    found = []
    for seen in everybody():
        variables = dict(seen.environ)
        places = (variables.get("LANEKEEPER_PLANE"), variables.get("LANEKEEPER_DIR"))
        if (
            seen.ppid == me
            or variables.get(RUN_MARKER) == run
            or any(place in directories for place in places)
        ):
            found.append(seen)
    return found


def descriptors() -> dict[int, str]:
    """Return what each open descriptor of the calling process refers to."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found[int(entry.name)] = str(entry.readlink())
    return found


def threads() -> dict[int, str]:
    """Return the name of each thread of the calling process by its kernel id."""
    found = {}
    for entry in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found[int(entry.name)] = (entry / "comm").read_text("utf-8").strip()
    return found


def pty_count() -> int:
    """Return how many pseudo terminals the whole machine has open."""
    return int((_PROC / "sys/kernel/pty/nr").read_text("ascii"))


def pty_numbers() -> frozenset[int]:
    """Return the numbers under /dev/pts."""
    names = (entry.name for entry in Path("/dev/pts").iterdir())
    return frozenset(int(name) for name in names if name.isdecimal())


def pty_holders(number: int) -> Iterator[Seen]:
    """Yield the processes of this user that hold either end of pseudo terminal `number` open."""
    me = look(os.getpid())
    for seen in (*everybody(), *([me] if me else [])):
        with contextlib.suppress(OSError):
            for entry in Path(f"/proc/{seen.pid}/fd").iterdir():
                if _refers_to(entry, number):
                    yield seen
                    break


def _refers_to(entry: Path, number: int) -> bool:
    try:
        target = str(entry.readlink())
        if target == f"/dev/pts/{number}":
            return True
        if not target.endswith("ptmx"):
            return False
        info = (entry.parents[1] / "fdinfo" / entry.name).read_text("ascii")
    except OSError:
        return False
    return f"tty-index:\t{number}\n" in info
