"""Starting programs: the composite operations `launch` and `run`.

`run` never loses output: its consumer is registered in the same step that starts the program.
Called by both shells, with a program that `starting` has made.
"""

from typing import Final

from msgspec import Struct, structs

from lanekeeper.client import operations
from lanekeeper.client.effects import Ids, Operation, Start, fresh, pause
from lanekeeper.client.errors import LaneError, TimedOutError, error_for
from lanekeeper.client.feeding import InputQueue
from lanekeeper.client.following import OutputFlow, tend
from lanekeeper.client.items import Data, Ended, Gap
from lanekeeper.client.joining import Place
from lanekeeper.client.leases import Lease
from lanekeeper.client.starting import Feeding, Policy, Program
from lanekeeper.client.stream import Assembly
from lanekeeper.client.writing import Hold, claim
from lanekeeper.wire.messages.lane import LaneInfo
from lanekeeper.wire.messages.session import SessionCreate
from lanekeeper.wire.messages.terminal import Consume, ExitStatus, Spawned, Write

STOP_GRACE: Final = 1.0
"""Grace of a program whose `run` was given up."""


class Launched(Struct, frozen=True):
    """A started program.

    `lease` is there when a consumer was registered with it, `hold` when the writer lease was taken.
    """

    spawned: Spawned
    lease: Lease | None
    hold: Hold | None = None


class Finished(Struct, frozen=True):
    """A program that was run to its end."""

    spawned: Spawned
    output: bytes
    exit: ExitStatus
    gaps: tuple[Gap, ...]


def launch(lane: LaneInfo, what: Program, correlation_id: str | None = None) -> Operation[Launched]:
    """Ensure the session and start the program on a new terminal.

    A start that was repeated finds the terminal of the first one, whose consumer and whose writer
    lease are not this client's: both are to be had anew.
    """
    correlation = correlation_id or (yield from fresh("correlation"))
    session = yield from operations.ensure_session(
        lane.id, SessionCreate(name=what.session), correlation
    )
    ids = Ids(lane.workspace_id, lane.id, session.id)
    body = what.body
    leases: dict[str, Lease] = {}
    try:
        if what.policy != "drop":
            leases["read"], _ = yield from operations.attach_session(ids, correlation)
            consume = Consume(lease_id=leases["read"].lease_id, policy=what.policy, offset=0)
            body = structs.replace(body, consume=consume)
        if what.write is not None:
            leases["write"], _ = yield from operations.attach_session(ids, correlation)
            tty = what.write == "tty"
            body = structs.replace(body, write=Write(lease_id=leases["write"].lease_id, tty=tty))
        spawned = yield from operations.spawn(ids, body, correlation, what.command_id)
        repeated = what.command_id is not None and (yield from _repeated(spawned, leases, what))
    except LaneError:
        yield from _give_back(leases)
        raise
    if repeated:
        yield from _give_back(leases)
        return Launched(spawned, None)
    return Launched(spawned, leases.get("read"), _hold(spawned, leases.get("write"), what))


def _give_back(leases: dict[str, Lease]) -> Operation[None]:
    for lease in leases.values():
        yield from operations.detach(lease)


def _repeated(spawned: Spawned, leases: dict[str, Lease], what: Program) -> Operation[bool]:
    """Return whether the answer of a start is that of an earlier one: what it names is not ours.

    What cannot be known is a repetition where writing is concerned: nobody types as another does.
    """
    try:
        if "read" in leases and (yield from _reads_not(spawned, leases["read"])):
            return True
        return "write" in leases and (yield from _writes_not(spawned, leases["write"], what))
    except LaneError:
        # A consumer that is not ours shows itself when it acknowledges.
        return "write" in leases


def _reads_not(spawned: Spawned, lease: Lease) -> Operation[bool]:
    consumers = yield from operations.list_consumers(spawned.terminal.id, spawned.endpoints.control)
    return all(one.lease_id != lease.lease_id for one in consumers)


