"""`python -m lanekeeper.keeper`: one keeper in the foreground.

Owns its arguments. Runs itself again when its environment lacks the markers by which the processes
of a plane are found: they are read from /proc, where only the first environment shows.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence

from lanekeeper.keeper import entry, identity, launch, program, rundir
from lanekeeper.keeper.beats import HANG_AFTER
from lanekeeper.keeper.forking import Inherited


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lanekeeper.keeper", description="Keep a plane.")
    program.add_options(parser)
    parser.add_argument("--ready-fd", type=int, default=None)
    parser.add_argument("--entry", default=launch.DEFAULT_ENTRY)
    parser.add_argument("--warm", type=int, default=launch.DEFAULT_WARM)
    parser.add_argument("--log-budget", type=int, default=None)
    parser.add_argument("--metrics-port", type=int, default=0)
    parser.add_argument("--ephemeral", action="store_true")
    parser.add_argument("--hang-after", type=float, default=HANG_AFTER)
    parser.add_argument("--listen-fd", type=int, default=None)
    parser.add_argument("--asked", action="store_true")
    parser.add_argument("--umask", type=lambda text: int(text, 8), default=None)
    parser.add_argument("--nofile", type=int, nargs=2, default=None, metavar=("SOFT", "HARD"))
    parser.add_argument("--command", type=json.loads, action="append", default=[])
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run a keeper with these arguments; return its exit code."""
    given = _arguments(argv)
    where = rundir.resolve(given.runtime_dir, os.environ, os.getuid())
    wanted = launch.environment(where, "keeper", os.environ)
    markers = (identity.PLANE_MARKER, identity.ROLE_MARKER)
    if any(os.environ.get(name) != wanted[name] for name in markers):
        command = [sys.executable, "-P", "-m", "lanekeeper.keeper", *argv]
        os.execve(sys.executable, command, wanted)
    inherited = None
    if given.umask is not None and given.nofile is not None:
        soft, hard = given.nofile
        inherited = Inherited(given.umask, (soft, hard))
    options = launch.Options(
        ready_fd=given.ready_fd,
        log_level=given.log_level,
        log_format=given.log_format,
        entry=given.entry,
        warm=given.warm,
        ephemeral=given.ephemeral,
        log_budget=given.log_budget,
        metrics_port=given.metrics_port,
        commands={role: argv for role, *argv in given.command},
        hang_after=given.hang_after,
        listen_fd=given.listen_fd,
        asked=given.asked,
        inherited=inherited,
    )
    return entry.main(where, options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
