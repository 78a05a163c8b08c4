"""What the broker does in the world for the sake of orphans: it looks, and it cleans.

Owns both, a few milliseconds at a time: a pass over a large plane takes a second, and nobody waits
that long for an answer of his. Neither can end the broker, since what is in /proc is written by
every user of the machine: what comes up is logged, and told as a failure. Refuses to judge and to
decide. Called by `server`.
"""

import logging
import time
from collections import deque
from collections.abc import Generator
from pathlib import Path
from typing import Final

from lanekeeper.broker.stimuli import Look, Looked, Tidied, Tidy
from lanekeeper.keeper import cgroups, survey, tidy
from lanekeeper.keeper.facts import Finding, Outcome
from lanekeeper.keeper.rundir import Rundir

SLICE: Final = 0.005
"""Seconds of one turn."""

LOG: Final = logging.getLogger(__name__)


class Errands:
    """The look under way, and what is to be cleaned before it goes on."""

    def __init__(self, rundir: Rundir, seconds: float = SLICE) -> None:
        """Look from the plane of `rundir`; work for `seconds` in a turn, and at least one step."""
        self._rundir = rundir
        self._seconds = seconds
        self._look: Generator[None, None, Looked] | None = None
        self._tidying: deque[Generator[None, None, Tidied]] = deque()

    @property
    def busy(self) -> bool:
        """Whether there is anything to do in the next turn."""
        return self._look is not None or bool(self._tidying)

    def begin(self, action: Look | Tidy) -> None:
        """Take on a look or a cleaning.

        A look under way begins anew: it is not to miss what who asks has just seen, nor to tell of
        what is cleaned now.
        """
        if isinstance(action, Tidy):
            self._tidying.append(_tidied(action))
        if isinstance(action, Look) or self._look is not None:
            self._look = _looked(self._rundir)

    def turn(self) -> Looked | Tidied | None:
        """Go on for a moment; return what came to its end."""
        until = time.monotonic() + self._seconds
        while self.busy:
            done = self._step()
            if done is not None or time.monotonic() >= until:
                return done
        return None

    def _step(self) -> Looked | Tidied | None:
        if self._tidying:
            try:
                next(self._tidying[0])
            except StopIteration as done:
                self._tidying.popleft()
                tidied: Tidied = done.value
                return tidied
        elif self._look is not None:
            try:
                next(self._look)
            except StopIteration as done:
                self._look = None
                looked: Looked = done.value
                return looked
        return None


def _looked(rundir: Rundir) -> Generator[None, None, Looked]:
    try:
        return Looked((yield from survey.steps(rundir)))
    except Exception:
        LOG.exception("could not look for orphans")
        return Looked(None)


def _tidied(action: Tidy) -> Generator[None, None, Tidied]:
    """Strike everything first: what was struck ends meanwhile, and all share one patience."""
    killed: dict[str, int] = {}
    failed: dict[str, Outcome] = {}
    for one in action.findings:
        try:
            killed[one.id] = tidy.strike(one)
        except Exception as error:
            LOG.exception("could not kill what is in %s", one.id)
            failed[one.id] = _failure(one, error)
        yield
    deadline = time.monotonic() + tidy.GROUP_PATIENCE
    outcomes = []
    for one in action.findings:
        yield from _emptied(one, deadline)
        try:
            done = failed.get(one.id) or tidy.remove(one, killed[one.id])
        except Exception as error:
            LOG.exception("could not remove %s", one.id)
            done = _failure(one, error)
        outcomes.append(done)
    return Tidied(action.key, outcomes)


def _emptied(finding: Finding, deadline: float) -> Generator[None, None, None]:
    """Remove its cgroups as soon as that can be done, until the patience is over."""
    for path in map(Path, finding.groups):
        while not cgroups.remove(path, SLICE) and time.monotonic() < deadline:
            yield
    yield


def _failure(finding: Finding, error: Exception) -> Outcome:
    return Outcome(finding.id, error=f"{type(error).__name__}: {error}")
