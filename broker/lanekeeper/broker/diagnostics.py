"""`diagnostics.get` and `diagnostics.metric`: passed on to the collector, and from it.

The collector registers with every broker, as a worker does. Refuses at once when there is none, and
when it does not answer in time: nobody waits for figures longer than for work. What a collector
says is published at most so often. Sans-IO handlers of the core.
"""

from typing import Final

from msgspec.structs import replace

from lanekeeper.broker.deadlines import Due, Key
from lanekeeper.broker.desk import Desk, Ids
from lanekeeper.broker.lane import Request
from lanekeeper.broker.stimuli import INFO, ToWorker, Undelivered
from lanekeeper.wire.codec import decode_body, encode
from lanekeeper.wire.envelope import Event, Response
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.diagnostics import DiagnosticsRequest, MetricChanged
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.topics import COLLECTOR_REGISTERED

ANSWER_SECONDS: Final = 2.0
"""How long a collector may take; it needs milliseconds, or hangs and is replaced."""

WAITING_MOST: Final = 64
"""Requests passed on and not yet answered."""

TOLD_EVERY: Final = 5.0
"""Seconds between two events about one key."""

KEYS_MOST: Final = 64
METRIC_TOPIC: Final = "diagnostics.metric"


def get(desk: Desk, request: Request) -> None:
    """`diagnostics.get`; raises WORKER_LOST without a collector, BACKPRESSURE with too many."""
    decode_body(request.command.payload, DiagnosticsRequest, request.command.method)
    route = desk.diagnosis.route
    if route is None:
        raise _away()
    if len(desk.diagnosis.waiting) >= WAITING_MOST:
        raise WireError("BACKPRESSURE", f"{WAITING_MOST} wait for diagnostics already; try again")
    asked = desk.new_id("command")
    desk.diagnosis.waiting[asked] = request
    desk.deadlines.set(Key(Due.DIAGNOSIS, "", asked), desk.now + ANSWER_SECONDS)
    data = encode(replace(request.command, id=asked))
    desk.actions.append(ToWorker(route, data, "", asked))


def hear(desk: Desk, route: bytes, message: Response | Event) -> bool:
    """Act on a message of a collector; return whether it was one."""
    if isinstance(message, Event) and message.topic == COLLECTOR_REGISTERED:
        _lose(desk)
        desk.diagnosis.route = route
        desk.note(INFO, "the collector has registered")
        return True
    if route != desk.diagnosis.route:
        return False
    if isinstance(message, Response):
        _answered(desk, message)
    else:
        _changed(desk, message)
    return True


def undelivered(desk: Desk, stimulus: Undelivered) -> bool:
    """Answer for a request that could not be passed on; return whether it was for a collector."""
    if stimulus.command_id not in desk.diagnosis.waiting:
        return False
    _lose(desk)
    return True


def overdue(desk: Desk, key: Key) -> None:
    """Refuse a request whose answer did not come in time."""
    request = desk.diagnosis.waiting.pop(key.command_id, None)
    if request is not None:
        error = WireError(
            "TIMEOUT",
            f"the collector has not answered in {ANSWER_SECONDS:.0f} s; try again, and look at "
            "`lane logs collector` if it stays so",
        )
        desk.refuse(request, [request.route], error.info)


def _answered(desk: Desk, response: Response) -> None:
    request = desk.diagnosis.waiting.pop(response.id, None)
    if request is None:
        desk.counters["answers.late"] += 1
        return
    desk.deadlines.clear(Key(Due.DIAGNOSIS, "", response.id))
    answer = encode(replace(response, id=request.command.id))
    desk.give(request, [request.route], answer, keep=False)


def _changed(desk: Desk, event: Event) -> None:
    """Publish that a finding has another status, unless the same key was told of just now."""
    if event.topic != METRIC_TOPIC:
        raise WireError("INVALID_ARGUMENT", f"a collector cannot report {event.topic}")
    changed = decode_body(event.payload, MetricChanged, event.topic)
    told = desk.diagnosis.told
    if changed.key in told and desk.now - told[changed.key] < TOLD_EVERY:
        desk.counters["diagnostics.withheld"] += 1
        return
    told.pop(changed.key, None)
    told[changed.key] = desk.now
    if len(told) > KEYS_MOST:
        del told[next(iter(told))]
    desk.publish(METRIC_TOPIC, Happened(metric=changed), Ids(), desk.own_cause())


def _lose(desk: Desk) -> None:
    """Forget a collector, and refuse what it was asked."""
    desk.diagnosis.route = None
    waiting, desk.diagnosis.waiting = desk.diagnosis.waiting, {}
    for asked, request in waiting.items():
        desk.deadlines.clear(Key(Due.DIAGNOSIS, "", asked))
        desk.refuse(request, [request.route], _away().info)


def _away() -> WireError:
    return WireError(
        "WORKER_LOST",
        "no collector is connected: figures are not gathered now, and everything else works; try "
        "again in a second, or see `lane status` and `lane logs collector`",
    )
