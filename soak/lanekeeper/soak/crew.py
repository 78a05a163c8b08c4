"""Runs a plan with several planes at a time, and finds the smallest part of an episode that fails.

Owns the sharing of episodes among drivers, each in a thread with planes of its own, and what they
found together. Refuses to stop at a failure, and to call one explained that does not fail again.
Called by `lane soak faults`.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

from lanekeeper.soak.driver import Driver, Result
from lanekeeper.soak.ledger import Ledger
from lanekeeper.soak.plan import Episode

SHRUNK: Final = 3
"""Failed episodes of a run that are tried again, part by part."""

Progress = Callable[[Episode], None]


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a plan: its results in the order of the plan, what was checked, the echo."""

    results: Sequence[Result]
    ledger: Ledger
    echo: dict[str, Any] | None

    @property
    def failed(self) -> list[Result]:
        """The episodes in which something was found."""
        return [result for result in self.results if result.all_findings]


class _Shared(Iterator[Episode]):
    """Episodes that several drivers take one by one."""

    def __init__(self, episodes: Iterable[Episode]) -> None:
        self._lock = threading.Lock()
        self._left = iter(episodes)

    def __next__(self) -> Episode:
        with self._lock:
            return next(self._left)


def run(episodes: Sequence[Episode], jobs: int, progress: Progress) -> Run:
    """Run all episodes, `jobs` at a time."""
    shared = _Shared(episodes)
    drivers = [Driver(progress) for _ in range(max(1, min(jobs, len(episodes))))]
    if len(drivers) == 1:
        results = drivers[0].run(shared)
    else:
        with ThreadPoolExecutor(len(drivers), "driver") as pool:
            parts = list(pool.map(lambda driver: driver.run(shared), drivers))
        results = sorted((one for part in parts for one in part), key=lambda one: one.episode.index)
    first, *others = drivers
    for driver in others:
        first.ledger.add(driver.ledger)
        first.echo.add(driver.echo)
    return Run(results, first.ledger, first.echo.summary())


def part(episode: Episode, first: int, last: int) -> Episode:
    """Return an episode with some of its faults, counted from 1."""
    return replace(episode, faults=episode.faults[first - 1 : last])


def smallest(
    result: Result, fails: Callable[[Episode], bool] | None = None
) -> tuple[int, int] | None:
    """Return the fewest faults, first and last, up to the one that was found to fail, that do so.

    The last alone comes first, then what was before it joins. None: it did not fail again.
    """
    attempt = fails or _fails
    last = len(result.outcomes) or len(result.episode.faults)
    for first in range(last, 0, -1):
        if attempt(part(result.episode, first, last)):
            return first, last
    return None


def _fails(episode: Episode) -> bool:
    return any(result.all_findings for result in Driver().run([episode]))
