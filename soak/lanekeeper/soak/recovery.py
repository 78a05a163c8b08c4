"""Sees a plane through a fault: what the victim does is done again, and the plane is whole.

Owns the clock of the recovery and the checks right after it. Refuses to take the plane's word that
it is whole: the processes must live, be the same but for the victim, and the vault hold what it
held. Called by `faults`.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from lanekeeper.client import Plane
from lanekeeper.soak import budget, bystanders, proc
from lanekeeper.soak.asker import Asker, until
from lanekeeper.soak.bystanders import Scene
from lanekeeper.soak.cluster import Cluster
from lanekeeper.soak.keeper import SilentError, Status
from lanekeeper.soak.ledger import Ledger
from lanekeeper.soak.oracle import Finding
from lanekeeper.soak.outcome import Outcome
from lanekeeper.soak.plan import Fault, Victim
from lanekeeper.soak.reading import Reader
from lanekeeper.soak.subject import Subject

PATIENCE: Final = 10.0
"""After this long nobody waits on."""
FALSE_SECONDS: Final = 2.0
"""How long a dead process may be shown as running."""
STEADY: Final = frozenset({"ready", "granted"})
"""States of processes of a plane that is whole; workers without a lane come and go."""
_LOOK: Final = 0.02


class Recovery:
    """The way back of one plane."""

    def __init__(self, cluster: Cluster, reader: Reader, asker: Asker, ledger: Ledger) -> None:
        """Use a plane, the reader of its flood, and a second client for what may take long."""
        self._cluster = cluster
        self._reader = reader
        self._asker = asker
        self._ledger = ledger
        self._false: list[Finding] = []

    def wait(self, fault: Fault, subject: Subject, outcome: Outcome) -> None:
        """Wait until what the victim does is done again, and note how long it took."""
        self._ledger.check("I1")
        since = outcome.killed
        if fault.victim is Victim.WORKER:
            outcome.seconds = self.until_flowing(subject, outcome)
        else:
            condition = self._condition(fault.victim, subject)
            asked = self._asker.ask(condition)
            self._reader.until(subject, asked.done, PATIENCE + 1, outcome)
            moment = asked.result() if asked.done() else None
            outcome.seconds = None if moment is None else moment - since
        if outcome.seconds is None and not subject.broken:
            text = f"{fault}: not recovered within {PATIENCE:g} s"
            outcome.findings.append(Finding("I1", f"{text}{self._trouble()}"))

    def until_flowing(self, subject: Subject, outcome: Outcome) -> float | None:
        """Wait for output made after the fault, then for an input typed after it."""
        since = outcome.killed
        wait = self._reader.until
        if not wait(subject, lambda: subject.judge.stamp >= since * 1e9, PATIENCE, outcome):
            return None
        seconds = time.monotonic() - since
        if not wait(subject, lambda: subject.acknowledged >= since, PATIENCE, outcome):
            return None
        return seconds

    def whole(self, before: Scene, outcome: Outcome, subject: Subject) -> Iterator[Finding]:
        """See that the plane is whole again, shows nothing that is not, and lost nothing."""
        victim = outcome.fault.victim
        if outcome.seconds is not None:
            self._ledger.check("I4")
            yield from budget.judge_recovery(victim, outcome.seconds)
        yield from self._false
        self._false.clear()
        waited = self._asker.ask(lambda _plane: until(self._ready, PATIENCE))
        self._reader.until(subject, waited.done, PATIENCE + 1)
        if not waited.done() or waited.result() is None:
            text = f"the plane is not whole after {PATIENCE:g} s"
            yield Finding("I6", f"{text}{self._trouble()}")
            return
        after = bystanders.look(self._cluster.directory)
        self._ledger.check("I1", len(before.processes))
        yield from bystanders.same(before, after, victim, subject.lane.id)
        self._ledger.check("I6", 2)
        yield from bystanders.vaulted(before, after, subject.lane.id)
        yield from self._shown(subject)
        yield from bystanders.sizes(after, self._ledger)

    def _shown(self, subject: Subject) -> Iterator[Finding]:
        deadline = time.monotonic() + FALSE_SECONDS
        false = True
        while false and time.monotonic() < deadline:
            shown = self._cluster.status().processes
            seen = [proc.Seen(int(one["pid"]), int(one["start_time"])) for one in shown]
            false = any(not proc.lives(one) for one in seen)
            if false:
                self._reader.pause(subject, _LOOK)
        if false:
            yield Finding("I6", "a dead process is shown as running")

    def _condition(self, victim: Victim, subject: Subject) -> Callable[[Plane], float | None]:
        match victim:
            case Victim.BROKER:
                return lambda plane: until(lambda: self._listed(plane, subject), PATIENCE)
            case Victim.NURSERY:
                return lambda plane: until(lambda: _spawns(plane), PATIENCE)
            case _:
                return lambda _plane: until(self._ready, PATIENCE)

    def _listed(self, plane: Plane, subject: Subject) -> bool:
        """Whether the listing says that it is complete; then the lane must be in it."""
        names = {lane.name for lane in plane.lanes()}
        if not plane.listing_complete:
            return False
        self._ledger.check("I6")
        if subject.lane.info.name not in names:
            self._false.append(Finding("I6", f"a complete listing without the lane: {names}"))
        return True

    def _ready(self) -> bool:
        try:
            status = self._cluster.status()
        except SilentError:
            return False
        return is_whole(status)

    def _trouble(self) -> str:
        """Say what the plane says of itself that is not as it should be."""
        try:
            status = self._cluster.status()
        except SilentError as error:
            return f"; the keeper is silent: {error}"
        odd = [f"{one['role']} {one['pid']} is {one['state']}" for one in _unsteady(status)]
        return "".join(f"; {text}" for text in (*status.degraded, *odd))


def is_whole(status: Status) -> bool:
    """Whether a plane says that it is whole."""
    return not status.degraded and not _unsteady(status)


def _spawns(plane: Plane) -> bool:
    done = plane.lane("other").run(["true"], timeout=PATIENCE)
    return done.code == 0


def _unsteady(status: Status) -> list[dict[str, Any]]:
    return [
        one
        for one in status.processes
        if one["state"] not in STEADY and (one["role"] != "worker" or "lane" in one)
    ]
