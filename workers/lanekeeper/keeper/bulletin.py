"""What the keeper tells for the collector: its figures, and that there is a collector again.

Owns when figures are told to the broker: at most every 5 s, after something else had the keeper
awake, and at once to a broker that is new. Refuses to wake the keeper. Sans-IO: called by
`supervisor` alone, with the time.
"""

import math
from typing import Any, Final

from lanekeeper.keeper.continuity import Continuity
from lanekeeper.keeper.daemons import Daemons, Record
from lanekeeper.keeper.events import BROKER, COLLECTOR, WORKER, Action, Ended, Message, Send
from lanekeeper.keeper.pool import Pool
from lanekeeper.keeper.states import Daemon
from lanekeeper.keeper.status import PlaneInfo
from lanekeeper.keeper.vault import Vault

PAUSE: Final = 5.0
"""Seconds between two bulletins."""


class Bulletin:
    """The keeper's figures on their way to the broker."""

    def __init__(
        self, info: PlaneInfo, daemons: Daemons, pool: Pool, vault: Vault, continuity: Continuity
    ) -> None:
        """Tell of these parts of a plane."""
        self._info, self._daemons, self._pool = info, daemons, pool
        self._vault, self._continuity = vault, continuity
        self._told: dict[str, Any] = {}
        self._next = math.inf
        self._known_down: set[str] = set()

    def ended(self, record: Record, event: Ended, now: float) -> None:
        """Note the end of a daemon; one that was to end for good is not followed."""
        if record.state in {Daemon.STARTING, Daemon.READY, Daemon.RESTARTING}:
            asked, figures = record.state is Daemon.RESTARTING, self._pool.figures
            figures.replaced(record.role, event.pid, event.code, event.signal, asked=asked)
            figures.died(record.role, now)

    def serves(self, role: str, now: float) -> list[Action]:
        """Note that a daemon serves; who measures is told of a collector that knows nothing."""
        self._pool.figures.serves(role, role, now)
        if role in {BROKER, COLLECTOR}:
            self._told, self._next = {}, -math.inf
        record, broker = self._daemons.get(role), self._pool.broker
        if role != COLLECTOR or record is None or record.adopted:
            return []
        begun: Message = {"op": "collector"}
        return [*self._pool.tell(begun), *([] if broker is None else [Send(broker, begun)])]

    def beat(self, number: int, now: float) -> None:
        """Note a beat: with its first one a successor of a worker says that it serves."""
        figures = self._pool.figures
        record = self._pool.of_peer(number) if figures.recovering else None
        if record is not None and record.lane_id is not None:
            figures.serves(record.lane_id, WORKER, now)

    def tell(self, now: float) -> list[Action]:
        """Return the message to the broker, if it is time to and there is news."""
        broker, down = self._pool.broker, self._down()
        if broker is None or (now < self._next and down == self._known_down):
            return []
        self._next, self._known_down = now + PAUSE, down
        figures = self._figures()
        if figures == self._told:
            return []
        spreads = self._pool.figures.spreads()
        self._pool.figures.shown()
        self._told = figures
        message: Message = {"op": "figures", **figures, "spreads": spreads}
        return [Send(broker, message)]

    def _figures(self) -> dict[str, Any]:
        """Return what makes news; histograms come with the counts of what they are about."""
        figures = self._pool.figures
        gauges = [
            ["lanekeeper_vault_entries", [], self._vault.entries],
            ["lanekeeper_vault_descriptors", [], self._vault.total],
        ]
        return {
            "pid": self._info.pid,
            "start_time": self._info.start_time,
            "values": [*gauges, *figures.values()],
            "observed": figures.observed,
            "degraded": sorted(self._known_down | self._stuck()),
        }

    def _down(self) -> set[str]:
        """Return the roles that do not serve; these are news that do not wait."""
        roles = {one.role for one in self._daemons if one.state is not Daemon.READY}
        return roles | {WORKER} if self._pool.reason else roles

    def _stuck(self) -> set[str]:
        """Return the roles of what hangs or has not come back, as `status` has them."""
        return {str(one["role"]) for one in self._continuity.degraded()}
