"""What runs between fork and the new program: a worker's start, a terminal child's way to exec.

Owns the order of the steps after a fork, where only this thread exists and every mistake is
inherited: descriptors, signals, session, limits. Refuses to return: a forked child ends in
`os._exit` or in another program. Called by the nursery alone, which has no threads and no ZeroMQ.
"""

import contextlib
import errno
import fcntl
import gc
import json
import logging
import os
import resource
import signal
import sys
import termios
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from lanekeeper.keeper import brand, identity, logs
from lanekeeper.keeper.cloning import fork_into
from lanekeeper.keeper.shortage import explain

SPEC_MAX: Final = 4 * 1024 * 1024
"""Bytes of one spawn specification; the kernel's limit for arguments and environment is less."""

EXIT_WORKER_FAILED: Final = 70
EXIT_SPAWN_FAILED: Final = 127

_STDIO: Final = 3
_ROOM: Final = 2
_GATE: Final = 3
_ERRORS: Final = 4
_ABOVE: Final = 16
_FD_END: Final = 1 << 30

Limits = tuple[tuple[int, int, int], ...]

_LOGGER: Final = logging.getLogger(__name__)


class SpecError(ValueError):
    """A spawn specification has the wrong shape."""


@dataclass(frozen=True, slots=True)
class Inherited:
    """What whoever ran `lane up` had before the keeper changed it."""

    umask: int
    nofile: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Spec:
    """What a terminal's child runs, and in which surroundings."""

    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    umask: int
    limits: Limits
    brand: int | None = None
    cgroup: str | None = None


@dataclass(frozen=True, slots=True)
class ChildFds:
    """The descriptors a terminal's child starts with."""

    slave: int
    gate: int
    errors: int
    stdin: int | None


