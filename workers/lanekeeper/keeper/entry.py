"""The way into a keeper and out of it: directory, lock, leftovers, log, exit code.

Owns what happens before there is a keeper and after it. Refuses a directory that cannot be used,
one that has a keeper, and one where a plane runs on without its own. Called by `python -m
lanekeeper.keeper`.
"""

import logging
import os
import shutil
import sys
import time
from typing import Final

from lanekeeper.keeper import going, identity, launch, logs
from lanekeeper.keeper.channel import ChannelError
from lanekeeper.keeper.exits import become_subreaper
from lanekeeper.keeper.forking import Inherited
from lanekeeper.keeper.keeper import Keeper, Surroundings, announce
from lanekeeper.keeper.lock import LockedError, acquire
from lanekeeper.keeper.premises import read_wanted, write_wanted
from lanekeeper.keeper.rundir import Rundir, RundirError
from lanekeeper.keeper.status import PlaneInfo

EXIT_FAILED: Final = 1
EXIT_REFUSED: Final = 3
EXIT_CONFLICT: Final = 5
NAMED_MOST: Final = 5

_LOGGER: Final = logging.getLogger(__name__)


def main(rundir: Rundir, options: launch.Options) -> int:
    """Run the keeper of a runtime directory until its plane is down; return the exit code.

    Codes: 0 down, 1 failed, 3 the directory cannot be used, 5 another keeper runs there,
    130 and 143 forced by SIGINT and SIGTERM.
    """
    found = launch.prepare()
    inherited = options.inherited or found
    try:
        rundir.create()
        lock = acquire(rundir.lock)
    except RundirError as error:
        return _refuse(options, str(error), EXIT_REFUSED)
    except LockedError as error:
        return _refuse(options, str(error), EXIT_CONFLICT)
    left = _others(rundir, patient=options.listen_fd is None)
    if left and options.listen_fd is None:
        os.close(lock)
        return _refuse(options, _headless(rundir, left), EXIT_CONFLICT)
    try:
        logs.configure("keeper", rundir.log_file("keeper"), options.log_level, options.log_format)
        known = [one for one in left if one[0] != identity.FORK]  # the others come, or go
        keeper = _keeper(rundir, options, inherited, known)
        code = keeper.run()
    except (OSError, ValueError, ChannelError) as error:
        _LOGGER.exception("keeper failed")
        return _refuse(options, f"the keeper failed: {error}", EXIT_FAILED)
    finally:
        logs.reset()
    if keeper.retired:
        sys.stderr.write(
            f"this keeper was replaced; the plane in {rundir.path} runs on under the next one, "
            "and `lane down` stops it\n"
        )
    else:
        _leave(rundir, options)
    os.close(lock)
    return code


def _keeper(
    rundir: Rundir,
    options: launch.Options,
    inherited: Inherited,
    left: list[tuple[str, identity.Process]],
) -> Keeper:
    """Make the keeper of a new plane, or of one whose keeper is dead and whose processes live."""
    fresh = options.listen_fd is None
    if fresh:
        clean(rundir)
    info = introduce(rundir, fresh=fresh)
    become_subreaper()
    os.chdir("/")
    surroundings = Surroundings(
        launch.commands(rundir, options, inherited),
        launch.successor(rundir, options, inherited),
        None if fresh else left,
    )
    return Keeper(rundir, options, info, surroundings)


def _leave(rundir: Rundir, options: launch.Options) -> None:
    """Remove what a plane that is down has in its directory."""
    clean(rundir)
    for path in (rundir.wanted, rundir.lock):
        path.unlink(missing_ok=True)
    if options.ephemeral:
        shutil.rmtree(rundir.path, ignore_errors=True)


def introduce(rundir: Rundir, *, fresh: bool) -> PlaneInfo:
    """Return which plane this is, and write it into `wanted`; one that lives on keeps its id.

    Raises:
        OSError: it cannot be written.
    """
    known = None if fresh else read_wanted(rundir)
    plane, started = known or (f"plane_{os.urandom(8).hex()}", time.time())
    own = identity.current()
    info = PlaneInfo(plane, own.pid, own.start_time, started)
    write_wanted(rundir, info)
    return info


def clean(rundir: Rundir) -> None:
    """Remove the sockets and figures of a plane that is gone; its lock is held.

    Raises:
        OSError: one of them cannot be removed.
    """
    for path in (*rundir.sockets(), *launch.lane_files(rundir), *launch.metrics_files(rundir)):
        path.unlink(missing_ok=True)


def _others(rundir: Rundir, *, patient: bool) -> list[tuple[str, identity.Process]]:
    """Return the plane's processes; with patience without those that are on their way out."""

    def search() -> list[tuple[str, identity.Process]]:
        there = identity.plane_processes(rundir, by_hand=patient)
        return [one for one in there if one[1].pid != os.getpid()]

    return going.outwait(search, lambda one: one[1]) if patient else search()


def _headless(rundir: Rundir, left: list[tuple[str, identity.Process]]) -> str:
    """Say that a plane whose keeper is dead runs on here, with its programs."""
    known = ", ".join(f"{role} {process.pid}" for role, process in left[:NAMED_MOST])
    more = f" and {len(left) - NAMED_MOST} more" if len(left) > NAMED_MOST else ""
    return (
        f"a plane without its keeper runs in {rundir.path}: {known}{more}; "
        "`lane down` ends it with its programs, then start again"
    )


def _refuse(options: launch.Options, text: str, code: int) -> int:
    announce(options.ready_fd, f"error {text}")
    sys.stderr.write(f"{text}\n")
    return code
