"""Carries out one fault: at a named moment, at a random time, or by standing still.

Owns the choice of the process and the holding at a named moment. Refuses to go on to the next fault
before this one is over: two faults at a time are another promise. Called by the driver.
"""

import contextlib
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import IO, Final

from lanekeeper.client import LaneError, Plane
from lanekeeper.soak import budget, bystanders, proc, provoking
from lanekeeper.soak.asker import Asker
from lanekeeper.soak.cluster import Cluster, Held
from lanekeeper.soak.keeper import SilentError
from lanekeeper.soak.ledger import Ledger
from lanekeeper.soak.oracle import Finding
from lanekeeper.soak.outcome import Outcome
from lanekeeper.soak.plan import HANG, MOMENTS, Fault, Provoke, Victim
from lanekeeper.soak.reading import Reader
from lanekeeper.soak.recovery import PATIENCE, Recovery
from lanekeeper.soak.subject import Subject

STOPPED_SECONDS: Final = 3.0
"""How long a stopped process stands still: a fifth of what is taken for a hang."""
SETTLED_SECONDS: Final = 0.5
"""How long after it goes on somebody may still wrongly end it."""
HELD_SECONDS: Final = 30.0
"""How long it may take until somebody comes by an armed moment, or a client has started."""


class Surgeon:
    """Maims one plane."""

    def __init__(self, cluster: Cluster, plane: Plane, asker: Asker, ledger: Ledger) -> None:
        """Use a plane, its client, and a second client for questions that may take long."""
        self._cluster = cluster
        self._asker = asker
        self._ledger = ledger
        self._reader = Reader(plane)
        self._recovery = Recovery(cluster, self._reader, asker, ledger)

    def operate(self, fault: Fault, subject: Subject) -> Outcome:
        """Carry out a fault and return what came of it."""
        outcome = Outcome(fault)
        self._reader.pause(subject, fault.delay)
        try:
            before = bystanders.look(self._cluster.directory)
            self._carry_out(fault, subject, outcome)
            if not outcome.findings and not subject.broken:
                outcome.findings += self._recovery.whole(before, outcome, subject)
        except SilentError as error:
            outcome.findings.append(Finding("I1", f"the keeper is silent: {error}"))
        except LookupError as error:
            outcome.findings.append(Finding("I1", str(error)))
        outcome.findings += subject.alive()
        return outcome

    def attend(self, subject: Subject, done: Callable[[], bool]) -> None:
        """Read and type on until something beside it is done, which bounds itself."""
        self._reader.until(subject, done, math.inf)

    def _carry_out(self, fault: Fault, subject: Subject, outcome: Outcome) -> None:
        if fault.victim is Victim.CLIENT:
            outcome.findings += self._kill_viewer(fault, subject, outcome)
        elif fault.number == HANG:
            self._hang(fault, self._victim(fault.victim, subject), outcome, subject)
        elif fault.number == signal.SIGSTOP:
            self._stop(fault, self._victim(fault.victim, subject), outcome, subject)
        elif fault.moment is None:
            self._hit(self._victim(fault.victim, subject), fault.number, outcome, subject)
            self._recovery.wait(fault, subject, outcome)
        else:
            self._at_moment(fault, fault.moment, subject, outcome)

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
        self._recovery.wait(fault, subject, outcome)
        if asked is not None:
            if not self._reader.until(subject, asked.done, PATIENCE):
                outcome.findings.append(Finding("I1", f"{provoke.value} was never answered"))
            else:
                for invariant in provoking.JUDGES:
                    self._ledger.check(invariant)
                outcome.findings += _answer(asked)

    def _kill_viewer(self, fault: Fault, subject: Subject, outcome: Outcome) -> Iterator[Finding]:
        """Kill a client that reads the same terminal; it may hold the child for a moment."""
        policy = "block" if len(subject.history) % 2 else "drop"
        with viewing(self._cluster, subject.address, policy) as viewer:
            attached = self._reader.until(subject, lambda: _readable(viewer.stdout), HELD_SECONDS)
            if not attached:
                yield Finding("-", "no viewer came")
                return
            self._reader.pause(subject, fault.delay)
            if fault.number in {HANG, signal.SIGSTOP}:
                # It may hold the child for its grace, and no longer.
                outcome.killed = time.monotonic()
                viewer.send_signal(signal.SIGSTOP)
            else:
                self._hit(proc.look(viewer.pid), fault.number, outcome, subject)
            self._ledger.check("I1")
            outcome.seconds = self._recovery.until_flowing(subject, outcome)
        if outcome.seconds is None:
            yield Finding("I1", f"{fault}: the program is still held")

    def _await_held(self, moment: str, fault: Fault, subject: Subject) -> Held | None:
        """Wait until a process of the right lane is held; others go on."""
        deadline = time.monotonic() + HELD_SECONDS
        while time.monotonic() < deadline and not subject.broken:
            self._reader.until(subject, lambda: bool(self._cluster.held(moment)), 0.5)
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
            self._reader.until(subject, lambda: _ended(pidfd), PATIENCE)
        finally:
            os.close(pidfd)
        if proc.lives(victim):
            outcome.findings.append(Finding("-", f"{victim} survived its signal"))

    def _stop(self, fault: Fault, victim: proc.Seen, outcome: Outcome, subject: Subject) -> None:
        """Have a process stand still for a while that is not yet taken for a hang."""
        proc.kill(victim.pid, signal.SIGSTOP)
        try:
            self._reader.pause(subject, STOPPED_SECONDS)
        finally:
            proc.kill(victim.pid, signal.SIGCONT)
        outcome.killed = time.monotonic()
        self._recovery.wait(fault, subject, outcome)
        self._reader.pause(subject, SETTLED_SECONDS)
        self._ledger.check("I6")
        if not proc.lives(victim):
            outcome.findings.append(Finding("I6", f"{victim} was ended for standing still"))

    def _hang(self, fault: Fault, victim: proc.Seen, outcome: Outcome, subject: Subject) -> None:
        """Have a process stand still until its watcher has ended it.

        It gets SIGCONT in the very moment of its end: one that could run on then would read or
        write beside its successor, and the judge of the stream would see that.
        """
        pidfd = os.pidfd_open(victim.pid)
        since = time.monotonic()
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
            ended = self._reader.until(subject, lambda: _ended(pidfd), budget.FENCE_SECONDS)
            outcome.killed = time.monotonic()
            outcome.fenced = outcome.killed - since
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGCONT)
        finally:
            os.close(pidfd)
        self._ledger.check("I4")
        if not ended:
            text = f"{fault}: nobody ended it within {budget.FENCE_SECONDS:g} s"
            outcome.findings.append(Finding("I4", text))
        self._recovery.wait(fault, subject, outcome)


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


def _ended(pidfd: int) -> bool:
    return bool(select.select([pidfd], [], [], 0.0)[0])


def _readable(stream: IO[bytes] | None) -> bool:
    return stream is not None and bool(select.select([stream], [], [], 0.0)[0])


def _answer(asked: Future[list[Finding]]) -> list[Finding]:
    try:
        return asked.result()
    except LaneError as error:
        return [Finding("I1", f"a command during the fault: {error}")]
