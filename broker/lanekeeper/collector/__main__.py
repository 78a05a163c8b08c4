"""`python -m lanekeeper.collector --runtime-dir DIR`: the collector in the foreground.

The keeper starts it this way, `lane collector` too. Exit status: 0 after SIGTERM or SIGINT, 3 for a
runtime directory that cannot be used, 1 otherwise.
"""

import sys
from collections.abc import Sequence

import zmq

from lanekeeper.collector.server import serve
from lanekeeper.keeper import program


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the collector and return its exit status."""
    options = program.parser("collector").parse_args(arguments)
    return program.run("collector", options, serve, (OSError, zmq.ZMQError))


if __name__ == "__main__":
    sys.exit(main())