def parse_spec(data: bytes, inherited: Inherited) -> Spec:
    """Decode a specification: a JSON object with argv, cwd, env, umask, limits, brand and cgroup.

    Raises:
        SpecError: something is missing or of the wrong type.
    """
    try:
        fields = json.loads(data.decode("utf-8", "surrogateescape"))
        argv, cwd, env = fields["argv"], fields["cwd"], fields["env"]
        umask, limits = fields.get("umask"), fields.get("limits")
        valid = _strings(argv) and argv and isinstance(cwd, str) and isinstance(env, dict)
        if not (valid and _strings(env) and _strings(env.values())):
            raise SpecError("argv and env hold strings, argv at least one, and cwd is a string")
        return Spec(
            argv=tuple(argv),
            cwd=cwd,
            env=env,
            umask=inherited.umask if umask is None else int(umask) & 0o777,
            limits=_limits(limits, inherited),
            brand=None if fields.get("brand") is None else int(fields["brand"]),
            cgroup=None if fields.get("cgroup") is None else str(fields["cgroup"]),
        )
    except (
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise SpecError(f"not a spawn specification: {error!r}") from error


def read_spec(fd: int, inherited: Inherited) -> Spec:
    """Read a specification from a memfd, from its start.

    Raises:
        SpecError: it is not one, or is over 4 MiB.
        OSError: the descriptor cannot be read.
    """
    size = os.fstat(fd).st_size
    if size > SPEC_MAX:
        raise SpecError(f"a spawn specification of {size} bytes is more than {SPEC_MAX}")
    return parse_spec(os.pread(fd, size, 0), inherited)


@dataclass(frozen=True, slots=True)
class WorkerStart:
    """How a worker starts."""

    main: Callable[[str], int]
    """Gets the runtime directory, returns the exit code."""

    rundir: Path
    log_level: str
    log_format: str


@contextlib.contextmanager
def room() -> Iterator[None]:
    """Hold descriptors during a fork: for the child's pidfd, and to read when it was started.

    Raises:
        OSError: there are none left: nothing is to be forked that could not be watched.
    """
    with contextlib.ExitStack() as spare:
        for _ in range(_ROOM):
            spare.callback(os.close, os.dup(0))
        yield


def fork_worker(start: WorkerStart, release: Callable[[], None]) -> int:
    """Fork a process that runs `main(rundir)` and exits with its result; return its pid.

    `release` closes what the nursery's objects hold, in the child.

    Raises:
        OSError: the kernel does not fork.
    """
    with signals_blocked():
        pid = os.fork()
        if pid == 0:
            _become_worker(start, release)
    return pid


def fork_child(spec: Spec, fds: ChildFds) -> int:
    """Fork a terminal's child, which waits at its gate before it runs the program; return its pid.

    Raises:
        OSError: the kernel does not fork.
    """
    with signals_blocked():
        pid = fork_into(spec.cgroup)
        if pid == 0:
            _become_child(spec, fds)
    return pid


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Let no signal in around a fork."""
    # A signal that reached the child while it still has the nursery's handlers would be taken
    # for one to the nursery: both ends of the wake-up pipe are shared until they are closed.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _become_worker(start: WorkerStart, release: Callable[[], None]) -> NoReturn:
    code = EXIT_WORKER_FAILED
    log = start.rundir / "log" / "worker.log"
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        release()
        logs.reset()
        os.closerange(_STDIO, _FD_END)
        # The environment still says nursery; the name tells a worker apart, here and in ps.
        comm = os.open("/proc/self/comm", os.O_WRONLY)
        os.write(comm, identity.WORKER_COMM.encode())
        os.close(comm)
        default_signals(spare=signal.SIGPIPE)
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        logs.configure("worker", log, start.log_level, start.log_format)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        code = start.main(os.fspath(start.rundir))
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else EXIT_WORKER_FAILED
    except BaseException:  # nothing of the nursery's may run on in this process
        _LOGGER.exception("worker failed")
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _become_child(spec: Spec, fds: ChildFds) -> NoReturn:
    stage, errors = "tty", fds.errors
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        fcntl.ioctl(fds.slave, termios.TIOCSCTTY, 0)
        _arrange(fds)
        errors = _ERRORS
        default_signals()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.umask(spec.umask)
        stage = "limits"
        for number, soft, hard in spec.limits:
            resource.setrlimit(number, (soft, hard))
        if spec.brand is not None:
            brand.put(spec.brand)
        stage = "chdir"
        os.chdir(spec.cwd)
        stage = "gate"
        _pass_gate()
        stage = "exec"
        os.execvpe(spec.argv[0], spec.argv, spec.env)
    except (OSError, ValueError, TypeError, OverflowError) as error:
        _tell(errors, stage, error)
    finally:
        os._exit(EXIT_SPAWN_FAILED)


def _arrange(fds: ChildFds) -> None:
    """Put slave or pipe on 0, slave on 1 and 2, gate on 3, errors on 4; close all others."""
    slave, gate, errors, stdin = (
        fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
        for fd in (fds.slave, fds.gate, fds.errors, fds.slave if fds.stdin is None else fds.stdin)
    )
    for source, target in ((stdin, 0), (slave, 1), (slave, 2)):
        os.dup2(source, target)
    os.dup2(gate, _GATE, inheritable=False)
    os.dup2(errors, _ERRORS, inheritable=False)
    os.closerange(_ERRORS + 1, _FD_END)


def _pass_gate() -> None:
    if not os.read(_GATE, 1):
        # Whoever reads this may not have seen the gate: 0 would be a program that succeeded.
        raise OSError(errno.ECANCELED, "the gate closed before the program ran")


def _tell(errors: int, stage: str, error: BaseException) -> None:
    number = error.errno if isinstance(error, OSError) and error.errno else errno.EINVAL
    text = explain(error) if isinstance(error, OSError) and error.strerror else str(error)
    message = {"stage": stage, "errno": number, "strerror": text}
    with contextlib.suppress(OSError):
        os.write(errors, json.dumps(message).encode())


def default_signals(spare: signal.Signals | None = None) -> None:
    """Let signals do what they do by default; our own processes `spare` one of Python's."""
    for number in signal.valid_signals():
        if number not in {signal.SIGKILL, signal.SIGSTOP, spare}:
            signal.signal(number, signal.SIG_DFL)
    if spare is not None:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _limits(limits: Sequence[Sequence[int]] | None, inherited: Inherited) -> Limits:
    if limits is None:
        return ((resource.RLIMIT_NOFILE, *inherited.nofile),)
    return tuple((int(number), int(soft), int(hard)) for number, soft, hard in limits)


def _strings(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def settle() -> None:
    """Prepare a process for forking: what is there now is never touched by a collection again.

    A collection would write to every object and so copy every page in every worker.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
