"""Nothing is lost: processes of a plane are killed at named moments and at random times.

After each fault the oracle of `lanekeeper.soak` judges the invariants I1 to I8. The seed is fixed,
so that a failure replays; `lane soak faults` runs the same with other seeds, more often.
"""

import pytest

from lanekeeper.soak.driver import Driver, Result
from lanekeeper.soak.plan import Victim, Wishes, plan

SEED = 20_260
RATE = 3_000_000
"""Bytes a second of each flood: above what programs print, below what two cores verify easily."""
EACH = 20
PATIENCE = 90


def failures(results: list[Result]) -> str:
    """Return the stories of what failed."""
    return "\n\n".join(
        "\n".join(
            [
                f"episode {result.episode.index} of seed {SEED}",
                *map(str, result.episode.faults),
                *map(str, result.all_findings),
                result.logs[-4000:],
            ]
        )
        for result in results
        if result.all_findings
    )


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("victim", list(Victim))
def test_killed_at_any_time(victim: Victim) -> None:
    wishes = Wishes((victim,), each=EACH, times=0, rate=RATE)
    results = Driver().run(plan(SEED, wishes))
    assert not failures(results)
    assert sum(len(result.outcomes) for result in results) == EACH


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("victim", [Victim.WORKER, Victim.BROKER, Victim.NURSERY])
def test_killed_at_every_named_moment(victim: Victim) -> None:
    wishes = Wishes((victim,), each=0, times=1, rate=RATE)
    episodes = plan(SEED, wishes)
    results = Driver().run(episodes)
    assert not failures(results)
    assert [len(result.outcomes) for result in results] == [1] * len(episodes)
