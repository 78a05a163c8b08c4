"""`python -m lanekeeper.collector --runtime-dir DIR`: the collector in the foreground.

The keeper starts it this way, `lane collector` too. Exit status: 0 after SIGTERM or SIGINT, 3 for a
runtime directory that cannot be used, 1 otherwise.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

import zmq

from lanekeeper.collector.server import serve
from lanekeeper.keeper import logs
from lanekeeper.keeper.rundir import RundirError, resolve

EXIT_FAILURE: Final = 1
EXIT_REFUSED: Final = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the collector and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m lanekeeper.collector", description="The collector of a Lanekeeper plane."
    )
    parser.add_argument("--runtime-dir", help="where the plane's sockets are")
    parser.add_argument("--log-level", default="info", help="debug, info, warning or error")
    parser.add_argument("--log-format", default="text", choices=("text", "json"))
    options = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        rundir = resolve(options.runtime_dir, os.environ, os.getuid())
        rundir.create()
        logs.configure(
            "collector", rundir.log_file("collector"), options.log_level, options.log_format
        )
        serve(rundir)
    except (RundirError, ValueError) as error:
        sys.stderr.write(f"collector: {error}\n")
        return EXIT_REFUSED
    except (OSError, zmq.ZMQError) as error:
        sys.stderr.write(f"collector: cannot serve: {error}\n")
        return EXIT_FAILURE
    return 0


if __name__ == "__main__":
    sys.exit(main())
