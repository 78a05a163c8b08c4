"""`python -m lanekeeper.broker --runtime-dir DIR`: the broker in the foreground.

The keeper starts it this way, `lane broker` too. Exit status: 0 after SIGTERM or SIGINT, 3 for a
runtime directory that cannot be used, 5 when another broker serves it, 1 otherwise.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

import zmq

from lanekeeper.broker.server import serve
from lanekeeper.broker.sockets import AlreadyRunningError
from lanekeeper.keeper import logs
from lanekeeper.keeper.rundir import RundirError, resolve
from lanekeeper.wire.limits import LOG_BUDGET, MIN_LOG_BUDGET

EXIT_FAILURE: Final = 1
EXIT_REFUSED: Final = 3
EXIT_CONFLICT: Final = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the broker and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m lanekeeper.broker", description="The broker of a Lanekeeper plane."
    )
    parser.add_argument("--runtime-dir", help="where the plane's sockets are")
    parser.add_argument("--log-level", default="info", help="debug, info, warning or error")
    parser.add_argument("--log-format", default="text", choices=("text", "json"))
    parser.add_argument(
        "--log-budget", type=int, default=LOG_BUDGET, help="bytes of all output logs together"
    )
    options = parser.parse_args(arguments)
    if options.log_budget < MIN_LOG_BUDGET:
        parser.error(f"--log-budget: at least {MIN_LOG_BUDGET} bytes, the size of one log")
    os.umask(0o077)
    try:
        rundir = resolve(options.runtime_dir, os.environ, os.getuid())
        rundir.create()
        logs.configure("broker", rundir.log_file("broker"), options.log_level, options.log_format)
        serve(rundir, options.log_budget)
    except (RundirError, ValueError) as error:
        sys.stderr.write(f"broker: {error}\n")
        return EXIT_REFUSED
    except AlreadyRunningError as error:
        sys.stderr.write(f"broker: {error}\n")
        return EXIT_CONFLICT
    except (OSError, zmq.ZMQError) as error:
        sys.stderr.write(f"broker: cannot serve: {error}\n")
        return EXIT_FAILURE
    return 0


if __name__ == "__main__":
    sys.exit(main())
