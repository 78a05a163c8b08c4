"""Carries out one fault and sees the plane through it: hit, recovered, whole again.

Owns the choice of the process, the holding at a named moment, the clock of the recovery and the
checks right after it. Refuses to go on to the next fault before this one is over: two faults at a
time are another promise. Called by the driver.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import IO, Any, Final

from lanekeeper.client import LaneError, Plane
from lanekeeper.soak import proc, provoking
from lanekeeper.soak.asker import Asker, until
from lanekeeper.soak.cluster import Cluster, Held
from lanekeeper.soak.keeper import SilentError, Status
from lanekeeper.soak.oracle import Finding
from lanekeeper.soak.plan import MOMENTS, Fault, Provoke, Victim
from lanekeeper.soak.subject import Subject

RECOVERY_SECONDS: Final = 10.0
"""After this long nobody waits on."""
STOPPED_SECONDS: Final = 3.0
"""How long a stopped process stands still: a fifth of what is taken for a hang."""
SETTLED_SECONDS: Final = 0.5
"""How long after it goes on somebody may still wrongly end it."""
HELD_SECONDS: Final = 30.0
"""How long it may take until somebody comes by an armed moment, or a client has started."""
STEADY: Final = frozenset({"ready", "granted"})
"""States of processes of a plane that is whole; workers without a lane come and go."""
FALSE_SECONDS: Final = 2.0
"""How long a dead process may be shown as running."""


@dataclass(slots=True)
class Outcome:
    """What came of a fault.

    Attributes:
        killed: when the victim was hit; monotonic seconds.
        seconds: from the fault until what the victim does was done again; None for never.
        pause: the longest time without new output meanwhile.
    """

    fault: Fault
    killed: float = 0.0
    seconds: float | None = None
    pause: float = 0.0
    findings: list[Finding] = field(default_factory=list)


class Surgeon:
    """Maims one plane."""

    def __init__(self, cluster: Cluster, plane: Plane, asker: Asker) -> None:
        """Use a plane, its client, and a second client for questions that may take long."""
        self._cluster = cluster
        self._plane = plane
        self._asker = asker

    def operate(self, fault: Fault, subject: Subject) -> Outcome:
        """Carry out a fault and return what came of it."""
        outcome = Outcome(fault)
        self._drive(subject, lambda: False, fault.delay)
        try:
            if fault.victim is Victim.CLIENT:
                outcome.findings += self._kill_viewer(fault, subject, outcome)
            elif fault.number == signal.SIGSTOP:
                self._stop(fault, self._victim(fault.victim, subject), outcome, subject)
            elif fault.moment is None:
                self._hit(self._victim(fault.victim, subject), fault.number, outcome, subject)
                self._await_recovery(fault, subject, outcome)
            else:
                self._at_moment(fault, fault.moment, subject, outcome)
        except SilentError as error:
            outcome.findings.append(Finding("I1", f"the keeper is silent: {error}"))
        except LookupError as error:
            outcome.findings.append(Finding("I1", str(error)))
        if not outcome.findings and not subject.broken:
            outcome.findings += self._whole(subject)
        outcome.findings += subject.alive()
        return outcome

    def _at_moment(self, fault: Fault, moment: str, subject: Subject, outcome: Outcome) -> None:
        provoke = MOMENTS[moment].provoke
        asked: Future[list[Finding]] | None = None
        self._cluster.arm(moment)
        try:
            if provoke in provoking.QUESTIONS:
                question = provoking.QUESTIONS[provoke]
                asked = self._asker.ask(lambda plane: question(plane, subject))
            elif provoke in {Provoke.SUCCESSION, Provoke.RESTART}:
                victim = self._victim(fault.victim, subject)
                self._hit(victim, signal.SIGKILL, outcome, subject)
            held = self._await_held(moment, fault, subject)
            if held is None:
                raise LookupError(f"nobody came by {moment}")
            self._hit(proc.look(held.pid), fault.number, outcome, subject)
            held.path.unlink(missing_ok=True)
        finally:
            self._cluster.disarm(moment)
        self._await_recovery(fault, subject, outcome)
        if asked is not None:
            if not self._drive(subject, asked.done, RECOVERY_SECONDS):
                outcome.findings.append(Finding("I1", f"{provoke.value} was never answered"))
            else:
                outcome.findings += _answer(asked)

    def _kill_viewer(self, fault: Fault, subject: Subject, outcome: Outcome) -> Iterator[Finding]:
        """Kill a client that reads the same terminal; it may hold the child for a moment."""
        policy = "block" if len(subject.history) % 2 else "drop"
        with viewing(self._cluster, subject.address, policy) as viewer:
            attached = self._drive(subject, lambda: _readable(viewer.stdout), HELD_SECONDS)
            if not attached:
                yield Finding("-", "no viewer came")
                return
            self._drive(subject, lambda: False, fault.delay)
            if fault.number == signal.SIGSTOP:  # it may hold the child for its grace, and no longer
                outcome.killed = time.monotonic()
                viewer.send_signal(fault.number)
            else:
                self._hit(proc.look(viewer.pid), fault.number, outcome, subject)
            outcome.seconds = self._until_flowing(subject, outcome)
        if outcome.seconds is None:
            yield Finding("I1", f"{fault}: the program is still held")

    def _await_held(self, moment: str, fault: Fault, subject: Subject) -> Held | None:
        """Wait until a process of the right lane is held; others go on."""
        deadline = time.monotonic() + HELD_SECONDS
        while time.monotonic() < deadline and not subject.broken:
            self._drive(subject, lambda: bool(self._cluster.held(moment)), 0.5)
            for held in self._cluster.held(moment):
                if fault.victim is not Victim.WORKER or self._serves(held.pid, subject):
                    return held
                self._cluster.go_on(held)
                self._cluster.arm(moment)
        return None

    def _serves(self, pid: int, subject: Subject) -> bool:
        known = self._cluster.status().of("worker", subject.lane.id)
        return pid in {one.pid for one in known}

    def _victim(self, victim: Victim, subject: Subject) -> proc.Seen:
        lane_id = subject.lane.id if victim is Victim.WORKER else None
        found = [one for one in self._cluster.status().of(victim.value, lane_id) if proc.lives(one)]
        if not found:
            raise LookupError(f"no {victim.value} to hit")
        return found[0]

    def _hit(
        self, victim: proc.Seen | None, number: int, outcome: Outcome, subject: Subject
    ) -> None:
        if victim is None:
            raise LookupError("the victim had gone before it was hit")
        pidfd = os.pidfd_open(victim.pid)
        try:
            outcome.killed = time.monotonic()
            signal.pidfd_send_signal(pidfd, number)
            self._drive(
                subject, lambda: bool(select.select([pidfd], [], [], 0.0)[0]), RECOVERY_SECONDS
            )
        finally:
            os.close(pidfd)
        outcome.findings += self._remember(victim)

    def _stop(self, fault: Fault, victim: proc.Seen, outcome: Outcome, subject: Subject) -> None:
        """Have a process stand still for a while that is not yet taken for a hang."""
        proc.kill(victim.pid, signal.SIGSTOP)
        try:
            self._drive(subject, lambda: False, STOPPED_SECONDS)
        finally:
            proc.kill(victim.pid, signal.SIGCONT)
        outcome.killed = time.monotonic()
        self._await_recovery(fault, subject, outcome)
        self._drive(subject, lambda: False, SETTLED_SECONDS)
        if not proc.lives(victim):
            outcome.findings.append(Finding("I6", f"{victim} was ended for standing still"))

    def _remember(self, victim: proc.Seen) -> Iterator[Finding]:
        if proc.lives(victim):
            yield Finding("-", f"{victim} survived its signal")

    def _await_recovery(self, fault: Fault, subject: Subject, outcome: Outcome) -> None:
        """Wait until what the victim does is done again, and note how long it took."""
        since = outcome.killed
        if fault.victim is Victim.WORKER:
            outcome.seconds = self._until_flowing(subject, outcome)
        else:
            condition = self._condition(fault.victim, since)
            asked = self._asker.ask(condition)
            self._drive(subject, asked.done, RECOVERY_SECONDS + 1, outcome)
            moment = asked.result() if asked.done() else None
            outcome.seconds = None if moment is None else moment - since
        if outcome.seconds is None and not subject.broken:
            text = f"{fault}: not recovered within {RECOVERY_SECONDS:g} s"
            outcome.findings.append(Finding("I1", f"{text}{self._trouble()}"))

    def _until_flowing(self, subject: Subject, outcome: Outcome) -> float | None:
        """Wait for output made after the fault, then for an input typed after it."""
        since = outcome.killed
        limit = RECOVERY_SECONDS
        if not self._drive(subject, lambda: subject.judge.stamp >= since * 1e9, limit, outcome):
            return None
        seconds = time.monotonic() - since
        if not self._drive(subject, lambda: subject.acknowledged >= since, limit, outcome):
            return None
        return seconds

    def _condition(self, victim: Victim, since: float) -> Callable[[Plane], float | None]:
        del since
        match victim:
            case Victim.BROKER:
                return lambda plane: until(lambda: _listed(plane), RECOVERY_SECONDS)
            case Victim.NURSERY:
                return lambda plane: until(lambda: _spawns(plane), RECOVERY_SECONDS)
            case _:
                return lambda _plane: until(self._ready, RECOVERY_SECONDS)

    def _ready(self) -> bool:
        try:
            status = self._cluster.status()
        except SilentError:
            return False
        return _is_whole(status)

    def _trouble(self) -> str:
        """Say what the plane says of itself that is not as it should be."""
        try:
            status = self._cluster.status()
        except SilentError as error:
            return f"; the keeper is silent: {error}"
        odd = [f"{one['role']} {one['pid']} is {one['state']}" for one in _unsteady(status)]
        return "".join(f"; {text}" for text in (*status.degraded, *odd))

    def _whole(self, subject: Subject) -> Iterator[Finding]:
        """See that the plane is whole again and shows nothing that is dead as running."""
        waited = self._asker.ask(lambda _plane: until(self._ready, RECOVERY_SECONDS))
        self._drive(subject, waited.done, RECOVERY_SECONDS + 1)
        if not waited.done() or waited.result() is None:
            text = f"the plane is not whole after {RECOVERY_SECONDS:g} s"
            yield Finding("I6", f"{text}{self._trouble()}")
            return
        deadline = time.monotonic() + FALSE_SECONDS
        false = True
        while false and time.monotonic() < deadline:
            shown = self._cluster.status().processes
            seen = [proc.Seen(int(one["pid"]), int(one["start_time"])) for one in shown]
            false = any(not proc.lives(one) for one in seen)
            if false:
                self._drive(subject, lambda: False, 0.02)
        if false:
            yield Finding("I6", "a dead process is shown as running")

    def _drive(
        self,
        subject: Subject,
        done: Callable[[], bool],
        seconds: float,
        outcome: Outcome | None = None,
    ) -> bool:
        """Read and type until `done`, at most `seconds`; return whether it is."""
        deadline = time.monotonic() + seconds
        arrived, offset = time.monotonic(), subject.judge.offset
        while not done():
            now = time.monotonic()
            if now >= deadline or subject.broken:
                return False
            subject.turn()
            if subject.judge.offset > offset:
                offset = subject.judge.offset
                if outcome is not None:
                    outcome.pause = max(outcome.pause, now - arrived)
                arrived = now
            self._plane.wait(timeout=0.005)
        return True


@contextlib.contextmanager
def viewing(cluster: Cluster, address: str, policy: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a client that reads a terminal by a policy; kill it if it still lives."""
    command = [sys.executable, "-P", "-m", "lanekeeper.soak.probe", str(cluster.directory)]
    viewer = subprocess.Popen(
        [*command, "viewer", address, policy],
        env=cluster.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    with viewer:
        try:
            yield viewer
        finally:
            viewer.kill()


def _readable(stream: IO[bytes] | None) -> bool:
    return stream is not None and bool(select.select([stream], [], [], 0.0)[0])


def _answer(asked: Future[list[Finding]]) -> list[Finding]:
    try:
        return asked.result()
    except LaneError as error:
        return [Finding("I1", f"a command during the fault: {error}")]


def _listed(plane: Plane) -> bool:
    plane.lanes()
    return plane.listing_complete


def _spawns(plane: Plane) -> bool:
    done = plane.lane("other").run(["true"], timeout=RECOVERY_SECONDS)
    return done.code == 0


def _is_whole(status: Status) -> bool:
    return not status.degraded and not _unsteady(status)


def _unsteady(status: Status) -> list[dict[str, Any]]:
    return [
        one
        for one in status.processes
        if one["state"] not in STEADY and (one["role"] != "worker" or "lane" in one)
    ]
