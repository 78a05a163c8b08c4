"""What `lane doctor` looks at around a plane: kernel calls, limits, permissions, clock, room.

Each probe returns findings and never raises, as those of `probes`. Thresholds are for some hundred
lanes; what they mean for fewer stands in the text.
"""

import ctypes
import errno
import os
import resource
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lanekeeper.cli.columns import short_bytes
from lanekeeper.cli.probes import Finding, Grade
from lanekeeper.keeper import cgroups
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.limits import LOG_BUDGET

ENOUGH_PROCESSES: Final = 1024
"""A lane has a worker and at least one program."""
LITTLE_ROOM: Final = 64 << 20
"""Bytes: the logs of daemons and some room for the sockets."""
NO_ROOM: Final = 1 << 20
_CLONE3: Final = 435
_PTMX_MODE: Final = 0o666
_ADJTIMEX_BYTES: Final = 256
"""A little more than the kernel's `struct timex`; all zeros ask and change nothing."""
_CLOCK_ERROR: Final = 5
_SLOW_CLOCKS: Final = frozenset({"hpet", "acpi_pm", "jiffies", "refined-jiffies"})


def calls() -> Iterator[Finding]:
    """Yield whether the system calls work that are not among the plain features."""
    try:
        _seqpacket()
    except OSError as error:
        text, fix = f"does not work: {error}", "a plane cannot run: allow AF_UNIX SOCK_SEQPACKET"
        yield Finding(Grade.FAIL, "seqpacket", text, fix)
    else:
        yield Finding(Grade.OK, "seqpacket", "passes descriptors")
    if cgroups.usable():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(ctypes.c_long(_CLONE3), None, ctypes.c_size_t(0))  # without arguments: no fork
    if ctypes.get_errno() == errno.EINVAL:
        yield Finding(Grade.OK, "clone3", "programs are born in their cgroup")
    else:
        text = f"{os.strerror(ctypes.get_errno())}: programs start some 10 ms later"
        yield Finding(Grade.WARN, "clone3", text, "Linux 5.7 or newer; let seccomp allow it")


def processes() -> Iterator[Finding]:
    """Yield how many processes there may be: of this user, and in this cgroup."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    bound = os.getuid() != 0 and soft != resource.RLIM_INFINITY
    enough = not bound or soft >= ENOUGH_PROCESSES
    shown = "unlimited" if soft == resource.RLIM_INFINITY else f"soft {soft}, hard {hard}"
    yield Finding(
        Grade.OK if enough else Grade.WARN,
        "processes",
        f"{shown} for this user" + ("" if bound else ", which does not bind it"),
        "" if enough else f"`ulimit -u {ENOUGH_PROCESSES}`: a lane takes two or more",
    )
    room = _pids_room()
    if room is not None:
        left, path = room
        enough = left >= ENOUGH_PROCESSES
        fix = "" if enough else "raise TasksMax= of the unit, or --pids-limit of the container"
        text = f"room for {left} more in {path}"
        yield Finding(Grade.OK if enough else Grade.WARN, "pids cgroup", text, fix)


def permissions(rundir: Rundir) -> Iterator[Finding]:
    """Yield who may open what."""
    try:
        mode = stat.S_IMODE(Path("/dev/ptmx").stat().st_mode)
        opened = os.access("/dev/ptmx", os.R_OK | os.W_OK)
    except OSError as error:
        yield Finding(Grade.FAIL, "/dev/ptmx", str(error.strerror), "mount devpts on /dev/pts")
    else:
        wide = mode & _PTMX_MODE == _PTMX_MODE or os.getuid() == 0
        grade = Grade.OK if wide and opened else Grade.WARN if opened else Grade.FAIL
        fix = "" if grade is Grade.OK else "chmod 666 /dev/ptmx, or mount devpts with ptmxmode=666"
        yield Finding(grade, "/dev/ptmx", f"mode {mode:o}", fix)
    hidden = _hidepid()
    if hidden in {"", "0", "off"} or os.getuid() == 0:
        yield Finding(Grade.OK, "/proc", "all processes can be seen")
    else:
        yield Finding(
            Grade.WARN,
            "/proc",
            f"hidepid={hidden}: programs that change their user are not seen, nor ended",
            "mount -o remount,hidepid=0 /proc, or do not run sudo in lanes",
        )
    if rundir.path.exists():
        yield from _owner(rundir)


def clock() -> Iterator[Finding]:
    """Yield whether time can be asked for quickly, and whether it is right."""
    try:
        source = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
        name = source.read_text("ascii").strip()
    except OSError:
        name = "unknown"
    slow = name in _SLOW_CLOCKS
    fix = "" if not slow else "boot with clocksource=tsc where the machine has one"
    yield Finding(Grade.WARN if slow else Grade.OK, "clock source", name, fix)
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_ADJTIMEX_BYTES))
    right = state not in {_CLOCK_ERROR, -1}
    yield Finding(
        Grade.OK if right else Grade.WARN,
        "clock",
        "is kept right" if right else "nobody keeps it right: times of events may jump",
        "" if right else "run chrony, systemd-timesyncd or ntpd",
    )


def room(rundir: Rundir) -> Iterator[Finding]:
    """Yield whether there is room for logs: on disk for ours, in memory for the programs'."""
    place = next(one for one in (rundir.path, *rundir.path.parents) if one.exists())
    try:
        free, system = shutil.disk_usage(place).free, os.statvfs(place)
    except OSError as error:
        yield Finding(Grade.WARN, "disk", f"{place}: {error.strerror}")
    else:
        full = free < NO_ROOM or (system.f_files > 0 and system.f_favail == 0)
        grade = Grade.FAIL if full else Grade.WARN if free < LITTLE_ROOM else Grade.OK
        fix = "" if grade is Grade.OK else "make room, or choose another place with --runtime-dir"
        yield Finding(grade, "disk", f"{short_bytes(free)} free at {place}", fix)
    available = _available()
    if available is not None:
        enough = available >= LOG_BUDGET
        text = f"{short_bytes(available)} available, logs of programs may take "
        fix = "" if enough else f"`lane up --log-budget {max(available >> 21, 64)}M` takes less"
        grade = Grade.OK if enough else Grade.WARN
        yield Finding(grade, "memory", text + short_bytes(LOG_BUDGET), fix)


