"""The smallest part of an episode that fails, and the budgets and counts of the oracle."""

import pytest

from lanekeeper.soak.budget import BUDGETS, RECOVERY_SECONDS, judge_recovery, judge_size
from lanekeeper.soak.bystanders import Scene, same, vaulted
from lanekeeper.soak.crew import part, smallest
from lanekeeper.soak.driver import Result
from lanekeeper.soak.ledger import INVARIANTS, Ledger
from lanekeeper.soak.outcome import Outcome
from lanekeeper.soak.plan import Episode, Fault, Victim, Wishes, plan
from lanekeeper.soak.proc import Seen, Size

EPISODE = plan(7, Wishes((Victim.WORKER,), each=4, times=0))[0]
WORKER, BROKER = ("worker", "lane_a"), ("broker", "")
BEFORE = Scene({WORKER: Seen(1, 10), BROKER: Seen(2, 20)}, {"lane_a": 9})


def failed_at(number: int) -> Result:
    """Return an episode whose fault of this number, from 1, was the last."""
    return Result(EPISODE, [Outcome(fault) for fault in EPISODE.faults[:number]])


def needs(*wanted: int) -> "list[Fault]":
    """Return the faults of the episode by number."""
    return [EPISODE.faults[number - 1] for number in wanted]


@pytest.mark.parametrize(
    ("wanted", "expected"), [((3,), (3, 3)), ((2, 3), (2, 3)), ((1, 3), (1, 3)), ((4,), None)]
)
def test_a_failure_is_traced_to_the_fewest_faults(
    wanted: tuple[int, ...], expected: tuple[int, int] | None
) -> None:
    def fails(episode: Episode) -> bool:
        return set(needs(*wanted)) <= set(episode.faults)

    assert smallest(failed_at(3), fails) == expected


def test_a_part_keeps_what_its_stream_is_made_of() -> None:
    found = part(EPISODE, 2, 3)
    assert found.faults == EPISODE.faults[1:3]
    assert (found.seed, found.rate, found.index) == (EPISODE.seed, EPISODE.rate, EPISODE.index)


def test_every_victim_and_every_role_has_a_budget() -> None:
    assert set(RECOVERY_SECONDS) == set(Victim)
    assert {victim.value for victim in Victim} - {"client"} == set(BUDGETS)
    assert [str(one) for one in judge_recovery(Victim.WORKER, 60.0)] == [
        "I4: the worker was back after 60.00 s, 3 is right"
    ]
    assert list(judge_recovery(Victim.WORKER, 0.1)) == []
    found = list(judge_size("keeper", 5, Size(1 << 20, 4, 2)))
    assert [str(one) for one in found] == ["I4: keeper 5 has 2 threads, at most 1 is right"]


def test_who_was_replaced_without_being_hit_is_found() -> None:
    after = Scene({WORKER: Seen(3, 30), BROKER: Seen(4, 40)}, {"lane_a": 8})
    assert [one.invariant for one in same(BEFORE, after, Victim.WORKER, "lane_a")] == ["I1"]
    assert [one.invariant for one in same(BEFORE, after, Victim.BROKER, "lane_a")] == ["I1"]
    assert list(same(BEFORE, BEFORE, Victim.KEEPER, "lane_a")) == []
    gone = Scene({BROKER: Seen(2, 20)}, {})
    assert list(same(BEFORE, gone, Victim.KEEPER, "lane_b")) == []
    assert len(list(same(BEFORE, gone, Victim.KEEPER, "lane_a"))) == 1


def test_what_a_whole_plane_lost_from_its_vault_is_found() -> None:
    after = Scene(BEFORE.processes, {"lane_a": 8})
    assert [one.invariant for one in vaulted(BEFORE, after, "lane_a")] == ["I6"]
    assert list(vaulted(after, BEFORE, "lane_a")) == []


def test_only_invariants_are_counted() -> None:
    ledger, other = Ledger(), Ledger()
    ledger.check("I2", 3)
    other.check("I2")
    ledger.add(other)
    assert ledger.counts == {"I2": 4}
    assert len(INVARIANTS) == 8
    with pytest.raises(KeyError):
        ledger.check("I9")
