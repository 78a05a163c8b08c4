"""`python -m lanekeeper.collector --runtime-dir DIR`: the collector in the foreground.

The keeper starts it this way, `lane collector` too. Exit status: 0 after SIGTERM or SIGINT, 3 for a
runtime directory that cannot be used, 1 otherwise.
"""

import sys
from collections.abc import Sequence
from functools import partial

import zmq

from lanekeeper.collector.server import Options, serve
from lanekeeper.keeper import program


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the collector and return its exit status."""
    parser = program.parser("collector")
    parser.add_argument("--metrics-port", type=int, default=0, help="on loopback; 0 for any")
    options = parser.parse_args(arguments)
    serving = partial(serve, options=Options(port=options.metrics_port))
    return program.run("collector", options, serving, (OSError, zmq.ZMQError))


if __name__ == "__main__":
    sys.exit(main())
