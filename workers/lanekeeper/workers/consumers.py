"""Registered consumers of one terminal's output, and when they hold its program back.

Rules, for a log of capacity C:

    a holding consumer (`block`, `forever`) that is C/2 behind stops the reading of the PTY;
    reading goes on when the slowest holding consumer is at most C/4 behind;
    the `block` consumers of one lease may hold for GRACE seconds in any WINDOW, registered once or
    again and again, and those of all leases together for TOGETHER seconds; who holds beyond that
    is demoted to `drop`, and its lease may register again after PENALTY seconds;
    nothing at or after the offset of a holding consumer leaves the log.

Sans-IO: offsets and the time are arguments. The worker's runner asks after every read and every
acknowledgement.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import MAX_CONSUMERS

GRACE: Final = 1.0
TOGETHER: Final = 3.0
"""Viewers that come one after the other, each with a fresh lease, get no more than this."""
WINDOW: Final = 10.0
PENALTY: Final = 30.0
LEASES: Final = 64
"""Leases with charges beyond which those whose time is over are forgotten."""
SPANS: Final = 64
"""Spans of time remembered one by one; more are added to the last."""


@dataclass(slots=True)
class Consumer:
    """One registration. `offset` is acknowledged: everything before it was processed."""

    id: str
    lease_id: str
    policy: str
    offset: int

    @property
    def holds(self) -> bool:
        """Whether this consumer may hold the program back."""
        return self.policy != "drop"


class Charged:
    """How long somebody held a program back: spans of time within the last `WINDOW` seconds."""

    def __init__(self) -> None:
        """Charge nothing."""
        self._spans: deque[tuple[float, float]] = deque()

    def add(self, start: float, end: float) -> None:
        """Charge from `start` to `end`, which is after everything charged before."""
        if self._spans and (self._spans[-1][1] == start or len(self._spans) >= SPANS):
            first, last = self._spans.pop()
            start -= last - first
        self._spans.append((start, end))

    def seconds(self, now: float) -> float:
        """Return what was charged within the last `WINDOW` seconds."""
        while self._spans and self._spans[0][1] <= now - WINDOW:
            self._spans.popleft()
        return sum(end - max(start, now - WINDOW) for start, end in self._spans)


class Consumers:
    """The consumers of one terminal."""

    def __init__(self, capacity: int) -> None:
        """Make an empty table for a log of `capacity` bytes."""
        self._high = capacity // 2
        self._low = capacity // 4
        self._table: dict[str, Consumer] = {}
        self._penalties: dict[str, float] = {}
        self._since: float | None = None
        self._charged = 0.0
        self._leases: dict[str, Charged] = {}
        self._together = Charged()
        self._blocking: set[str] = set()

    def __len__(self) -> int:
        """Return how many are registered."""
        return len(self._table)

    @property
    def throttled(self) -> bool:
        """Whether reading is held back now."""
        return self._since is not None

    @property
    def throttled_since(self) -> float | None:
        """When reading was last held back (monotonic seconds), None while it is not."""
        return self._since

    def all(self) -> list[Consumer]:
        """The registrations, oldest first."""
        return list(self._table.values())

    def each(self) -> Iterable[Consumer]:
        """The registrations, to look at only."""
        return self._table.values()

    def put(self, consumer: Consumer) -> None:
        """Add a registration that `check` let pass, or bring one up to date."""
        known = self._table.get(consumer.id)
        if known is None:
            self._table[consumer.id] = consumer
        else:
            known.policy, known.offset = consumer.policy, consumer.offset

    def check(self, lease_id: str, policy: str, now: float) -> None:
        """Refuse a registration that may not be.

        Raises:
            WireError: LIMIT_EXCEEDED, or BACKPRESSURE while its lease is barred after a demotion.
        """
        if len(self._table) >= MAX_CONSUMERS:
            raise WireError(
                "LIMIT_EXCEEDED",
                f"a terminal may have {MAX_CONSUMERS} consumers; release one or just subscribe",
                limit=MAX_CONSUMERS,
            )
        until = self._penalties.get(lease_id, 0.0)
        if policy == "block" and now < until:
            raise WireError(
                "BACKPRESSURE",
                f"this client held the program back; register again in {until - now:.0f} s",
                retry_after_s=round(until - now, 3),
            )

    def get(self, consumer_id: str) -> Consumer:
        """Return a registration; WireError INVALID_ARGUMENT when there is none of that id."""
        consumer = self._table.get(consumer_id)
        if consumer is None:
            raise WireError(
                "INVALID_ARGUMENT",
                f"no consumer {consumer_id} here; register with terminal.consume",
            )
        return consumer

    def acknowledged(self, consumer_id: str, offset: int, head: int) -> int:
        """Return the new acknowledged offset, which never goes back.

        Raises:
            WireError: INVALID_ARGUMENT for an unknown consumer or an offset after `head`.
        """
        consumer = self.get(consumer_id)
        if offset > head:
            raise WireError(
                "INVALID_ARGUMENT", f"acknowledged {offset}, but the output ends at {head}"
            )
        return max(consumer.offset, offset)

    def release(self, consumer_id: str) -> None:
        """Remove a registration; an unknown one is fine."""
        self._table.pop(consumer_id, None)

    def of_lease(self, lease_id: str) -> list[str]:
        """Return the ids of the registrations of a lease."""
        return [c.id for c in self._table.values() if c.lease_id == lease_id]

    def floor(self) -> int | None:
        """The lowest offset that a holding consumer still needs, None without one."""
        floor = None
        for one in self._table.values():
            if one.holds and (floor is None or one.offset < floor):
                floor = one.offset
        return floor

    def update(self, head: int, now: float) -> list[Consumer]:
        """Decide whether reading is held back now; return who was demoted for it."""
        if self._since is None and self._lag(head) < self._high:
            return []
        self._charge(now)
        demoted: list[Consumer] = []
        while True:
            lag = self._lag(head)
            if self._since is None and lag >= self._high:
                self._since = self._charged = now
            elif self._since is not None and lag <= self._low:
                self._since = None
            spent = [] if self._since is None else self._spent(head, now)
            if not spent:
                break
            demoted += self._demote(spent, now)
        held = self._since is not None
        self._blocking = {c.lease_id for c in self._blockers(head)} if held else set()
        return demoted

    def deadline(self, head: int, now: float) -> float | None:
        """When `update` must be called next although nothing happens: a grace runs out."""
        if self._since is None:
            return None
        left = [GRACE - self._held_by(c.lease_id, now) for c in self._blockers(head)]
        if not left:
            return None
        left.append(TOGETHER - self._together.seconds(now))
        return self._charged + max(0.0, min(left))

    def _lag(self, head: int) -> int:
        floor = self.floor()
        return 0 if floor is None else head - floor

    def _blockers(self, head: int) -> list[Consumer]:
        behind = (c for c in self._table.values() if head - c.offset > self._low)
        return [c for c in behind if c.policy == "block"]

    def _held_by(self, lease_id: str, now: float) -> float:
        charged = self._leases.get(lease_id)
        return 0.0 if charged is None else charged.seconds(now)

    def _charge(self, now: float) -> None:
        """Charge those who held since the last look, also who has just caught up or gone."""
        if self._blocking:
            self._together.add(self._charged, now)
        for lease_id in self._blocking:
            self._leases.setdefault(lease_id, Charged()).add(self._charged, now)
        self._charged = now
        if len(self._leases) > LEASES:
            self._forget(now)

    def _spent(self, head: int, now: float) -> list[Consumer]:
        """Return who holds the program back and has used up its grace."""
        together = self._together.seconds(now) >= TOGETHER
        return [
            c for c in self._blockers(head) if together or self._held_by(c.lease_id, now) >= GRACE
        ]

    def _demote(self, spent: list[Consumer], now: float) -> list[Consumer]:
        self._forget(now)
        for consumer in spent:
            consumer.policy = "drop"
            self._penalties[consumer.lease_id] = now + PENALTY
        return spent

    def _forget(self, now: float) -> None:
        """Forget the leases whose charges and penalties are over."""
        for lease_id in [lease for lease, until in self._penalties.items() if until <= now]:
            del self._penalties[lease_id]
        for lease_id in [lease for lease in self._leases if not self._held_by(lease, now)]:
            del self._leases[lease_id]
