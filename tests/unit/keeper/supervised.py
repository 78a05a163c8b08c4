"""A supervisor with a clock of its own, as the unit tests drive it."""

import math
from collections.abc import Iterable
from typing import Any, TypeVar

from lanekeeper.keeper import events
from lanekeeper.keeper.events import Action, Event
from lanekeeper.keeper.status import PlaneInfo
from lanekeeper.keeper.supervisor import Supervisor
from lanekeeper.keeper.vault import Vault

PIDS = {"nursery": 100, "broker": 200, "collector": 300}
Kind = TypeVar("Kind", bound=Action)


class Run:
    """A supervisor with a clock, and everything it said."""

    def __init__(self, warm: int = 2, hang_after: float = math.inf, *, forks: bool = False) -> None:
        """Start with nothing running; its peers beat only where a test lets them.

        Unless it `forks`, the nursery is cold: it leaves the daemons to the keeper.
        """
        self.forks = forks
        self.core = Supervisor(PlaneInfo("plane_x", 1, 10, 0.0), warm, Vault(1_000), hang_after)
        self.now = 1000.0
        self.peers = 0

    def do(self, event: Event) -> list[Action]:
        """Hand in one event."""
        actions = self.core.handle(event, self.now)
        for asked in () if self.forks else of(events.Beget, actions):
            actions.remove(asked)
            actions += self.say(asked.peer, "cold", id=asked.number)
        return actions

    def wait(self) -> list[Action]:
        """Go on to the next deadline."""
        deadline = self.core.next_deadline()
        assert deadline is not None
        self.now = max(self.now, deadline)
        return self.do(events.Tick())

    def join(self, role: str, pid: int) -> tuple[int, list[Action]]:
        """Connect a peer and let it say hello."""
        self.peers += 1
        self.do(events.PeerOpened(self.peers))
        return self.peers, self.say(self.peers, "hello", role=role, pid=pid, start_time=pid)

    def say(self, peer: int, op: str, **fields: object) -> list[Action]:
        """Let a peer say something."""
        return self.do(events.PeerSaid(peer, {"op": op, **fields}))

    def serve(self, role: str, pid: int) -> tuple[int, list[Action]]:
        """Launch a daemon up to its readiness; return its peer and what followed."""
        self.do(events.Launched(role, pid, pid))
        peer, actions = self.join(role, pid)
        return peer, [*actions, *self.say(peer, "ready")]

    def up(self) -> dict[str, int]:
        """Bring the plane up."""
        self.do(events.Started())
        return {role: self.serve(role, pid)[0] for role, pid in PIDS.items()}

    def worker(self, nursery: int, fork: str, pid: int) -> tuple[int, list[Action]]:
        """Fork a worker and let it arrive."""
        first = self.say(nursery, "forked", id=fork, pid=pid, start_time=pid)
        peer, actions = self.join("worker", pid)
        return peer, [*first, *actions]


def of(kind: type[Kind], actions: Iterable[Action]) -> list[Kind]:
    """Return the actions of one kind."""
    return [action for action in actions if isinstance(action, kind)]


def sent(actions: Iterable[Action], op: str) -> list[tuple[int, dict[str, Any]]]:
    """Return peer and message of what was sent with this op."""
    return [
        (action.peer, dict(action.message))
        for action in of(events.Send, actions)
        if action.message["op"] == op
    ]


def grant(run: Run, broker: int, lane_id: str) -> list[Action]:
    """Let the broker ask for a worker."""
    return run.say(broker, "grant", id=lane_id, lane={"lane_id": lane_id, "generation": 1})


def granted(run: Run, peers: dict[str, int]) -> int:
    """Fork the first worker and grant it lane_a; return its peer."""
    peer, _ = run.worker(peers["nursery"], "fork-1", 501)
    grant(run, peers["broker"], "lane_a")
    return peer
