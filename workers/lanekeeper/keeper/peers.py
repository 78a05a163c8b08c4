"""The keeper's peers: who is connected, who has said who it is, and who takes too long to.

Owns one record per channel. Refuses a second hello. Sans-IO: called by `supervisor` alone, with the
time.
"""

import math
from dataclasses import dataclass
from typing import Final

from lanekeeper.keeper.events import DAEMONS, PEER_ROLES, WORKER, Action, Close, RequestError, Send

BINDERS: Final = frozenset({*DAEMONS, WORKER})

HELLO_TIMEOUT: Final = 10.0
"""Seconds a peer may take to say who it is."""


@dataclass(slots=True)
class Peer:
    """One channel; `role` is known after its hello."""

    role: str | None = None

    def check(self, role: object) -> str:
        """Return the role that a hello claims; `enter` when nothing else speaks against it.

        Raises:
            RequestError: it is the second hello, or there is no such role.
        """
        if self.role is not None or role not in PEER_ROLES:
            raise RequestError("INVALID_ARGUMENT", f"one hello, as one of {', '.join(PEER_ROLES)}")
        return str(role)


class Peers:
    """All channels of a keeper, by number."""

    def __init__(self) -> None:
        """Start with none."""
        self._peers: dict[int, Peer] = {}
        self._greeting: dict[int, float] = {}

    def opened(self, number: int, now: float) -> None:
        """Note a new channel."""
        self._peers[number] = Peer()
        self._greeting[number] = now + HELLO_TIMEOUT

    def enter(self, number: int, role: str) -> None:
        """Note who it is."""
        self._peers[number].role = role
        self._greeting.pop(number, None)

    def get(self, number: int) -> Peer | None:
        """Return a channel's record, if it is there."""
        return self._peers.get(number)

    def role(self, number: int) -> str:
        """Return the role of a channel that has said it; empty before that."""
        return self._peers[number].role or ""

    def gone(self, number: int) -> Peer | None:
        """Forget a channel and return what it was."""
        self._greeting.pop(number, None)
        return self._peers.pop(number, None)

    def rebind(self) -> list[Action]:
        """Tell everybody who binds sockets to bind those anew that are gone."""
        return [
            Send(number, {"op": "rebind"})
            for number, peer in self._peers.items()
            if peer.role in BINDERS
        ]

    def deadline(self) -> float:
        """Return when somebody has taken too long."""
        return min(self._greeting.values(), default=math.inf)

    def late(self, now: float) -> list[Action]:
        """Close the channels that took too long."""
        late = [number for number, deadline in self._greeting.items() if deadline <= now]
        for number in late:
            del self._greeting[number]
        return [Close(number) for number in late]
