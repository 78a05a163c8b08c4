"""The leases a client holds: when each is to be renewed, and what became of it.

Sans-IO: the hub asks what is due and sends the renewals. A lease that the lane refuses is `lost`;
its owner attaches again. Called by `hub`; made by the operations that attach.
"""

from msgspec import Struct

from lanekeeper.client.errors import LaneError


class Lease(Struct, eq=False):
    """One attachment to a session.

    Attributes:
        lease_id: names it to the lane.
        lane_id: the lane that gave it.
        session_id: the session it attaches to.
        link: the lane's hot path, where renewals go.
        beat: seconds between renewals.
        lost: why it is no longer valid; None while it is.
    """

    lease_id: str
    lane_id: str
    session_id: str
    link: str
    beat: float
    lost: LaneError | None = None
    due: float = 0.0


class Leases:
    """The leases held now."""

    def __init__(self) -> None:
        """Hold none."""
        self._held: dict[str, Lease] = {}

    def hold(self, lease: Lease, now: float) -> None:
        """Renew `lease` every beat from `now` on."""
        lease.due = now + lease.beat
        self._held[lease.lease_id] = lease

    def drop(self, lease: Lease) -> None:
        """Renew `lease` no longer; one that is not held is fine."""
        self._held.pop(lease.lease_id, None)

    def due(self, now: float) -> list[Lease]:
        """Return the leases to renew now; each is due again a beat later."""
        chosen = [lease for lease in self._held.values() if lease.due <= now]
        for lease in chosen:
            lease.due = now + lease.beat
        return chosen

    def refused(self, lease_id: str, error: LaneError) -> None:
        """Note that a renewal was refused: the lease is lost unless a retry can help."""
        lease = self._held.get(lease_id)
        if lease is not None and not error.retryable:
            lease.lost = error
            del self._held[lease_id]

    def links(self) -> set[str]:
        """Return the hot paths the leases are renewed on."""
        return {lease.link for lease in self._held.values()}

    def next_deadline(self) -> float | None:
        """Return when the next renewal is due."""
        return min((lease.due for lease in self._held.values()), default=None)

    def __len__(self) -> int:
        """Return how many are held."""
        return len(self._held)
