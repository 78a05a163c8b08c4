"""`python -m lanekeeper.broker --runtime-dir DIR`: the broker in the foreground.

The keeper starts it this way, `lane broker` too. Exit status: 0 after SIGTERM or SIGINT, 3 for a
runtime directory that cannot be used, 5 when another broker serves it, 1 otherwise.
"""

import sys
from collections.abc import Sequence

import zmq

from lanekeeper.broker.server import serve
from lanekeeper.keeper import program
from lanekeeper.wire.limits import LOG_BUDGET, MIN_LOG_BUDGET


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the broker and return its exit status."""
    parser = program.parser("broker")
    parser.add_argument(
        "--log-budget", type=int, default=LOG_BUDGET, help="bytes of all output logs together"
    )
    options = parser.parse_args(arguments)
    if options.log_budget < MIN_LOG_BUDGET:
        parser.error(f"--log-budget: at least {MIN_LOG_BUDGET} bytes, the size of one log")
    failures = (OSError, zmq.ZMQError)
    return program.run("broker", options, lambda at: serve(at, options.log_budget), failures)


if __name__ == "__main__":
    sys.exit(main())
