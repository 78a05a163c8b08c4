"""Lanes that no worker has: the nursery keeps duplicates of theirs for the next keeper.

Owns what the nursery has been given, and what it has confirmed. Refuses what it offers of a lane
that is served after all. A lane in a crash loop has nobody who deposits it again; without this its
programs would end with the keeper. Sans-IO: called by `supervisor` and `depository`.
"""

from lanekeeper.keeper.daemons import Daemons
from lanekeeper.keeper.events import (
    NURSERY,
    Action,
    Message,
    Note,
    RequestError,
    Send,
    require_number,
    require_text,
)
from lanekeeper.keeper.pool import Pool
from lanekeeper.keeper.states import Daemon
from lanekeeper.keeper.vault import Vault


class Keeping:
    """What the nursery has of the vault."""

    def __init__(self, daemons: Daemons, pool: Pool, vault: Vault) -> None:
        """Start with nothing."""
        self._daemons, self._pool, self._vault = daemons, pool, vault
        self._peer: int | None = None
        self._given: dict[str, bool] = {}

    def settle(self) -> list[Action]:
        """Give the nursery every lane that was given up, and have it let go of the others.

        One that waits for a worker again stays there until it has one.
        """
        peer = self._nursery()
        if peer != self._peer:
            self._peer, self._given = peer, {}
        stopped = {str(lane["lane_id"]): lane for lane in self._pool.given_up()}
        if peer is None or not (stopped or self._given):
            return []
        actions: list[Action] = []
        for lane_id in [one for one in self._given if one not in stopped]:
            if not self._pool.succeeds(lane_id):
                del self._given[lane_id]
                actions.append(Send(peer, {"op": "unkeep", "lane_id": lane_id}))
        for lane_id, lane in stopped.items():
            if lane_id not in self._given:
                self._given[lane_id] = False
                actions += self._give(peer, lane_id, lane)
        return actions

    def unsafe(self) -> list[str]:
        """Return the ids of the lanes that were given up and that only this keeper has."""
        ids = (str(lane["lane_id"]) for lane in self._pool.given_up())
        return [lane_id for lane_id in ids if not self._given.get(lane_id)]

    def deposit(self, number: int, message: Message, fds: tuple[int, ...]) -> list[Action]:
        """Keep what the nursery has of a lane.

        Raises:
            RequestError: the message is wrong, or the lane is served or waits for a worker.
        """
        lane_id = require_text(message, "lane_id")
        if self._served(lane_id) or lane_id in self._given:
            raise RequestError("ALREADY_EXISTS", f"{lane_id} is not given up")
        return self._vault.deposit(number, lane_id, message, fds)

    def kept(self, number: int, message: Message, _: float) -> list[Action]:
        """Note that the nursery has all of a lane, given by this keeper or by the one before.

        Raises:
            RequestError: the message is wrong.
        """
        lane_id, held = require_text(message, "lane_id"), require_number(message, "held")
        lane = message.get("lane")
        if not isinstance(lane, dict) or lane.get("lane_id") != lane_id:
            raise RequestError("INVALID_ARGUMENT", "'lane' must be that lane")
        require_number(lane, "generation")
        whole = self._vault.holds(lane_id) and self._vault.held(lane_id) == held
        if lane_id in self._given:
            self._given[lane_id] = whole
            return []
        if self._served(lane_id):
            return [Send(number, {"op": "unkeep", "lane_id": lane_id})]
        if not whole:  # the nursery has it still, for a keeper with more room
            text = f"the vault has no room for {lane_id}, which was given up"
            return [*self._vault.drop(lane_id), Note(text, "error", {"lane": lane_id})]
        self._pool.give_up(lane)
        self._given[lane_id] = True
        text = "took over a lane that was given up; lane recover brings it back"
        return [Note(text, "warning", {"lane": lane_id})]

    def _give(self, peer: int, lane_id: str, lane: Message) -> list[Action]:
        entries = (
            Send(peer, {**one.message, "op": "keep", "lane_id": lane_id}, one.fds)
            for one in self._vault.hand_over(lane_id, peer)
            if isinstance(one, Send)
        )
        whole = {"lane_id": lane_id, "lane": dict(lane), "held": self._vault.held(lane_id)}
        first = Send(peer, {"op": "unkeep", "lane_id": lane_id})
        return [first, *entries, Send(peer, {"op": "keep", **whole})]

    def _served(self, lane_id: str) -> bool:
        return self._pool.of_lane(lane_id) is not None or self._pool.succeeds(lane_id)

    def _nursery(self) -> int | None:
        record = self._daemons.get(NURSERY)
        return record.peer if record is not None and record.state is Daemon.READY else None
