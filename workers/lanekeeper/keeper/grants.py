"""Lanes that wait for a worker, in the order in which they were asked for.

Owns the queue and its bound. Refuses what comes when it is full, and what has waited too long.
Sans-IO: called by `pool` alone, with the time.
"""

import math
from collections import deque
from dataclasses import dataclass

from lanekeeper.keeper.events import Action, Message
from lanekeeper.keeper.roster import GRANT_TIMEOUT, GRANTS_MAX, refused


@dataclass(frozen=True, slots=True)
class Grant:
    """A lane that waits for a worker."""

    peer: int
    request: Message
    lane: Message
    deadline: float


class Grants:
    """The queue."""

    def __init__(self) -> None:
        """Start with nobody waiting."""
        self._waiting: deque[Grant] = deque()

    def __len__(self) -> int:
        """Return how many lanes wait."""
        return len(self._waiting)

    def has(self, lane_id: str) -> bool:
        """Return whether that lane waits."""
        return any(held.lane["lane_id"] == lane_id for held in self._waiting)

    def add(self, peer: int, request: Message, lane: Message, now: float) -> list[Action]:
        """Let a lane wait; return a refusal when too many do already."""
        if len(self._waiting) >= GRANTS_MAX:
            return [refused(peer, request, "BACKPRESSURE", f"{GRANTS_MAX} lanes wait already")]
        self._waiting.append(Grant(peer, request, lane, now + GRANT_TIMEOUT))
        return []

    def take(self) -> Grant:
        """Return the lane that waits longest; there must be one."""
        return self._waiting.popleft()

    def forget(self, peer: int) -> None:
        """Drop what a peer asked for that has gone."""
        self._waiting = deque(held for held in self._waiting if held.peer != peer)

    def refuse_all(self, text: str) -> list[Action]:
        """Refuse every lane that waits."""
        waiting, self._waiting = self._waiting, deque()
        return [refused(held.peer, held.request, "SPAWN_FAILED", text) for held in waiting]

    def refuse_late(self, reason: str, now: float) -> list[Action]:
        """Refuse the lanes that have waited too long; `reason` says why there was no worker."""
        actions: list[Action] = []
        while self._waiting and self._waiting[0].deadline <= now:
            held = self._waiting.popleft()
            text = f"no worker became ready in {GRANT_TIMEOUT:.0f} s; {reason or 'try again'}"
            actions.append(refused(held.peer, held.request, "SPAWN_FAILED", text))
        return actions

    def deadline(self) -> float:
        """Return when the first one has waited too long."""
        return self._waiting[0].deadline if self._waiting else math.inf
