"""A worker started by hand, for a lane that it makes by being there (`lane worker`)."""

import argparse
import os
import signal
from datetime import UTC, datetime

from lanekeeper.keeper import logs
from lanekeeper.keeper.rundir import resolve
from lanekeeper.wire.ids import RANDOM_BYTES, make_id
from lanekeeper.wire.messages.events import Assignment
from lanekeeper.workers.runner import Worker
from lanekeeper.workers.sockets import Sockets


def main() -> int:
    """Serve one lane in the foreground until SIGTERM or `lane cleanup`; return the exit code."""
    parser = argparse.ArgumentParser(prog="lane worker")
    parser.add_argument("name", help="the lane's name")
    parser.add_argument("--workspace", default="default", help="the workspace's name")
    parser.add_argument("--runtime-dir", default=None)
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--log-format", default="text", choices=("text", "json"))
    options = parser.parse_args()
    rundir = resolve(options.runtime_dir, os.environ, os.getuid())
    rundir.create()
    logs.configure("worker", rundir.log / "worker.log", options.log_level, options.log_format)
    assignment = Assignment(
        lane_id=make_id("lane", os.urandom(RANDOM_BYTES)),
        workspace_id="ws_x",
        workspace=options.workspace,
        name=options.name,
        generation=1,
        created=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return Worker(rundir, assignment, Sockets(str(rundir.path))).serve(None)


if __name__ == "__main__":
    raise SystemExit(main())
