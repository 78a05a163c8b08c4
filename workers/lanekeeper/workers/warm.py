"""A worker before it has a lane: warm, so that a lane waits for nothing that can be done before.

The nursery forks workers that call `main`; the keeper gives one its lane with `assign`. Until then
a worker connects, and rehearses the first steps of a lane: after a fork every page is copied when
it is first written to, and that is done while nobody waits.
"""

import gc
import os
from pathlib import Path
from typing import Final

import msgspec
import zmq

from lanekeeper.keeper.channel import Channel, connect
from lanekeeper.keeper.identity import Process, current
from lanekeeper.keeper.journal import Journal as JournalFile
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.codec import encode
from lanekeeper.wire.ids import DEFAULT_WORKSPACE, DEFAULT_WORKSPACE_ID, RANDOM_BYTES, make_id
from lanekeeper.wire.messages.events import Assignment
from lanekeeper.wire.messages.lane import Endpoints
from lanekeeper.workers.actions import Journal
from lanekeeper.workers.core import LaneCore
from lanekeeper.workers.records import encode_record
from lanekeeper.workers.runner import Worker, moment, registration
from lanekeeper.workers.sockets import READ, Sockets
from lanekeeper.workers.state import LaneState
from lanekeeper.workers.turn import Surroundings

_REHEARSED: Final = Assignment(
    lane_id=make_id("lane", bytes(RANDOM_BYTES)),
    workspace_id=DEFAULT_WORKSPACE_ID,
    workspace=DEFAULT_WORKSPACE,
    name="rehearsal",
    generation=1,
    created="1970-01-01T00:00:00.000Z",
)


def main(directory: str) -> int:
    """Become a worker: wait warm for a lane, serve it, and return the exit code.

    Called by the nursery in a fresh fork. Without a keeper, or when the keeper goes before it gave
    a lane, there is nothing to do and the worker exits with 0.
    """
    gc.enable()
    rundir = Rundir(Path(directory))
    try:
        keeper = connect(rundir.keeper_sock)
    except OSError:
        return 0
    me = current()
    keeper.send({"op": "hello", "role": "worker", "pid": me.pid, "start_time": me.start_time})
    sockets = Sockets(directory)
    _rehearse(me)
    keeper.send({"op": "ready"})
    assignment = _await_lane(keeper)
    if assignment is None:
        keeper.close()
        sockets.close()
        return 0
    return Worker(rundir, assignment, sockets).serve(keeper)


def _rehearse(me: Process) -> None:
    """Do what a new lane does first, without anybody hearing of it."""
    assignment = msgspec.convert(msgspec.to_builtins(_REHEARSED), Assignment)
    around = Surroundings(os.urandom, lambda _: None, Endpoints(output="", control=""))
    core = LaneCore(LaneState(assignment), around)
    journal = JournalFile.create("lanekeeper-rehearsal")
    for action in core.first(moment()):
        if isinstance(action, Journal):
            journal.append(encode_record(action.record))
    encode(registration(core, me, moment()))
    journal.close()


def _await_lane(keeper: Channel) -> Assignment | None:
    """Wait, however long, for the keeper's `assign`; None when there will be none."""
    poller = zmq.Poller()
    poller.register(keeper.fileno(), READ)
    while not keeper.closed:
        poller.poll()
        for received in keeper.receive():
            received.close()
            if received.message["op"] == "assign":
                return msgspec.convert(received.message["lane"], Assignment)
            if received.message["op"] == "drain":
                return None
    return None
