"""A worker before it has a lane: warm, so that a lane waits for nothing that can be done before.

The nursery forks workers that call `main`; the keeper gives one its lane with `assign`. Until then
a worker connects, and rehearses the first steps of a lane: after a fork every page is copied when
it is first written to, and that is done while nobody waits.
"""

import gc
import os
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import zmq

from lanekeeper.keeper import hooks
from lanekeeper.keeper.channel import Channel, connect
from lanekeeper.keeper.deposits import Deposits
from lanekeeper.keeper.identity import Process, current
from lanekeeper.keeper.journal import Journal as JournalFile
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.codec import encode
from lanekeeper.wire.ids import DEFAULT_WORKSPACE, DEFAULT_WORKSPACE_ID, RANDOM_BYTES, make_id
from lanekeeper.wire.messages.events import Assignment
from lanekeeper.wire.messages.lane import Endpoints
from lanekeeper.wire.meter import Meter
from lanekeeper.workers.actions import Journal
from lanekeeper.workers.book import Book
from lanekeeper.workers.core import LaneCore
from lanekeeper.workers.custody import Custody
from lanekeeper.workers.effects import Effects
from lanekeeper.workers.estate import (
    JOURNAL,
    Estate,
    InheritanceError,
    blank,
    found,
    inherit,
    surplus,
)
from lanekeeper.workers.figures import ROLE, Figures
from lanekeeper.workers.records import encode_records
from lanekeeper.workers.runner import Worker, moment, registration
from lanekeeper.workers.sockets import READ, Sockets
from lanekeeper.workers.spawner import Spawner
from lanekeeper.workers.state import LaneState
from lanekeeper.workers.turn import Surroundings

_PATIENCE: Final = 5.0
"""Seconds for the keeper to have room for us; it ends a worker that takes twice as long."""

_REHEARSED: Final = Assignment(
    lane_id=make_id("lane", bytes(RANDOM_BYTES)),
    workspace_id=DEFAULT_WORKSPACE_ID,
    workspace=DEFAULT_WORKSPACE,
    name="rehearsal",
    generation=1,
    created="1970-01-01T00:00:00.000Z",
)


@dataclass(slots=True)
class Legacy:
    """What the keeper hands over before it assigns a lane, and how much it says that is.

    `later` is what it said in the same breath, for the worker of that lane to hear.
    """

    entries: dict[str, dict[str, int]] = field(default_factory=dict)
    said: int = 0
    later: list[dict[str, Any]] = field(default_factory=list)

    @property
    def held(self) -> int:
        """How many descriptors came."""
        return sum(len(entry) for entry in self.entries.values())


def main(directory: str) -> int:
    """Become a worker: wait warm for a lane, serve it, and return the exit code.

    Called by the nursery in a fresh fork. Without a keeper, or when the keeper goes before it gave
    a lane, there is nothing to do and the worker exits with 0.
    """
    gc.enable()
    rundir = Rundir(Path(directory))
    try:
        keeper = connect(rundir.keeper_sock, _PATIENCE)
    except OSError:
        return 0
    me = current()
    keeper.send({"op": "hello", "role": "worker", "pid": me.pid, "start_time": me.start_time})
    sockets = Sockets(directory)
    _rehearse(me, rundir, sockets)
    journal = blank()
    legacy = Legacy()
    assignment = _await_lane(keeper, legacy)
    if assignment is None:
        keeper.close()
        sockets.close()
        return 0
    custody = Custody(rundir, me, keeper)
    custody.serve(msgspec.to_builtins(assignment))
    if legacy.entries:
        hooks.at("worker.heir.assigned")
    estate = _estate(assignment, rundir, legacy, custody, journal)
    return Worker(rundir, estate, sockets, custody).serve(legacy.later)


def _estate(
    assignment: Assignment, rundir: Rundir, legacy: Legacy, custody: Custody, journal: JournalFile
) -> Estate:
    """Begin a lane, or take over what there is of it; the vault has what was inherited."""
    if not legacy.entries:
        return found(assignment, rundir, journal)
    journal.close()
    if legacy.held != legacy.said:
        raise InheritanceError(f"{legacy.held} descriptors came of {legacy.said} in the vault")
    estate = inherit(assignment, legacy.entries, time.monotonic())
    hooks.at("worker.heir.replayed")
    for name, entry in legacy.entries.items():
        custody.deposits.inherited(name, entry)
    for name, kinds in surplus(legacy.entries, estate):
        custody.deposits.drop(name, kinds)
    return estate


def _rehearse(me: Process, rundir: Rundir, sockets: Sockets) -> None:
    """Do what a new lane does first, without anybody hearing of it."""
    assignment = msgspec.convert(msgspec.to_builtins(_REHEARSED), Assignment)
    around = Surroundings(os.urandom, lambda _: None, Endpoints(output="", control=""))
    state = LaneState(assignment)
    core = LaneCore(state, around)
    journal = JournalFile.create("lanekeeper-rehearsal")
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = Channel(near)
    deposits = Deposits()
    deposits.use(channel)
    spawner, book = Spawner(rundir, deposits), Book(journal, state)
    effects = Effects(sockets, spawner, book, state, {}, deposits)
    # Gathered at the beginning of time, when nothing is due yet to be pushed.
    Figures(Meter(ROLE, me.pid, me.start_time, time.monotonic()), effects).push(0.0)
    deposits.put(JOURNAL, {JOURNAL: journal.fd})
    for action in core.first(moment()):
        if isinstance(action, Journal):
            journal.append(encode_records([action.record]))
    encode(registration(core, me, moment()))
    channel.close()
    far.close()
    journal.close()


def _await_lane(keeper: Channel, legacy: Legacy) -> Assignment | None:
    """Wait, however long, for the keeper's `assign`; None when there will be none."""
    poller = zmq.Poller()
    poller.register(keeper.fileno(), READ)
    assignment: Assignment | None = None
    while not keeper.closed:
        poller.poll()
        for received in keeper.receive():
            message = received.message
            if message["op"] == "inherit":
                pairs = zip(message["kinds"], received.fds, strict=True)
                legacy.entries[message["name"]] = dict(pairs)
                continue
            received.close()
            if assignment is not None:
                legacy.later.append(message)
            elif message["op"] == "assign":
                legacy.said = message.get("held", 0)
                assignment = msgspec.convert(message["lane"], Assignment)
            elif message["op"] == "drain":
                return None
        if assignment is not None:
            break
    return assignment
