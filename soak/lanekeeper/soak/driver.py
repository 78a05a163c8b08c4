"""Runs a plan: planes, lanes, faults, one after the other, and keeps what came of each.

Owns when a plane is worn out and replaced: after any failure, and before a daemon has died so often
that its keeper holds its restart back. Refuses to stop at a failure: all episodes are run. Called
by `lane soak faults` and by the fault suite.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from signal import SIGSTOP
from typing import Final

from lanekeeper.client import LaneError, connect
from lanekeeper.soak.asker import Asker
from lanekeeper.soak.cluster import Cluster, PlaneError
from lanekeeper.soak.echo import Echo
from lanekeeper.soak.faults import Surgeon
from lanekeeper.soak.ledger import Ledger
from lanekeeper.soak.oracle import Finding
from lanekeeper.soak.outcome import Outcome
from lanekeeper.soak.plan import FAULTS_PER_LANE, HANG, Episode, Victim
from lanekeeper.soak.subject import Subject
from lanekeeper.soak.turnover import Turnover

WORN: Final = 200
"""Faults that one plane lives through at most."""
CONNECT_SECONDS: Final = 10.0


@dataclass(slots=True)
class Result:
    """What came of an episode; `logs` are those of the plane, when something was found."""

    episode: Episode
    outcomes: list[Outcome] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    logs: str = ""
    bytes: int = 0
    inputs: int = 0

    @property
    def all_findings(self) -> list[Finding]:
        """Everything that was found, in the order in which it happened."""
        return [*(one for out in self.outcomes for one in out.findings), *self.findings]


class Driver:
    """Runs episodes; a context manager around the plane in use."""

    def __init__(self, progress: Callable[[Episode], None] = lambda _episode: None) -> None:
        """Prepare; `progress` is told each episode that begins."""
        self._progress = progress
        self.echo = Echo()
        self._outcomes: list[Outcome] = []
        self._cluster: Cluster | None = None
        self._wear: Counter[Victim] = Counter()
        self.left: list[Finding] = []
        """What was found when planes ended."""
        self.ledger = Ledger()
        """What was checked, in all episodes and at the ends of planes."""

    def run(self, episodes: Iterable[Episode]) -> list[Result]:
        """Run all episodes and return what came of them; planes are gone afterwards."""
        try:
            results = [self._episode(episode) for episode in episodes]
        finally:
            self._replace()
        if self.left and results:
            results[-1].findings += self.left
        return results

    def _episode(self, episode: Episode) -> Result:
        result = Result(episode)
        self._progress(episode)
        try:
            cluster = self._plane(episode)
            with (
                connect(cluster.directory, timeout=CONNECT_SECONDS) as plane,
                connect(cluster.directory, timeout=CONNECT_SECONDS) as other,
                Asker(cluster.directory) as asker,
            ):
                name = f"e{episode.index}"
                subject = Subject(plane, name, episode.seed, episode.rate, self.ledger)
                subject.observe(other)
                surgeon = Surgeon(cluster, plane, asker, self.ledger)
                if any(fault.moment for fault in episode.faults):
                    # Who comes by a moment is to be the lane under test.
                    self._faults(surgeon, subject, result)
                else:
                    hangs = any(fault.number in {HANG, SIGSTOP} for fault in episode.faults)
                    guests = Turnover(cluster.directory, f"{name}-guest", self.ledger, hangs=hangs)
                    with guests as turnover:
                        self._faults(surgeon, subject, result)
                        turnover.end()
                        surgeon.attend(subject, turnover.done)
                    result.findings += turnover.findings
                if any(fault.victim is Victim.CLIENT for fault in episode.faults):
                    result.findings += subject.alone()
                result.findings += subject.finish(episode.status)
                if not result.all_findings:
                    subject.close()
                result.bytes, result.inputs = subject.judge.offset, len(subject.history)
        except (LaneError, PlaneError, OSError) as error:
            result.findings.append(Finding("-", f"the episode broke off: {error}"))
        if result.all_findings:
            result.logs = "" if self._cluster is None else self._cluster.logs()
            # What a broken plane leaves is no finding of its own.
            with contextlib.suppress(PlaneError):
                self._replace(broken=True)
        return result

    def _faults(self, surgeon: Surgeon, subject: Subject, result: Result) -> None:
        for fault in result.episode.faults:
            outcome = surgeon.operate(fault, subject)
            result.outcomes.append(outcome)
            self._outcomes.append(outcome)
            if outcome.findings or subject.broken:
                return

    def _plane(self, episode: Episode) -> Cluster:
        counts = Counter(fault.victim for fault in episode.faults)
        daemons = [victim for victim in counts if victim not in {Victim.WORKER, Victim.CLIENT}]
        worn = any(self._wear[one] + counts[one] > FAULTS_PER_LANE for one in daemons)
        if worn or self._wear.total() + counts.total() > WORN:
            self._replace()
        if self._cluster is None:
            self._cluster = Cluster()
            self._wear.clear()
            self._outcomes.clear()
            self.echo.start(self._cluster)
        self._wear += counts
        return self._cluster

    def _replace(self, *, broken: bool = False) -> None:
        cluster, self._cluster = self._cluster, None
        if cluster is None:
            return
        failed = self.echo.stop(self._outcomes, self.ledger)
        self.ledger.check("I5", cluster.KINDS)
        left = cluster.stop()
        if not broken:
            self.left += [Finding("I5", f"left behind: {one}") for one in left] + failed
