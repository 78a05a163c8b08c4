"""What `lane doctor` looks at: interpreter, kernel, limits, runtime directory, plane.

Each probe returns findings and never raises: what cannot be found out is a finding too. Kernel
features are really used, on throw-away descriptors, because a version number says little.
"""

import contextlib
import importlib.metadata
import os
import pty
import re
import resource
import signal
import sys
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import zmq

from lanekeeper.keeper import cgroups
from lanekeeper.keeper.identity import plane_children, plane_processes
from lanekeeper.keeper.lock import holder
from lanekeeper.keeper.rundir import Rundir, RundirError, RundirMissingError, resolve
from lanekeeper.wire.version import PRODUCT

DISTRIBUTION: Final = "lanekeeper"
OLDEST: Final = (3, 11)
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+)\s*([^;]*)")
_BOUND: Final = re.compile(r"(>=|<(?!=))\s*([0-9.]+)")
ENOUGH_FILES: Final = 4096
"""Descriptors for some hundred lanes; the keeper raises the soft limit to the hard one."""
FEW_PTYS: Final = 64
ENOUGH_PIPES: Final = 1024
"""Pages of pipe buffer, of the 16,384 a user has by default, for some hundred small pipes."""


class Grade(StrEnum):
    """How a finding is judged."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what to do about it."""

    grade: Grade
    name: str
    text: str
    fix: str = ""


def python() -> Iterator[Finding]:
    """Yield the interpreter and the packages."""
    running = sys.version_info[:2]
    grade = Grade.OK if running >= OLDEST else Grade.FAIL
    fix = "" if grade is Grade.OK else "install Python 3.11 or newer"
    yield Finding(grade, "python", f"{sys.version.split()[0]} at {sys.executable}", fix)
    yield Finding(Grade.OK, DISTRIBUTION, PRODUCT)
    for package, bounds in requirements():
        yield _package(package, bounds)
    yield Finding(Grade.OK, "libzmq", zmq.zmq_version())


def requirements() -> list[tuple[str, str]]:
    """Return the packages we need and the bounds of their versions, as the installation says."""
    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    found = [_REQUIREMENT.match(line) for line in lines if ";" not in line]
    return sorted((one[1], one[2]) for one in found if one is not None)


def within(version: str, bounds: str) -> bool:
    """Return whether a version is within bounds like `>=0.19,<1`; others are not looked at."""
    for operator, bound in _BOUND.findall(bounds):
        older = _numbers(version) < _numbers(bound)
        if older == (operator == ">="):
            return False
    return True


def _package(name: str, bounds: str) -> Finding:
    fix = f"pip install '{name}{bounds}'"
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(Grade.FAIL, name, "is missing", fix)
    if within(version, bounds):
        return Finding(Grade.OK, name, version)
    return Finding(Grade.WARN, name, f"{version}, {bounds} is needed", fix)


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.findall(r"\d+", version)]
    while numbers and not numbers[-1]:  # 14.0 is 14
        numbers.pop()
    return tuple(numbers)


def kernel() -> Iterator[Finding]:
    """Yield the kernel's features, each tried."""
    release = os.uname().release
    yield Finding(Grade.OK, "kernel", release)
    for name, probe, without in (
        ("pidfd", _pidfd, "a plane cannot run: Linux 5.4 or newer is needed"),
        ("memfd", _memfd, "a plane cannot run: allow memfd_create (seccomp?)"),
        ("pty", _pty, "a plane cannot run: mount devpts on /dev/pts"),
    ):
        yield _tried(name, probe, Grade.FAIL, without)
    weaker = "output is read and written: what is between the two when a worker is killed is lost"
    yield _tried("splice from a tty", _splice, Grade.WARN, weaker)
    needed = "programs cannot be typed to: allow sendfile to terminals (seccomp?)"
    why = cgroups.usable()
    yield Finding(
        Grade.WARN if why else Grade.OK,
        "cgroup",
        f"none for programs ({why}); what they start is found by session, marker and brand"
        if why
        else f"one for each terminal, below {cgroups.outside()}",
        "`systemd-run --user --scope -p Delegate=yes lane up` gives the plane one of its own"
        if why
        else "",
    )
    yield _tried("sendfile to a tty", _sendfile, Grade.FAIL, needed)


