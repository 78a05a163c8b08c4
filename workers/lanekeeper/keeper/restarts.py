"""Replacing the plane's processes one by one, on request, and who waits for that.

Owns the requests that are answered later: when a lane's successor works, when the plane is whole.
Refuses what would lose something: a worker whose vault is not complete, a keeper without a nursery
that could start the next. Sans-IO: called by `supervisor` alone, with the time.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from lanekeeper.keeper.continuity import Continuity
from lanekeeper.keeper.daemons import Daemons
from lanekeeper.keeper.events import (
    DAEMONS,
    KEEPER,
    NURSERY,
    WORKER,
    Action,
    Kill,
    Message,
    Note,
    RequestError,
    Retire,
    Send,
    answer,
    require_text,
)
from lanekeeper.keeper.pool import Pool
from lanekeeper.keeper.readoption import NAMED_MOST
from lanekeeper.keeper.states import Daemon

WAITERS_MAX: Final = 64
ROLES: Final = (*DAEMONS, KEEPER, WORKER)


@dataclass(slots=True)
class _Lane:
    """A lane whose worker is being replaced."""

    pid: int
    waiting: list[tuple[int, Message]] = field(default_factory=list)


class Restarts:
    """What is being replaced."""

    def __init__(
        self,
        daemons: Daemons,
        pool: Pool,
        continuity: Continuity,
        running: Callable[[], bool],
        unsafe: Callable[[], list[str]],
    ) -> None:
        """Replace nothing while the plane is not `running`; `unsafe` lanes die with the keeper."""
        self._daemons, self._pool, self._continuity = daemons, pool, continuity
        self._running, self._unsafe = running, unsafe
        self._lanes: dict[str, _Lane] = {}
        self._waiting: list[tuple[int, Message]] = []

    def restart(self, number: int, message: Message, now: float) -> list[Action]:
        """Replace a process; RequestError when there is none, or something would be lost."""
        role = require_text(message, "role")
        if role not in ROLES:
            raise RequestError("INVALID_ARGUMENT", f"role is one of {', '.join(ROLES)}")
        if not self._running():
            raise RequestError("INVALID_TRANSITION", "the plane is being shut down")
        if role == KEEPER:
            return self._keeper(number, message)
        if role == WORKER:
            return self._worker(number, message)
        record = self._daemons.get(role)
        return [] if record is None else self._daemons.restart(record, number, message, now)

    def whole(self, number: int, message: Message, _: float) -> list[Action]:
        """Answer when nothing is being replaced and nothing is missing."""
        if len(self._waiting) >= WAITERS_MAX:
            raise RequestError("BACKPRESSURE", "too many wait for the plane to be whole")
        self._waiting.append((number, message))
        return []

    def settle(self) -> list[Action]:
        """Answer who waits for what is so now."""
        actions: list[Action] = []
        for lane_id in list(self._lanes):
            actions += self._settle(lane_id)
        if self._waiting and self._running() and self._continuity.whole():
            waiting, self._waiting = self._waiting, []
            actions += [Send(peer, answer(request, "whole")) for peer, request in waiting]
        return actions

    def left(self, peer: int) -> None:
        """Forget who waited and has gone."""
        self._waiting = [one for one in self._waiting if one[0] != peer]
        for lane in self._lanes.values():
            lane.waiting = [one for one in lane.waiting if one[0] != peer]

    def _keeper(self, number: int, message: Message) -> list[Action]:
        reason = self._indispensable()
        if reason:
            raise RequestError("INVALID_TRANSITION", reason)
        nursery = self._daemons.get(NURSERY)
        note = Note("retiring: the nursery starts the next keeper", "warning")
        told = [Send(nursery.peer, {"op": "retiring"})] if nursery and nursery.peer else []
        return [note, *told, Send(number, answer(message, "restarting")), Retire()]

    def _indispensable(self) -> str:
        """Return what would be lost with this keeper, and what to do first; empty for nothing.

        What only the vault has ends with it: the next keeper is given what others deposit again.
        """
        absent = [record.role for record in self._daemons if record.state is not Daemon.READY]
        if absent:
            return f"the plane is not whole, its {absent[0]} does not serve; see `lane status`"
        if not self._continuity.complete:
            return "the plane is not yet back under this keeper; try again in a moment"
        stopped = self._unsafe()
        if stopped:
            named = ", ".join(stopped[:NAMED_MOST])
            more = f" and {len(stopped) - NAMED_MOST} more" if len(stopped) > NAMED_MOST else ""
            return (
                f"only this keeper has what is left of {named}{more}, and their programs would "
                "end with it; first `lane recover` or `lane cleanup`, or `lane orphans clean` for "
                "what `lane ls` does not show"
            )
        if self._pool.waiting:
            return f"{self._pool.waiting} lanes wait for a worker; try again in a moment"
        return ""

    def _worker(self, number: int, message: Message) -> list[Action]:
        lane_id = require_text(message, "lane_id")
        known = self._lanes.get(lane_id)
        if known is not None:
            if len(known.waiting) >= WAITERS_MAX:
                raise RequestError("BACKPRESSURE", f"{lane_id} is being restarted; try again")
            known.waiting.append((number, message))
            return []
        record = self._pool.of_lane(lane_id)
        if record is None:
            raise RequestError("LANE_NOT_FOUND", f"{lane_id} has no worker of this keeper")
        if not self._continuity.fenceable(record):
            raise RequestError(
                "INVALID_TRANSITION",
                f"the vault does not hold all that worker {record.pid} has; try again in a moment",
            )
        record.replaced = True
        self._lanes[lane_id] = _Lane(record.pid, [(number, message)])
        return [Kill(record.pid, signal.SIGKILL)]

    def _settle(self, lane_id: str) -> list[Action]:
        lane, record = self._lanes[lane_id], self._pool.of_lane(lane_id)
        if record is not None and record.pid != lane.pid and self._continuity.fenceable(record):
            del self._lanes[lane_id]
            who = {"pid": record.pid, "lane_id": lane_id}
            return [Send(peer, answer(one, "restarted", **who)) for peer, one in lane.waiting]
        if record is None and not self._pool.succeeds(lane_id):
            del self._lanes[lane_id]
            text = f"{lane_id} has no worker any more; see `lane status`"
            return [
                Send(peer, answer(one, "error", code="WORKER_LOST", message=text))
                for peer, one in lane.waiting
            ]
        return []
