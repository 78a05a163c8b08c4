"""Starting a daemon out of the nursery: by a fork where it is warm for it, else by executing it.

A fork saves the start of an interpreter, which is most of what a restart takes. Owns the steps of
the forked process from the nursery's to its own: what it is seen as, descriptors, signals, streams,
environment. Refuses to return from there: it ends in `os._exit`. A daemon of the keeper's waits at
a gate until the keeper has been told of it, and goes when the nursery dies before that. Called by
the nursery and its warden.
"""

import contextlib
import fcntl
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from lanekeeper.keeper import identity, launch, logs
from lanekeeper.keeper.brood import Brood
from lanekeeper.keeper.channel import Channel
from lanekeeper.keeper.forking import default_signals, room, signals_blocked
from lanekeeper.keeper.framing import close_all
from lanekeeper.keeper.loop import Loop
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.keeper.warmth import Birth, Warmth

EXIT_FAILED: Final = 70

_ABOVE: Final = 16
_FD_END: Final = 1 << 30
_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rebirth:
    """How the nursery of a plane starts daemons."""

    rundir: Rundir
    loop: Loop
    brood: Brood
    warmth: Warmth
    release: Callable[[], None]
    """Closes what the nursery's objects hold, in a forked child."""

    def keeper(self, argv: Sequence[str], listener: int, *, anew: bool) -> identity.Process:
        """Start a keeper that listens on this socket; `anew`, in a fresh interpreter.

        Raises:
            OSError: neither a fork nor the program can be had.
        """
        birth = None if anew else self.warmth.birth("keeper", argv)
        if birth is not None:
            with contextlib.suppress(OSError):
                pid = self._fork(birth, listener, None)
                return identity.Process(pid, identity.start_time(pid, zombies=True) or 0)
        return launch.launch(self.rundir, "keeper", list(argv), listener)

    def start(self, channel: Channel, message: dict[str, Any]) -> None:
        """Start a daemon for the keeper and tell it so; `cold` when it has to execute it."""
        role, number = str(message.get("role")), message.get("id")
        argv = [str(word) for word in message.get("argv", ())]
        birth = self.warmth.birth(role, argv)
        if birth is None:
            self.loop.send(channel, {"op": "cold", "id": number})
            return
        pipe: tuple[int, ...] = ()
        try:
            pipe = gate, opener = os.pipe2(os.O_CLOEXEC)
            with room():
                pid = self._fork(birth, None, gate)
            process = self.brood.adopt(pid, channel, worker=True).process
            who = {"pid": pid, "start_time": process.start_time}
            self.loop.send(channel, {"op": "started", "id": number, **who})
            os.write(opener, b"\n")
        except OSError:
            _LOGGER.exception("cannot fork a %s", role)
            self.loop.send(channel, {"op": "cold", "id": number})
        finally:
            close_all(pipe)

    def _fork(self, birth: Birth, listener: int | None, gate: int | None) -> int:
        with signals_blocked():
            pid = os.fork()
            if pid == 0:
                self._become(birth, listener, gate)
        _LOGGER.info("forked a %s as pid %d", birth.role, pid)
        return pid

    def _become(self, birth: Birth, listener: int | None, gate: int | None) -> NoReturn:
        code = EXIT_FAILED
        try:
            # First of all: until then it looks like a second nursery.
            birth.guise.wear(birth.argv, birth.role)
            os.setsid()
            signal.set_wakeup_fd(-1)
            self._shed(birth.role, listener, gate)
            os.environ.update(launch.environment(self.rundir, birth.role, os.environ))
            sys.argv = list(birth.argv[3:])
            gc.enable()
            code = birth.run()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else EXIT_FAILED
        except BaseException:  # nothing of the nursery's may run on in this process
            _LOGGER.exception("%s failed", birth.role)
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _shed(self, role: str, listener: int | None, gate: int | None) -> None:
        """Keep what the new process is to have, and pass the gate; the nursery's rest is closed."""
        kept = [
            None if fd is None else fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
            for fd in (listener, gate)
        ]
        self.release()
        logs.reset()
        # The listener is where an executed keeper finds it; the gate goes next to it.
        numbers = (launch.LISTENER_FD, launch.LISTENER_FD + 1)
        for fd, number in zip(kept, numbers, strict=True):
            if fd is not None:
                os.dup2(fd, number, inheritable=False)
            else:
                os.closerange(number, number + 1)
        os.closerange(numbers[-1] + 1, _FD_END)
        default_signals(spare=signal.SIGPIPE)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        append = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        output = os.open(self.rundir.log_file(role), append, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if gate is not None:
            opened = os.read(numbers[-1], 1)
            os.close(numbers[-1])
            if not opened:
                sys.exit(0)
