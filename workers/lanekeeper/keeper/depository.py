"""Who deposits what in the vault: the broker its journal, a worker its lane, the nursery its wards.

Owns the rule whose entries a channel changes. Refuses descriptors beside any other message.
Sans-IO: called by `supervisor` alone, with the time.
"""

from typing import Final

from lanekeeper.keeper.continuity import Continuity
from lanekeeper.keeper.events import (
    BROKER,
    NURSERY,
    WORKER,
    Action,
    Message,
    PeerSaid,
    RequestError,
    Send,
    answer,
)
from lanekeeper.keeper.keeping import Keeping
from lanekeeper.keeper.peers import Peers
from lanekeeper.keeper.pool import Pool
from lanekeeper.keeper.vault import BROKER_OWNER, Vault

LISTED: Final = 500
"""Owners in one `vault` message."""

DEPOSITORS: Final = frozenset({BROKER, WORKER})
"""Roles that have something in the vault."""


class Depository:
    """The vault's counter."""

    def __init__(
        self, vault: Vault, pool: Pool, peers: Peers, continuity: Continuity, keeping: Keeping
    ) -> None:
        """Serve these peers."""
        self._keeping = keeping
        self._vault, self._pool, self._peers = vault, pool, peers
        self._continuity = continuity

    def deposit(self, event: PeerSaid, now: float) -> list[Action]:
        """Keep what a peer gives; RequestError when it has nothing to deposit, or it is wrong."""
        peer = self._peers.get(event.peer)
        if peer is not None and peer.role == NURSERY:
            return self._keeping.deposit(event.peer, event.message, event.fds)
        owner = self._owner(event.peer)
        kept = self._vault.deposit(event.peer, owner, event.message, event.fds)
        return [*kept, *self._continuity.deposited(event.peer, now)]

    def release(self, number: int, message: Message, _: float) -> list[Action]:
        """Let go of what a peer names; RequestError when it has nothing there."""
        return self._vault.release(number, self._owner(number), message)

    def listing(self, number: int, message: Message, _: float) -> list[Action]:
        """Say what is held, owner by owner; all messages but the last say `more`."""
        entries = [{"owner": owner, "held": self._vault.held(owner)} for owner in self._vault]
        starts = range(0, max(1, len(entries)), LISTED)
        return [
            Send(
                number,
                answer(
                    message,
                    "vault",
                    entries=entries[start : start + LISTED],
                    more=start != starts[-1],
                ),
            )
            for start in starts
        ]

    def closed(self, number: int, _: Message, __: float) -> list[Action]:
        """Let go of all of a lane that has ended."""
        return self._pool.close(number)

    def _owner(self, number: int) -> str:
        peer = self._peers.get(number)
        if peer is not None and peer.role == BROKER:
            return BROKER_OWNER
        record = self._pool.of_peer(number)
        if record is None or record.lane_id is None or record.closed:
            raise RequestError("UNAUTHORIZED", "only the broker and a lane's worker deposit")
        return record.lane_id


def refuse_descriptors(fds: tuple[int, ...]) -> None:
    """Refuse descriptors beside a message that has none; RequestError."""
    if fds:
        raise RequestError("INVALID_ARGUMENT", "only a deposit has descriptors")
