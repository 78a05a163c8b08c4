"""The engine under both shells: commands, leases, subscriptions and the operations that wait.

Everything here is non-blocking. `turn` receives, advances and sends until nothing moves; a shell
decides how to wait between turns, until `next_deadline` at most. Refuses to be used after `close`.
Not thread-safe: one thread, or one event loop, uses a hub. Called by `blocking` and `aio`.
"""

import os
import time
from datetime import UTC, datetime
from typing import Final, TypeVar

from msgspec import Struct

from lanekeeper.client.effects import (
    AnyCall,
    Call,
    Drop,
    Effect,
    Fresh,
    Hold,
    Ids,
    Notify,
    Operation,
    Start,
    Subscribe,
    Unsubscribe,
    ask,
)
from lanekeeper.client.errors import LaneError, TimedOutError, error_for, from_wire
from lanekeeper.client.leases import Lease, Leases
from lanekeeper.client.links import Sockets
from lanekeeper.client.session import Observer, Request, Requests
from lanekeeper.client.tasks import Task, Tasks
from lanekeeper.wire.codec import decode_body
from lanekeeper.wire.endpoints import PlaneEndpoints
from lanekeeper.wire.envelope import EMPTY_MAP, Actor, Command, raw
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.ids import RANDOM_BYTES, make_id
from lanekeeper.wire.limits import MAX_DEADLINE_MS
from lanekeeper.wire.messages.plane import Nothing
from lanekeeper.wire.messages.session import Lease as LeaseBody
from lanekeeper.wire.messages.terminal import TerminalResult
from lanekeeper.wire.methods import METHODS
from lanekeeper.wire.version import VERSION

R = TypeVar("R")

TIMED_BY_LANE: Final = frozenset({"terminal.wait", "terminal.screen"})
"""Methods that a lane itself refuses in time, and says how far it has come."""
AFTER_LANE: Final = 0.5
"""Seconds that such a refusal has to arrive; the broker waits half of it."""
ROUNDS: Final = 64
"""Rounds of one turn, so that a flood cannot keep a caller inside it."""


class Settings(Struct, frozen=True):
    """What every command of a client carries: who gives it, and its default timeout in seconds.

    `observer` sees every command and answer.
    """

    actor: Actor
    timeout: float
    observer: Observer | None = None