def limits() -> Iterator[Finding]:
    """Yield the limits that bound a plane."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    plenty = hard == resource.RLIM_INFINITY or hard >= ENOUGH_FILES
    yield Finding(
        Grade.OK if plenty else Grade.WARN,
        "open files",
        f"soft {soft}, hard {hard}",
        "" if plenty else f"raise the hard limit: `ulimit -Hn {ENOUGH_FILES}` as root",
    )
    used, most = _number("/proc/sys/kernel/pty/nr"), _number("/proc/sys/kernel/pty/max")
    if used is None or most is None:
        yield Finding(Grade.WARN, "terminals", "/proc/sys/kernel/pty cannot be read")
    else:
        yield terminals(used, most)
    pages = _number("/proc/sys/fs/pipe-user-pages-soft")
    enough = pages is None or pages == 0 or pages >= ENOUGH_PIPES
    fix = "" if enough else "sysctl -w fs.pipe-user-pages-soft=16384"
    yield Finding(
        Grade.OK if enough else Grade.WARN,
        "pipe pages",
        "unknown" if pages is None else str(pages),
        fix,
    )


def terminals(used: int, most: int) -> Finding:
    """Return whether there is room for more pseudo-terminals."""
    room = most - used >= FEW_PTYS
    fix = "" if room else f"sysctl -w kernel.pty.max={2 * most}"
    return Finding(Grade.OK if room else Grade.WARN, "terminals", f"{used} of {most} used", fix)


def directory(rundir: Rundir) -> Iterator[Finding]:
    """Yield whether the runtime directory can be used."""
    try:
        rundir.check()
    except RundirMissingError:
        yield Finding(Grade.OK, "runtime dir", f"{rundir.path} does not exist yet")
    except RundirError as error:
        yield Finding(Grade.FAIL, "runtime dir", str(error), "choose another with --runtime-dir")
    else:
        yield Finding(Grade.OK, "runtime dir", str(rundir.path))
    if not os.environ.get("XDG_RUNTIME_DIR") and rundir == resolve(None, {}, os.getuid()):
        yield Finding(
            Grade.WARN,
            "XDG_RUNTIME_DIR",
            f"is not set: a cleaner of temporary files may remove the sockets of {rundir.path}",
            "set XDG_RUNTIME_DIR, or LANEKEEPER_DIR",
        )


def plane(rundir: Rundir) -> Iterator[Finding]:
    """Yield whether a plane runs, and what a dead one left."""
    keeper = holder(rundir.lock)
    processes = [role for role, found in plane_processes(rundir) if found.pid != os.getpid()]
    if keeper is not None:
        yield Finding(Grade.OK, "plane", f"runs: keeper {keeper}, {len(processes)} processes")
        return
    left = len(processes) + len(plane_children(rundir))
    if left:
        yield Finding(
            Grade.FAIL,
            "plane",
            f"{left} processes live without a keeper",
            "`lane down` ends them",
        )
    elif rundir.wanted.exists():
        yield Finding(
            Grade.WARN, "plane", "died without being stopped", "`lane up` starts it again"
        )
    else:
        yield Finding(Grade.OK, "plane", "none runs; `lane up` starts one")


def _tried(name: str, probe: object, grade: Grade, without: str) -> Finding:
    try:
        if callable(probe):
            probe()
    except (OSError, AttributeError) as error:
        return Finding(grade, name, f"does not work: {error}", without)
    return Finding(Grade.OK, name, "works")


def _pidfd() -> None:
    descriptor = os.pidfd_open(os.getpid())
    try:
        signal.pidfd_send_signal(descriptor, 0)
        with contextlib.suppress(ChildProcessError):  # the answer of a kernel that can wait by it
            os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOHANG)
    finally:
        os.close(descriptor)


def _memfd() -> None:
    descriptor = os.memfd_create("lane-doctor", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, b"x")
    finally:
        os.close(descriptor)


def _pty() -> None:
    for descriptor in pty.openpty():
        os.close(descriptor)


def _splice() -> None:
    """Move a byte from a terminal into a pipe and on into a memfd, as a worker does."""
    with contextlib.ExitStack() as stack:
        master, slave = pty.openpty()
        reading, writing = os.pipe()
        log = os.memfd_create("lane-doctor", os.MFD_CLOEXEC)
        for descriptor in (master, slave, reading, writing, log):
            stack.callback(os.close, descriptor)
        tty.setraw(slave)
        os.write(slave, b"x")
        os.splice(master, writing, 1)
        os.splice(reading, log, 1, offset_dst=0)


def _sendfile() -> None:
    """Send a byte from a memfd's own position to a terminal, as a worker does with input."""
    with contextlib.ExitStack() as stack:
        master, slave = pty.openpty()
        log = os.memfd_create("lane-doctor", os.MFD_CLOEXEC)
        for descriptor in (master, slave, log):
            stack.callback(os.close, descriptor)
        tty.setraw(slave)
        os.pwrite(log, b"x", 0)
        if os.sendfile(master, log, None, 1) != 1 or os.lseek(log, 0, os.SEEK_CUR) != 1:
            raise OSError("the file position does not follow")


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text("ascii"))
    except (OSError, ValueError):
        return None
