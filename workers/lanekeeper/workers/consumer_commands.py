"""Consumers of a terminal's output: register, acknowledge, release, list."""

from typing import TYPE_CHECKING, Any, Final

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.plane import Nothing
from lanekeeper.wire.messages.terminal import (
    Ack,
    Consume,
    ConsumerInfo,
    ConsumerList,
    Consuming,
    Release,
)
from lanekeeper.workers.actions import Changed
from lanekeeper.workers.records import ConsumerIs, Gone
from lanekeeper.workers.turn import Pending, Turn

if TYPE_CHECKING:
    from lanekeeper.workers.core import LaneCore


def consume(_lane: "LaneCore", turn: Turn, pending: Pending, body: Consume) -> Consuming:
    """Register a consumer, at the end of the log unless it names an offset."""
    terminal = turn.state.terminal(pending.command.terminal_id)
    turn.state.lease(body.lease_id, terminal.info.session_id)
    info = turn.current(terminal.info)
    asked = info.head if body.offset is None else body.offset
    if asked > info.head:
        raise WireError("INVALID_ARGUMENT", f"offset {asked} is after the end, {info.head}")
    offset = max(asked, info.tail)
    return Consuming(
        consumer_id=register(turn, info.id, body, offset),
        offset=offset,
        head=info.head,
        tail=info.tail,
        epoch=turn.state.assignment.generation,
        terminal=info,
    )


def register(turn: Turn, terminal_id: str, body: Consume, offset: int) -> str:
    """Add a registration and return its id; WireError as `Consumers.check`."""
    turn.state.consumers[terminal_id].check(body.lease_id, body.policy, turn.moment.now)
    consumer_id = turn.new_id("consumer")
    turn.put(ConsumerIs(consumer_id, terminal_id, body.lease_id, body.policy, offset))
    turn.do(Changed(terminal_id))
    return consumer_id


def acknowledge(lane: "LaneCore", turn: Turn, pending: Pending, body: Ack) -> Nothing:
    """Move a consumer's acknowledged offset on; an ended terminal may be forgotten after that."""
    terminal = turn.state.terminal(pending.command.terminal_id)
    info = turn.current(terminal.info)
    consumers = turn.state.consumers[info.id]
    offset = consumers.acknowledged(body.consumer_id, body.offset, info.head)
    one = consumers.get(body.consumer_id)
    if offset != one.offset:
        turn.put(ConsumerIs(one.id, info.id, one.lease_id, one.policy, offset))
        turn.do(Changed(info.id))
        if terminal.ended_at is not None:
            lane.reckon()
    return Nothing()


def release(_lane: "LaneCore", turn: Turn, pending: Pending, body: Release) -> Nothing:
    """End a registration."""
    terminal = turn.state.terminal(pending.command.terminal_id)
    turn.state.consumers[terminal.info.id].get(body.consumer_id)
    turn.put(Gone(body.consumer_id))
    turn.do(Changed(terminal.info.id))
    return Nothing()


def consumers(_lane: "LaneCore", turn: Turn, pending: Pending, _body: Nothing) -> ConsumerList:
    """List the registered consumers with their lag."""
    info = turn.current(turn.state.terminal(pending.command.terminal_id).info)
    return ConsumerList(
        consumers=[
            ConsumerInfo(
                id=c.id,
                lease_id=c.lease_id,
                policy=c.policy,
                offset=c.offset,
                lag=info.head - c.offset,
            )
            for c in turn.state.consumers[info.id].all()
        ]
    )


HANDLERS: Final[dict[str, Any]] = {
    "terminal.consume": consume,
    "terminal.ack": acknowledge,
    "terminal.release": release,
    "terminal.consumers": consumers,
}