class Hub:
    """One client's engine on the plane in a runtime directory."""

    def __init__(self, endpoints: PlaneEndpoints, settings: Settings) -> None:
        """Open the link to the broker; nothing is sent yet."""
        self.endpoints = endpoints
        self.settings = settings
        self.closed = False
        self.sockets = Sockets(endpoints.commands)
        self._requests = Requests()
        self._requests.observer = settings.observer
        self._leases = Leases()
        self._tasks = Tasks(self)

    def start(self, operation: Operation[R], timeout: float | None = None) -> Task[R]:
        """Begin an operation; after `timeout` seconds it is interrupted with a TimedOutError.

        Raises:
            LaneError: CLOSED.
        """
        self._check()
        now = time.monotonic()
        return self._tasks.start(operation, None if timeout is None else now + timeout, now)

    def interrupt(self, task: Task[R], error: LaneError) -> None:
        """Raise `error` inside an operation where it waits; it may still tidy up."""
        self._tasks.interrupt(task, error, time.monotonic())

    def turn(self) -> bool:
        """Do everything that can be done without waiting; return whether anything moved.

        Raises:
            LaneError: CLOSED.
        """
        self._check()
        moved = False
        for _ in range(ROUNDS):
            progressed, sent = self._round(time.monotonic())
            moved = moved or progressed or sent
            if not progressed:
                break
        return moved

    def next_deadline(self) -> float | None:
        """Return the monotonic time at which `turn` is due at the latest, or None."""
        parts = (self._requests, self._leases, self._tasks)
        times = [part.next_deadline() for part in parts]
        return min((moment for moment in times if moment is not None), default=None)

    def statistics(self) -> dict[str, int]:
        """Return what is held now, and how many messages came that nobody waited for."""
        return {
            "tasks": len(self._tasks),
            "leases": len(self._leases),
            "strays": self._requests.strays,
        }

    def close(self) -> None:
        """Close all sockets and their context; operations that wait end with CLOSED."""
        if not self.closed:
            self._tasks.close(error_for("CLOSED", "the plane was closed while this waited"))
            self.closed = True
            self.sockets.close()

    def submit(self, call: AnyCall, now: float) -> Request:
        """Send the command of a call (for `Tasks`)."""
        timeout = self.settings.timeout if call.timeout is None else call.timeout
        command = self._command(call, timeout)
        deadline = now + timeout + (AFTER_LANE if call.method in TIMED_BY_LANE else 0.0)
        return self._requests.submit(command, call.link, deadline, now)

    def perform(self, effect: Effect, now: float) -> object:
        """Carry out an effect that needs no waiting (for `Tasks`)."""
        match effect:
            case Notify(call, refused):
                self._requests.notify(self._command(call, None), call.link, refused)
            case Subscribe(endpoint, topics, sink):
                return self.sockets.subscribe(endpoint, topics, sink)
            case Unsubscribe(feed):
                self.sockets.unsubscribe(feed)
            case Hold(lease):
                self._leases.hold(lease, now)
            case Drop(lease):
                self._leases.drop(lease)
            case Fresh(kind):
                return _new_id(kind)
            case Start(operation):
                return self._tasks.start(operation, None, now)
            case _:
                raise TypeError(f"{type(effect).__name__} is not an effect")
        return None

    def decode(self, call: AnyCall, request: Request) -> object:
        """Return the result of a request that is done (for `Tasks`)."""
        if request.response is None:
            raise request.error or error_for("INTERNAL", "a request ended without an answer")
        try:
            return decode_body(request.response.result, call.result, call.method)
        except WireError as error:
            raise from_wire(error) from None

    def forget(self, request: Request) -> None:
        """Wait for a request no longer (for `Tasks`)."""
        self._requests.forget(request)

    def unlink(self) -> None:
        """Close the hot paths on which nothing is under way."""
        used = self._leases.links()
        self.sockets.unlink(lambda link: link not in used and not self._requests.uses(link))

    def _check(self) -> None:
        if self.closed:
            raise error_for("CLOSED", "this plane was closed; connect again")

    def _round(self, now: float) -> tuple[bool, bool]:
        """Receive, advance and send once; what was only sent calls for no other round."""
        received = self.sockets.receive(
            lambda data: self._requests.receive(data, now),
            lambda link: self._requests.lost(link, now),
        )
        self._requests.expire(now)
        for lease in self._leases.due(now):
            self._renew(lease, now)
        for request in self._requests.doubtful(now):
            if request.command.terminal_id is not None:
                self._tasks.start(self._doubt(request), None, now)
        advanced = self._tasks.advance(now)
        sent = self.sockets.transmit(self._requests.outgoing(now))
        return received or advanced, sent

    def _renew(self, lease: Lease, now: float) -> None:
        ids = Ids(lane_id=lease.lane_id, session_id=lease.session_id)
        call = Call("lease.renew", Nothing, LeaseBody(lease_id=lease.lease_id), ids, lease.link)
        refused = Notify(call, lambda error: self._leases.refused(lease.lease_id, error))
        self.perform(refused, now)

    def _doubt(self, request: Request) -> Operation[None]:
        """Ask the broker about a terminal whose lane is silent; its refusal is the answer."""
        ids = Ids(terminal_id=request.command.terminal_id)
        try:
            yield from ask(Call("terminal.get", TerminalResult, ids=ids))
        except TimedOutError:
            return
        except LaneError as error:
            self._requests.fail(request, error)

    def _command(self, call: AnyCall, timeout: float | None) -> Command:
        method = METHODS.get(call.method)
        correlation = call.correlation_id
        if correlation is None and method is not None and method.lifecycle:
            correlation = _new_id("correlation")
        ids = call.ids
        return Command(
            v=VERSION,
            id=call.command_id or _new_id("command"),
            ts=_timestamp(),
            method=call.method,
            payload=EMPTY_MAP if call.payload is None else raw(call.payload),
            workspace_id=ids.workspace_id,
            lane_id=ids.lane_id,
            session_id=ids.session_id,
            terminal_id=ids.terminal_id,
            actor=self.settings.actor,
            correlation_id=correlation,
            deadline_ms=None if timeout is None else _milliseconds(timeout),
        )


def _milliseconds(timeout: float) -> int:
    return min(max(int(timeout * 1000), 1), MAX_DEADLINE_MS)


def _new_id(kind: str) -> str:
    return make_id(kind, os.urandom(RANDOM_BYTES))


def _timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
