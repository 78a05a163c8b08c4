"""A worker started by hand, for a lane that it makes by being there (`lane worker NAME`)."""

import argparse
import os
import sys
from datetime import UTC, datetime
from typing import Final

import zmq

from lanekeeper.keeper import logs
from lanekeeper.keeper.identity import current
from lanekeeper.keeper.program import add_options
from lanekeeper.keeper.rundir import Rundir, RundirError, resolve
from lanekeeper.wire.codec import decode_body, decode_response, encode
from lanekeeper.wire.endpoints import PlaneEndpoints
from lanekeeper.wire.envelope import Command, raw
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.ids import NAME_RULE, RANDOM_BYTES, is_name, make_id
from lanekeeper.wire.limits import DEFAULT_DEADLINE_MS
from lanekeeper.wire.messages.events import Assignment
from lanekeeper.wire.messages.plane import WorkspaceCreate, WorkspaceInfo, WorkspaceResult
from lanekeeper.wire.version import VERSION
from lanekeeper.workers.custody import Custody
from lanekeeper.workers.estate import blank, found
from lanekeeper.workers.runner import Worker
from lanekeeper.workers.sockets import Sockets

EXIT_REFUSED: Final = 3
EXIT_UNREACHABLE: Final = 7


def main(arguments: list[str] | None = None) -> int:
    """Serve one lane in the foreground until SIGTERM or `lane cleanup`; return the exit code."""
    parser = argparse.ArgumentParser(prog="lane worker", description=__doc__)
    parser.add_argument("name", help="the lane's name")
    parser.add_argument("--workspace", default="default", help="the workspace's name")
    add_options(parser)
    options = parser.parse_args(arguments)
    if not is_name(options.name):
        return _complain(f"name {options.name!r}: {NAME_RULE}", EXIT_REFUSED)
    rundir = resolve(options.runtime_dir, os.environ, os.getuid())
    try:
        rundir.check()
        workspace = _workspace(rundir, options.workspace)
    except RundirError as error:
        return _complain(str(error), EXIT_UNREACHABLE)
    except WireError as error:
        away = error.code == "TIMEOUT"
        return _complain(str(error), EXIT_UNREACHABLE if away else EXIT_REFUSED)
    logs.configure("worker", rundir.log / "worker.log", options.log_level, options.log_format)
    assignment = Assignment(
        lane_id=_new_id("lane"),
        workspace_id=workspace.id,
        workspace=workspace.name,
        name=options.name,
        generation=1,
        created=_timestamp(),
    )
    estate = found(assignment, rundir, blank())
    custody = Custody(rundir, current(), None)
    worker = Worker(rundir, estate, Sockets(str(rundir.path)), custody)
    status = worker.serve()
    return _complain(worker.refusal, status) if worker.refusal else status


def _complain(message: str, exit_code: int) -> int:
    sys.stderr.write(f"lane worker: {message}\n")
    return exit_code


def _workspace(rundir: Rundir, name: str) -> WorkspaceInfo:
    """Ask the broker for the workspace, made if it is missing; WireError when it refuses."""
    command = Command(
        v=VERSION,
        id=_new_id("command"),
        ts=_timestamp(),
        method="workspace.create",
        payload=raw(WorkspaceCreate(name=name, ensure=True)),
        correlation_id=_new_id("correlation"),
    )
    with zmq.Context() as context, context.socket(zmq.DEALER) as broker:
        broker.linger = 0
        broker.connect(PlaneEndpoints(str(rundir.path)).commands)
        broker.send(encode(command))
        if not broker.poll(DEFAULT_DEADLINE_MS):
            raise WireError("TIMEOUT", f"no broker in {rundir.path}; start one: lane broker")
        response = decode_response(broker.recv())
    if response.error is not None:
        raise WireError(response.error.code, response.error.message)
    return decode_body(response.result, WorkspaceResult, "workspace.create").workspace


def _new_id(kind: str) -> str:
    return make_id(kind, os.urandom(RANDOM_BYTES))


def _timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    raise SystemExit(main())
