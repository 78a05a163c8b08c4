"""Who uses how much: our processes by incarnation, programs by their lane, over a look's interval.

Owns the difference between two looks at the processes of this machine. Refuses nothing; a process
that is not seen by a look has ended. Sans-IO: `processes` does the looking. Called by it and by
`diagnoses`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from lanekeeper.collector.model import Incarnation, Model
from lanekeeper.collector.spending import Spending, Spent

_CPU: Final = "lanekeeper_cpu_seconds_total"
_RESIDENT: Final = "lanekeeper_resident_bytes"
_OPEN: Final = "lanekeeper_open_fds"
_FULLEST: Final = "lanekeeper_open_fds_ratio"
_LOOKED: Final = frozenset({_RESIDENT, "lanekeeper_processes"})
"""What is known of all roles after one look, and is nothing before it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One process as a look saw it.

    `session` is that of its leader, `cpu` its own seconds and `reaped` those of the children it has
    reaped, `resident` bytes; `ended` says that its parent has not reaped it yet.
    """

    pid: int
    start_time: int
    session: int
    cpu: float
    resident: int
    parent: int = 0
    reaped: float = 0.0
    ended: bool = False


@dataclass(slots=True)
class Used:
    """What a lane uses: processors over the last interval, and bytes."""

    cpu: float = 0.0
    resident: int = 0


@dataclass(slots=True)
class _Look:
    """A look that is under way."""

    began: float
    seconds: float | None
    ours: dict[tuple[int, int], Incarnation]
    leaders: dict[int, str]
    lane_of: dict[tuple[int, int], str]
    cpu: dict[tuple[int, int], float] = field(default_factory=dict)
    newest: int = 0
    lanes: dict[str, Used] = field(default_factory=dict)
    roles: dict[str, float] = field(default_factory=dict)
    missing: set[tuple[int, int]] = field(default_factory=set)


_NOTHING: Final = Used()


class Usage:
    """What the last look has shown."""

    def __init__(self, model: Model) -> None:
        """Start with no look."""
        self._model = model
        self._look: _Look | None = None
        self._cpu: dict[tuple[int, int], float] = {}
        self._spending = Spending()
        self._newest = 0
        self._at: float | None = None
        self._lanes: dict[str, Used] = {}
        self._roles: dict[str, float] = {}
        self._fds: dict[Incarnation, float] = {}
        self._closely: set[str] = set()

    def of(self, lane_id: str) -> Used:
        """Return what a lane uses; nothing before there were two looks."""
        return self._lanes.get(lane_id, _NOTHING)

    def role(self, role: str) -> float | None:
        """Return the processors that all processes of a role use; None before two looks."""
        return self._roles.get(role)

    def given(self) -> dict[str, float]:
        """Return the ratios that the table of `judging` asks for."""
        return {"open_fds": max(self._fds.values())} if self._fds else {}

    def knows(self, name: str, labels: tuple[str, ...]) -> bool:
        """Return whether anybody has looked at what a gauge shows; 0 would be wrong before."""
        if name == _OPEN:
            return labels[0] in self._closely
        if name == _FULLEST:
            return bool(self._fds)
        return self._at is not None or name not in _LOOKED

    def begin(self, now: float) -> None:
        """Begin a look: what is to be found is decided now."""
        ours = {(p.who.pid, p.who.start_time): p.who for p in self._model.living()}
        leaders, lane_of = {}, {}
        for lane_id, worker in self._model.lanes().items():
            lane_of[worker.who.pid, worker.who.start_time] = lane_id
            for terminal in [] if worker.lane is None else worker.lane.terminals:
                if terminal.pid is not None:
                    leaders[terminal.pid] = lane_id
        seconds = None if self._at is None else max(now - self._at, 1e-3)
        self._look = _Look(now, seconds, ours, leaders, lane_of, missing=set(ours))

    def see(self, seen: Seen) -> None:
        """Take in one process of this machine."""
        look = self._look
        if look is None:
            return
        key = (seen.pid, seen.start_time)
        look.newest = max(look.newest, seen.start_time)
        who = look.ours.get(key)
        if who is not None and not seen.ended:
            look.missing.discard(key)
            look.cpu[key] = seen.cpu
            look.roles[who.role] = look.roles.get(who.role, 0.0) + self._grown(seen)
            self._model.put(who, _CPU, seen.cpu, now=look.began)
            self._model.put(who, _RESIDENT, seen.resident, now=look.began)
        lane_id = look.lane_of.get(key) or look.leaders.get(seen.session)
        if lane_id is None:
            return
        look.lanes.setdefault(lane_id, Used()).resident += seen.resident
        spent = Spent(lane_id, seen.parent, seen.cpu + seen.reaped)
        self._spending.note(key, spent, fresh=self._fresh(seen))

    def end(self) -> None:
        """End the look: who was not seen has ended."""
        look, self._look = self._look, None
        if look is None:
            return
        for key in look.missing:
            self._model.retire(look.ours[key], look.began)
        grown = self._spending.end()
        if look.seconds is not None:
            self._roles = {role: spent / look.seconds for role, spent in look.roles.items()}
            for lane_id, used in look.lanes.items():
                used.cpu = grown.get(lane_id, 0.0) / look.seconds
        self._cpu, self._newest, self._lanes = look.cpu, look.newest, look.lanes
        self._at = look.began

    def prune(self, living: Collection[Incarnation]) -> None:
        """Forget what was noted of processes that have ended."""
        self._fds = {who: share for who, share in self._fds.items() if who in living}

    def descriptors(self, who: Incarnation, count: int, share: float, now: float) -> None:
        """Note how many descriptors a process has open, and which part that is of its limit."""
        self._fds[who] = share
        self._closely.add(who.role)
        self._model.put(who, _OPEN, count, now=now)

    def _fresh(self, seen: Seen) -> bool:
        """Return whether a process began after the last look.

        Of one that was there and is noticed only now, nobody knows when it used what it has.
        """
        return seen.start_time > self._newest

    def _grown(self, seen: Seen) -> float:
        """Return the processor time of one of ours since the last look."""
        before = self._cpu.get((seen.pid, seen.start_time))
        if before is None:
            before = 0.0 if self._fresh(seen) else seen.cpu
        return max(seen.cpu - before, 0.0)