def _owner(rundir: Rundir) -> Iterator[Finding]:
    for path in (rundir.path, rundir.metrics_token):
        try:
            found = path.stat()
        except OSError:
            continue
        wanted = 0o700 if path == rundir.path else 0o600
        mode = stat.S_IMODE(found.st_mode)
        good = mode == wanted and found.st_uid == os.getuid()
        yield Finding(
            Grade.OK if good else Grade.FAIL,
            "owner and mode",
            f"{path}: user {found.st_uid}, mode {mode:o}",
            "" if good else f"make it yours, mode {wanted:o}: others could drive the plane",
        )


def _seqpacket() -> None:
    """Pass a descriptor with a message, as the keeper and everybody else do."""
    first, second = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with first, second:
        socket.send_fds(first, [b"x"], [first.fileno()])
        data, descriptors, _, _ = socket.recv_fds(second, 1, 1)
        for descriptor in descriptors:
            os.close(descriptor)
        if data != b"x" or len(descriptors) != 1:
            raise OSError("the descriptor did not come")


def _pids_room() -> tuple[int, Path] | None:
    """Return how many more processes fit into the tightest cgroup around us, and which that is."""
    found: list[tuple[int, Path]] = []
    for top in _pids_cgroups():
        for path in (top, *top.parents):
            try:
                most = (path / "pids.max").read_text("ascii").strip()
                used = int((path / "pids.current").read_text("ascii"))
            except (OSError, ValueError):
                continue
            if most.isdecimal():
                found.append((max(0, int(most) - used), path))
    return min(found, default=None)


def _pids_cgroups() -> Iterator[Path]:
    try:
        lines = Path("/proc/self/cgroup").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    mount = cgroups.mount()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers and mount is not None:
            yield mount / path.lstrip("/")
        elif "pids" in controllers.split(","):
            yield Path("/sys/fs/cgroup/pids") / path.lstrip("/")


def _hidepid() -> str:
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    for line in lines:
        before, _, after = line.partition(" - ")
        if before.split()[4] == "/proc":
            for option in after.split()[-1].split(","):
                if option.startswith("hidepid="):
                    return option.removeprefix("hidepid=")
    return ""


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return None
