"""A plan follows from its seed, and its table of moments from the product."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanekeeper.soak.plan import FAULTS_PER_LANE, MOMENTS, Episode, Fault, Victim, Wishes, plan

ROOT = Path(__file__).parents[3]
ALL = tuple(Victim)


def faults(episodes: list[Episode]) -> list[Fault]:
    return [fault for episode in episodes for fault in episode.faults]


def test_the_same_seed_gives_the_same_plan_and_another_another() -> None:
    wishes = Wishes(ALL, each=9, times=2)
    assert plan(5, wishes) == plan(5, wishes)
    assert plan(5, wishes) != plan(6, wishes)


def test_every_wish_is_in_the_plan() -> None:
    found = faults(plan(1, Wishes(ALL, each=9, times=3)))
    random = Counter(fault.victim for fault in found if fault.moment is None)
    assert random == dict.fromkeys(ALL, 9)
    assert Counter(fault.moment for fault in found if fault.moment) == dict.fromkeys(MOMENTS, 3)


def test_no_lane_gets_near_a_crash_loop() -> None:
    episodes = plan(1, Wishes(ALL, each=9, times=3))
    workers = [e for e in episodes if any(f.victim is Victim.WORKER for f in e.faults)]
    assert max(len(episode.faults) for episode in workers) <= FAULTS_PER_LANE
    assert [episode.index for episode in episodes] == list(range(len(episodes)))


def named() -> Iterator[str]:
    """Yield the moment of each `hooks.at` in the product."""
    for portion in ("broker", "workers"):
        for path in (ROOT / portion).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "hooks.at":
                    assert isinstance(node.args[0], ast.Constant)
                    yield str(node.args[0].value)


def test_every_moment_of_the_table_is_at_one_place_of_the_product() -> None:
    assert sorted(named()) == sorted(MOMENTS)


@pytest.mark.parametrize("moment", sorted(MOMENTS))
def test_a_moment_is_named_after_its_victim(moment: str) -> None:
    assert moment.startswith(MOMENTS[moment].victim.value)
