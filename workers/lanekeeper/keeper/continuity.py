"""What keeps a plane going when one of its own hangs, or when its keeper was replaced.

Owns the order of both: who is back, who beats, who is ended because it does not. Refuses to end a
worker or a broker unless the vault holds all that it declared: what is not there would be lost.
Sans-IO: called by `supervisor` alone, with the time.
"""

import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from lanekeeper.keeper.beats import Beats, Heart
from lanekeeper.keeper.daemons import Daemons
from lanekeeper.keeper.events import (
    BROKER,
    CLIENT,
    DAEMONS,
    KEEPER,
    WORKER,
    Action,
    Found,
    Kill,
    Message,
    Note,
    Orphaned,
    Reap,
    RequestError,
    Send,
    Watch,
    require_number,
    require_text,
)
from lanekeeper.keeper.pool import Pool
from lanekeeper.keeper.readoption import Readoption
from lanekeeper.keeper.roster import DRAIN_TIMEOUT, Record
from lanekeeper.keeper.states import Worker
from lanekeeper.keeper.status import lanes_messages
from lanekeeper.keeper.vault import BROKER_OWNER

_DEPOSITORS: Final = (BROKER, WORKER)


@dataclass(frozen=True, slots=True)
class Parts:
    """What it works on."""

    daemons: Daemons
    pool: Pool
    held: Callable[[str], int]
    """How many descriptors the vault holds for an owner."""


