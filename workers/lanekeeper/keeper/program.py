"""What broker and collector have in common as programs: arguments, directory, log, exit status.

Owns the way in (`run`) and the signals of the way out (`wakeup_pipe`). Refuses a runtime directory
that others could use. Called by the `__main__` and the `serve` of both; the other daemons take
their common options from here.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

from lanekeeper.keeper import logs
from lanekeeper.keeper.rundir import Rundir, RundirError, resolve

EXIT_FAILURE: Final = 1
EXIT_REFUSED: Final = 3
EXIT_CONFLICT: Final = 5

LOG: Final = logging.getLogger(__name__)


class AlreadyRunningError(Exception):
    """Another process has this role in this runtime directory."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every daemon has."""
    parser.add_argument("--runtime-dir", help="where the plane's sockets are")
    parser.add_argument("--log-level", default="info", help="debug, info, warning or error")
    parser.add_argument("--log-format", default="text", choices=("text", "json"))


def parser(role: str) -> argparse.ArgumentParser:
    """Return the parser of a daemon's arguments, with the options that every one has."""
    made = argparse.ArgumentParser(
        prog=f"python -m lanekeeper.{role}", description=f"The {role} of a Lanekeeper plane."
    )
    add_options(made)
    return made


def run(
    role: str,
    options: argparse.Namespace,
    serve: Callable[[Rundir], None],
    failures: tuple[type[Exception], ...],
) -> int:
    """Serve in the foreground and return the exit status.

    Args:
        role: `broker` or `collector`.
        options: what a `parser` made of the arguments.
        serve: serves until SIGTERM or SIGINT.
        failures: what `serve` raises when it cannot.
    """
    os.umask(0o077)
    try:
        rundir = resolve(options.runtime_dir, os.environ, os.getuid())
        rundir.create()
        logs.configure(role, rundir.log_file(role), options.log_level, options.log_format)
        serve(rundir)
    except (RundirError, ValueError) as error:
        return _complain(f"{role}: {error}", EXIT_REFUSED)
    except AlreadyRunningError as error:
        return _complain(f"{role}: {error}", EXIT_CONFLICT)
    except failures as error:
        return _complain(f"{role}: cannot serve: {error}", EXIT_FAILURE)
    return 0


def wakeup_pipe() -> int:
    """Return a descriptor that becomes readable when SIGTERM or SIGINT arrives."""
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _note_signal)
    return reading


def _note_signal(number: int, _frame: object) -> None:
    """Let the wake-up descriptor speak; the main loop does the rest."""
    LOG.info("received %s", signal.Signals(number).name)


def _complain(text: str, status: int) -> int:
    sys.stderr.write(f"{text}\n")
    return status
