"""What follows a hello: each role is given what it needs to begin, or to go on.

Owns the order of that: what a broker inherits comes before its welcome, and the list of lanes after
it. Refuses a process that this keeper did not start or find. Sans-IO: called by `supervisor` alone,
with the time.
"""

from lanekeeper.keeper.continuity import Continuity
from lanekeeper.keeper.daemons import Daemons
from lanekeeper.keeper.events import (
    BROKER,
    COLLECTOR,
    DAEMONS,
    NURSERY,
    WORKER,
    Action,
    Entrust,
    Message,
    Send,
    require_number,
)
from lanekeeper.keeper.pool import Pool
from lanekeeper.keeper.states import Daemon
from lanekeeper.keeper.status import PlaneInfo, lanes_messages
from lanekeeper.keeper.vault import BROKER_OWNER, Vault


class Greeting:
    """The keeper's answer to a hello."""

    def __init__(
        self, info: PlaneInfo, daemons: Daemons, pool: Pool, vault: Vault, continuity: Continuity
    ) -> None:
        """Greet the processes of this plane."""
        self._info, self._daemons, self._pool = info, daemons, pool
        self._vault, self._continuity = vault, continuity

    def welcome(self, number: int, role: str, message: Message, now: float) -> list[Action]:
        """Welcome a process in its role; RequestError when it is not the one of that role."""
        pid, started = require_number(message, "pid"), require_number(message, "start_time")
        if role in DAEMONS:
            self._daemons.claim(role, pid, number)
        welcome = {"op": "welcome", "plane": self._info.plane, "keeper_pid": self._info.pid}
        actions: list[Action] = []
        if role == BROKER:
            actions += self._vault.hand_over(BROKER_OWNER, number)
            welcome["held"] = self._vault.held(BROKER_OWNER)
        actions.append(Send(number, welcome))
        if role == WORKER and self._continuity.returning(message):
            returned = self._pool.returned(number, message, now)
            actions += [*self._renewed(number), *self._collecting(number), *returned]
        elif role == WORKER:
            actions += self._pool.arrived(number, pid, started, now)
        if role == BROKER:
            self._pool.broker = number
            if self._continuity.complete:
                actions += [Send(number, page) for page in lanes_messages(self._pool)]
            actions += self._collecting(number)
        if role == NURSERY:
            actions.append(Entrust(number))
        return actions

    def _collecting(self, number: int) -> list[Action]:
        """Tell one that comes, or comes back, of a collector that was started meanwhile."""
        collector = self._daemons.get(COLLECTOR)
        if collector is None or collector.adopted or collector.state is not Daemon.READY:
            return []
        return [Send(number, {"op": "collector"})]

    def _renewed(self, number: int) -> list[Action]:
        """Tell a worker that comes back of a broker that was started meanwhile."""
        broker = self._daemons.get(BROKER)
        fresh = broker is not None and not broker.adopted and broker.state is Daemon.READY
        return [Send(number, {"op": "broker"})] if fresh else []