class Continuity:
    """Who is back and who is alive."""

    def __init__(self, parts: Parts, hang_after: float) -> None:
        """Take a silence of `hang_after` seconds for a hang."""
        self._daemons, self._pool, self._held = parts.daemons, parts.pool, parts.held
        self._hang_after = hang_after
        self._beats = Beats(hang_after)
        self._readoption = Readoption()
        self._named: dict[int, str] = {}
        self._leaving = False

    @property
    def deadline(self) -> float:
        """When something is due."""
        return min(self._beats.deadline, self._readoption.deadline)

    @property
    def complete(self) -> bool:
        """Whether nothing is on its way back."""
        return not self._readoption.under_way

    def take_over(self, found: Iterable[Found], now: float) -> list[Action]:
        """Begin with the processes of a plane that lives: none is started a second time."""
        ours, more = _sorted_out(found)
        actions: list[Action] = [Watch(one.pid, one.start_time) for one in ours]
        names = {one.role for one in ours if one.role in DAEMONS}
        for one in ours:
            if one.role in DAEMONS:
                self._daemons.adopt(one.role, one.pid, one.start_time, now)
        self._readoption.begin(ours, now)
        actions.append(Note(f"took over a plane with {len(ours)} processes", "warning"))
        for one in more:
            text = f"{one.role} pid {one.pid} is none that a keeper started, and left alone"
            actions.append(Note(text, "warning"))
        return [*actions, *self._daemons.start(besides=names)]

    def greeted(self, number: int, role: str, message: Message, now: float) -> list[Action]:
        """Note who has come, and how much it says it has; it is welcome already."""
        if role == CLIENT:
            return []
        pid, held = message["pid"], message.get("held")
        heart = self._beats.joined(number, pid, role, now)
        heart.declared = held if isinstance(held, int) else None
        self._readoption.greeted(pid, held if isinstance(held, int) else 0)
        return self.deposited(number, now)

    def returning(self, message: Message) -> bool:
        """Whether a hello is that of a worker which had its lane before this keeper was there."""
        lane = message.get("lane")
        return isinstance(lane, dict) and isinstance(lane.get("lane_id"), str)

    def deposited(self, number: int, now: float) -> list[Action]:
        """Note that the vault holds more of a peer, or that it came without anything."""
        heart = self._beats.get(number)
        if heart is None:
            return []
        if heart.declared is not None and self._count(heart) >= heart.declared:
            heart.whole = True
        counted = self._readoption.counted(heart.pid, self._count(heart), now)
        return self._whole() if counted else []

    def beat(self, number: int, message: Message, now: float) -> list[Action]:
        """Note a sign of life, with what it says the vault should hold.

        One that has let go of something on its way back never has what its hello declared.
        """
        heart = self._beats.beat(number, now)
        if heart is None or heart.role not in _DEPOSITORS:
            return []
        counted = self._count(heart)
        heart.whole = message.get("held", counted) == counted
        return self._whole() if heart.whole and self._readoption.gone(heart.pid, now) else []

    def left(self, number: int) -> None:
        """Note that a channel has gone."""
        self._beats.left(number)

    def ended(self, pid: int, now: float) -> list[Action]:
        """Note that a process has ended: it is not missed any more."""
        actions = self._whole() if self._readoption.gone(pid, now) else []
        lane_id = self._named.pop(pid, None)
        broker = self._pool.broker
        if lane_id is None or broker is None or self._pool.of_lane(lane_id) is not None:
            return actions
        reason = "its worker died while the plane had no keeper"
        told = {"op": "died", "lane_id": lane_id, "pid": pid, "recovering": False}
        return [*actions, Send(broker, {**told, "reason": reason})]

    def named(self, _: int, message: Message, __: float) -> list[Action]:
        """Look after workers that the broker knows and this keeper does not; each is watched.

        Raises:
            RequestError: the list is wrong.
        """
        workers = message.get("workers")
        if not isinstance(workers, list) or not all(isinstance(one, dict) for one in workers):
            raise RequestError("INVALID_ARGUMENT", "'workers' must be a list of objects")
        actions: list[Action] = []
        for one in workers:
            pid, started = require_number(one, "pid"), require_number(one, "start_time")
            self._named[pid] = require_text(one, "lane_id")
            actions.append(Watch(pid, started))
        return actions

    def orphaned(self, event: Orphaned) -> list[Action]:
        """Tell a lane's worker how a program of it ended; nothing while there is none."""
        record = self._pool.of_lane(event.lane_id)
        if record is None or record.peer is None or record.state is Worker.ENDING:
            return []
        status = {"code": event.code, "signal": event.signal, "core": event.core}
        told = {"op": "exited", "pid": event.pid, "start_time": event.start_time, **status}
        return [Send(record.peer, told), Reap(event.pid)]

    def fenceable(self, record: Record) -> bool:
        """Whether the vault holds all that a worker has declared."""
        heart = None if record.peer is None else self._beats.get(record.peer)
        return heart is not None and heart.whole

    def whole(self) -> bool:
        """Whether every daemon serves, every lane has its worker, and the vault holds all."""
        if not (self.complete and self._daemons.serving and not self._pool.waiting):
            return False
        served = [record for record in self._pool if record.lane is not None]
        return all(self.fenceable(record) for record in served)

    def stalled(self, now: float) -> list[Action]:
        """Judge nobody by the time in which we stood still ourselves."""
        self._beats.stalled(now)
        return [Note("stood still for over 2 s: all deadlines begin again", "warning")]

    def due(self, now: float) -> list[Action]:
        """Report what does not come back, and end what hangs, where that loses nothing."""
        actions: list[Action] = []
        late = self._readoption.late(now)
        if late and self._leaving:
            actions += self.kill()
        elif late:
            actions.append(Note(self._readoption.reason(), "error"))
            actions += self._pages()
        for heart in self._beats.late(now, lambda heart: self._excused(heart, now)):
            actions += self._hangs(heart)
        return actions

    def abandon(self, now: float) -> list[Action]:
        """Give what is not back as long as the others have to end: the plane goes down.

        A worker that was stopped would outlive the plane, with its programs.
        """
        self._leaving = True
        self._readoption.hurry(now + DRAIN_TIMEOUT)
        return self.kill() if self._readoption.late(now) else []

    def kill(self) -> list[Action]:
        """End what has not come back at once."""
        return [Kill(found.pid, signal.SIGKILL) for found in self._readoption.absent()]

    @property
    def awaited(self) -> bool:
        """Whether there is a worker that has not come back."""
        return any(found.role == WORKER for found in self._readoption.absent())

    def degraded(self) -> list[dict[str, Any]]:
        """Return what the status says is missing."""
        found = []
        if self._readoption.reason():
            found.append({"role": KEEPER, "reason": self._readoption.reason()})
        for heart in self._beats:
            if heart.stuck and not heart.whole and heart.role in _DEPOSITORS:
                reason = f"failed: stuck: pid {heart.pid} hangs, and the vault does not hold all"
                found.append({"role": heart.role, "reason": reason, **self._lane(heart)})
        return found

    def window(self) -> dict[str, Any] | None:
        """Return how the plane came back under this keeper; None for its first one."""
        if not self._readoption.expected:
            return None
        return {"processes": self._readoption.expected, "seconds": self._readoption.window}

    def _excused(self, heart: Heart, now: float) -> bool:
        """Whether nothing is to be heard of a process yet: a worker without a lane is silent."""
        if heart.role != WORKER:
            return False
        record = self._pool.of_peer(heart.peer)
        return record is None or now - record.granted_at < self._hang_after

    def _hangs(self, heart: Heart) -> list[Action]:
        keys = {"worker": str(heart.pid), **self._lane(heart)} if heart.role == WORKER else {}
        if heart.role in _DEPOSITORS and not heart.whole and self._lane(heart, broker=True):
            text = f"{heart.role} pid {heart.pid} hangs; the vault does not hold all it has"
            broker, lane = self._pool.broker, self._lane(heart)
            if broker is None or not lane:
                return [Note(text, "error", keys)]
            told = {"op": "stuck", "lane_id": lane["lane"], "pid": heart.pid}
            return [Note(text, "error", keys), Send(broker, told)]
        self._pool.figures.hung(heart.pid)
        text = f"{heart.role} pid {heart.pid} hangs: ending it"
        return [Note(text, "error", keys), Kill(heart.pid, signal.SIGKILL)]

    def _whole(self) -> list[Action]:
        """Everything is back."""
        seconds = self._readoption.window or 0.0
        self._pool.figures.redeposited(seconds)
        text = f"all {self._readoption.expected} processes are back after {seconds * 1000:.0f} ms"
        return [Note(text), *self._pages()]

    def _pages(self) -> list[Action]:
        """Tell the broker, once that is known, what lanes there are."""
        broker = self._pool.broker
        if broker is None:
            return []
        return [Send(broker, page) for page in lanes_messages(self._pool)]

    def _lane(self, heart: Heart, *, broker: bool = False) -> dict[str, str]:
        """Return the lane that a worker serves, as a key; with `broker`, the broker's entry too."""
        if heart.role == BROKER:
            return {"lane": BROKER_OWNER} if broker else {}
        record = self._pool.of_peer(heart.peer)
        return {} if record is None or record.lane_id is None else {"lane": record.lane_id}

    def _count(self, heart: Heart) -> int:
        owner = self._lane(heart, broker=True).get("lane")
        return 0 if owner is None else self._held(owner)


def _sorted_out(found: Iterable[Found]) -> tuple[list[Found], list[Found]]:
    """Return the workers with one process for each daemon, the oldest, and what else there is."""
    ours: dict[str | int, Found] = {}
    more: list[Found] = []
    for one in sorted(found, key=lambda one: one.start_time):
        if one.role not in (*DAEMONS, WORKER) or one.role in ours:
            more.append(one)
        else:
            ours[one.pid if one.role == WORKER else one.role] = one
    return list(ours.values()), more