def _writes_not(spawned: Spawned, lease: Lease, what: Program) -> Operation[bool]:
    """Ask for the writer lease, which a client that has it gets again."""
    if spawned.writer_id is None:
        return True
    body = Write(lease_id=lease.lease_id, tty=what.write == "tty")
    ids = Ids(terminal_id=spawned.terminal.id)
    writing = yield from claim(ids, spawned.endpoints.control, body)
    return writing.writer_id != spawned.writer_id


def _hold(spawned: Spawned, lease: Lease | None, what: Program) -> Hold | None:
    """Return the writer lease that came with a start."""
    if lease is None or spawned.writer_id is None:
        return None
    info = spawned.terminal
    ids = Ids(info.workspace_id, info.lane_id, info.session_id, info.id)
    return Hold(ids, lease, spawned.writer_id, what.write == "tty")


def flow_of(launched: Launched, policy: Policy) -> OutputFlow:
    """Return the output stream of a program from its first byte."""
    spawned = launched.spawned
    info = spawned.terminal
    assembly = Assembly(0)
    return OutputFlow(
        ids=Ids(info.workspace_id, info.lane_id, info.session_id, info.id),
        endpoint=spawned.endpoints.output,
        link=spawned.endpoints.control,
        policy=policy,
        assembly=assembly,
        lease=launched.lease,
        consumer_id=spawned.consumer_id if launched.lease is not None else None,
    )


def output_flow(
    place: Place, launched: Launched | None, offset: int | None, *, follow: bool, policy: Policy
) -> tuple[OutputFlow, Lease | None]:
    """Return a stream of a terminal's output, and a lease that it has no use for.

    A start with a registered consumer is taken over by a stream from the first byte on.
    """
    if launched is not None and offset == 0 and follow and policy != "drop":
        return flow_of(launched, policy), None
    flow = OutputFlow(
        ids=place.ids,
        endpoint=place.endpoints.output,
        link=place.endpoints.control,
        policy=policy if follow else "drop",
        assembly=Assembly(offset, follow=follow),
    )
    return flow, launched.lease if launched is not None else None


def run(lane: LaneInfo, what: Program, feeding: Feeding) -> Operation[Finished]:
    """Run a program to its end; when it is interrupted, the program is ended."""
    launched = yield from launch(lane, what)
    flow = flow_of(launched, "forever")
    terminal_id = launched.spawned.terminal.id
    queue = InputQueue()
    if what.body.stdin == "pipe" or feeding.data:
        queue.put(feeding.data, eof=what.body.stdin == "pipe")
        yield Start(operations.deliver(queue, terminal_id, flow.link))
    yield Start(tend(flow))
    try:
        output, status, gaps = yield from _collect(flow, feeding.max_output)
    except LaneError as error:
        flow.closed = True
        try:
            yield from operations.close_terminal(flow.ids, STOP_GRACE)
        except LaneError as second:
            flow.error = second
        raise _given_up(error, what.body.argv[0]) from error
    yield from pause(lambda: flow.released, operations.DETACH_SECONDS)
    return Finished(launched.spawned, output, status, gaps)


def _given_up(error: LaneError, word: str | bytes) -> LaneError:
    if not isinstance(error, TimedOutError):
        return error
    return error_for("TIMEOUT", f"{word!r} did not end in time; it was ended, its output dropped")


def _collect(flow: OutputFlow, limit: int) -> Operation[tuple[bytes, ExitStatus, tuple[Gap, ...]]]:
    output = bytearray()
    gaps: list[Gap] = []
    while True:
        item = flow.assembly.take()
        if isinstance(item, Data):
            output += item.data
        elif isinstance(item, Gap):
            gaps.append(item)
        elif isinstance(item, Ended):
            return bytes(output), item.exit, tuple(gaps)
        elif item is None and flow.ended:
            raise flow.error or error_for("INTERNAL", "the output ended without its end")
        elif item is None:
            yield from pause(lambda: flow.ready or flow.over)
        if len(output) > limit:
            raise error_for(
                "LIMIT_EXCEEDED",
                f"the program wrote more than {limit} bytes; follow its output instead, or give "
                "a larger max_output",
                details={"limit": limit},
            )
