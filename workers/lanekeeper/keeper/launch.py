"""How the daemons of a plane are started, and with which surroundings.

Owns the command lines, the markers in the environment, and what the keeper changes of its own
limits. Refuses to keep a handle on a process: the keeper watches pidfds. Called by the keeper; the
command line uses `environment` to start a keeper the same way.
"""

import contextlib
import errno
import fcntl
import json
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lanekeeper.keeper import brand, cgroups, identity
from lanekeeper.keeper.beats import HANG_AFTER
from lanekeeper.keeper.events import BROKER, COLLECTOR, NURSERY
from lanekeeper.keeper.forking import Inherited
from lanekeeper.keeper.rundir import Rundir

DEFAULT_ENTRY: Final = "lanekeeper.workers.warm:main"
DEFAULT_WARM: Final = 4

LISTENER_FD: Final = 3
"""Where a keeper that takes over finds the socket it listens on."""

_STDERR: Final = 2
_IGNORED: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
"""Signals that the keeper, or who started it, may ignore; its daemons do not inherit that."""

_FOREIGN: Final = ("LANEKEEPER_LANE", "LANEKEEPER_SESSION", "LANEKEEPER_TERMINAL")


@dataclass(frozen=True, slots=True)
class Options:
    """How a keeper runs its plane."""

    ready_fd: int | None = None
    """Gets `ready` or `error MESSAGE`, one line, and is closed."""

    log_level: str = "info"
    log_format: str = "text"
    entry: str = DEFAULT_ENTRY
    """What workers run, as MODULE:FUNCTION."""

    warm: int = DEFAULT_WARM
    """Workers kept ready."""

    log_budget: int | None = None
    """Bytes of all output logs together; None for the broker's default."""

    metrics_port: int = 0
    """Of the collector's pages on loopback; 0 for any."""

    ephemeral: bool = False
    """Whether the runtime directory goes away, logs included, with the plane."""

    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Command lines by role, in place of the usual ones."""

    hang_after: float = HANG_AFTER
    """Seconds without a sign of life that mean a hang."""

    listen_fd: int | None = None
    """The listening socket of a keeper that is dead: its plane lives on and is taken over."""

    asked: bool = False
    """Whether the keeper before this one was to be replaced; of this one alone."""

    inherited: Inherited | None = None
    """What the first keeper of the plane found; None for what this one finds."""


def prepare() -> Inherited:
    """Raise the descriptor limit, set umask 077, and return what was before.

    Descriptors that whoever started us left open are not passed on.
    """
    for number in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if number > _STDERR:
            with contextlib.suppress(OSError):
                fcntl.fcntl(number, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    brand.shed()
    cgroups.leave()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return Inherited(umask=os.umask(0o077), nofile=(soft, hard))


def environment(rundir: Rundir, role: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process of ours: with its markers, without a terminal's."""
    kept = {name: value for name, value in environ.items() if name not in _FOREIGN}
    directory = os.fspath(rundir.path)
    return {
        **kept,
        identity.DIR_MARKER: directory,
        identity.PLANE_MARKER: directory,
        identity.ROLE_MARKER: role,
    }


def commands(rundir: Rundir, options: Options, inherited: Inherited) -> dict[str, list[str]]:
    """Return the command line of each daemon.

    -P keeps the working directory out of the import path: a plane may be started anywhere.
    """
    directory = os.fspath(rundir.path)
    python = [sys.executable, "-P", "-m"]
    nursery = [*python, "lanekeeper.keeper.nursery", "--runtime-dir", directory]
    nursery += ["--entry", options.entry, "--umask", f"{inherited.umask:o}"]
    nursery += ["--nofile", *(str(limit) for limit in inherited.nofile)]
    nursery += ["--log-level", options.log_level, "--log-format", options.log_format]
    nursery += ["--hang-after", str(options.hang_after)]
    broker = [*python, "lanekeeper.broker", "--runtime-dir", directory]
    if options.log_budget is not None:
        broker += ["--log-budget", str(options.log_budget)]
    collector = [*python, "lanekeeper.collector", "--runtime-dir", directory]
    collector += ["--metrics-port", str(options.metrics_port)]
    usual = {
        NURSERY: nursery,
        BROKER: broker,
        COLLECTOR: collector,
    }
    return {role: list(options.commands.get(role, usual[role])) for role in usual}


def successor(rundir: Rundir, options: Options, inherited: Inherited) -> list[str]:
    """Return the command line of the keeper that takes over when this one is dead."""
    command = [sys.executable, "-P", "-m", "lanekeeper.keeper"]
    command += ["--runtime-dir", os.fspath(rundir.path)]
    command += ["--log-level", options.log_level, "--log-format", options.log_format]
    command += ["--entry", options.entry, "--warm", str(options.warm)]
    command += ["--hang-after", str(options.hang_after), "--listen-fd", str(LISTENER_FD)]
    command += ["--metrics-port", str(options.metrics_port)]
    command += ["--umask", f"{inherited.umask:o}"]
    command += ["--nofile", *(str(limit) for limit in inherited.nofile)]
    if options.log_budget is not None:
        command += ["--log-budget", str(options.log_budget)]
    if options.ephemeral:
        command.append("--ephemeral")
    for role, argv in options.commands.items():
        command += ["--command", json.dumps([role, *argv])]
    return command


def launch(
    rundir: Rundir, role: str, argv: list[str], listener: int | None = None
) -> identity.Process:
    """Start a daemon in its own session, its output appended to its log.

    Descriptors are not inherited, all of ours are close-on-exec; but for a `listener`, which the
    new process finds as `LISTENER_FD`.

    Raises:
        OSError: the program cannot be executed, or not be known: then it is ended.
    """
    log = os.fspath(rundir.log_file(role))
    append = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    given = [] if listener is None else [(os.POSIX_SPAWN_DUP2, listener, LISTENER_FD)]
    pid = os.posix_spawn(
        argv[0],
        argv,
        environment(rundir, role, os.environ),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *given,
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=_IGNORED,
    )
    # Nobody but us reaps it, so that the pid is its own even if it has ended already.
    started = identity.start_time(pid, zombies=True)
    if started is None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise OSError(errno.EMFILE, f"/proc/{pid}/stat cannot be read")
    return identity.Process(pid, started)


def lane_files(rundir: Rundir) -> list[Path]:
    """Return what lies in `lanes/`: the sockets of workers that are gone, when no plane runs."""
    return sorted(rundir.lanes.iterdir()) if rundir.lanes.is_dir() else []


def metrics_files(rundir: Rundir) -> list[Path]:
    """Return what a collector has left in `metrics/`: each plane has a token of its own."""
    return sorted(rundir.metrics.iterdir()) if rundir.metrics.is_dir() else []
