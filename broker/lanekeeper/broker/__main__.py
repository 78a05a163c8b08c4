"""`python -m lanekeeper.broker --runtime-dir DIR`: the broker in the foreground.

The keeper starts it this way, `lane broker` too. Exit status: 0 after SIGTERM or SIGINT, 3 for a
runtime directory that cannot be used, 5 when another broker serves it, 1 otherwise.
"""

import sys
from collections.abc import Sequence

import zmq

from lanekeeper.broker.server import serve
from lanekeeper.keeper import program


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the broker and return its exit status."""
    options = program.parser("broker").parse_args(arguments)
    return program.run("broker", options, serve, (OSError, zmq.ZMQError))


if __name__ == "__main__":
    sys.exit(main())
