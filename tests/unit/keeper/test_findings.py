"""What is called left over, judged from facts alone: each kind, and what it must not be said of."""

from dataclasses import replace

import pytest

from lanekeeper.keeper import scopes
from lanekeeper.keeper.facts import Facts, Group, Index, Kind, LaneFact, Place, Seen
from lanekeeper.keeper.findings import judge

HERE = "/run/here"
LANE = "lane_aaaaaaaaaaaaaaaa"
TERMINAL = "term_aaaaaaaaaaaaaaaa"
GONE = "term_bbbbbbbbbbbbbbbb"
BRAND = scopes.terminal(HERE, LANE, TERMINAL).value
WORKER = Seen((20, 200), 19, "lane-worker", 60.0, role="worker", directory=HERE)
NURSERY = Seen((19, 190), 18, "python3", 60.0, role="nursery", directory=HERE)
PROGRAM = Seen(
    (30, 300), 20, "bash", 60.0, directory=HERE, lane_id=LANE, terminal_id=TERMINAL, brand=BRAND
)
LIVING = Place(HERE, 18, wanted=True, files=(f"{HERE}/keeper.sock",))
INDEX = Index(
    complete=True,
    lanes=(LaneFact(LANE, "build", "ready", (20, 200)),),
    terminals=frozenset({TERMINAL}),
    brands=frozenset({BRAND}),
    workers=frozenset({(18, 180), (19, 190), (20, 200)}),
    served=frozenset({LANE}),
    vault=((LANE, 9),),
)
WHOLE = Facts(HERE, (NURSERY, WORKER, PROGRAM), (LIVING,))


def kinds(facts: Facts, index: Index | None = INDEX) -> list[Kind]:
    return [one.kind for one in judge(facts, index)]


def test_nothing_is_left_over_of_a_whole_plane() -> None:
    assert judge(WHOLE, INDEX) == []
    assert judge(WHOLE, None) == []


def test_a_lane_whose_worker_is_gone_is_recovered_from_the_vault() -> None:
    facts = replace(WHOLE, processes=(NURSERY, PROGRAM))
    (found,) = judge(facts, replace(INDEX, served=frozenset()))
    assert (found.kind, found.recoverable) == (Kind.LANE, True)
    assert "lane recover" in found.remedy
    assert not found.cleanable


def test_a_lane_with_nothing_in_the_vault_is_cleaned_up() -> None:
    failed = replace(INDEX, lanes=(LaneFact(LANE, "build", "failed", None),), served=frozenset())
    (found,) = judge(WHOLE, replace(failed, vault=()))
    assert (found.kind, found.recoverable) == (Kind.LANE, False)
    assert "lane cleanup" in found.remedy


@pytest.mark.parametrize("state", ["provisioning", "recovering", "cleaning"])
def test_a_lane_between_two_workers_is_no_orphan(state: str) -> None:
    index = replace(INDEX, lanes=(LaneFact(LANE, "build", state, (20, 200)),), served=frozenset())
    assert kinds(replace(WHOLE, processes=(NURSERY, PROGRAM)), index) == []


def test_a_reused_pid_is_not_the_worker() -> None:
    other = replace(WORKER, identity=(20, 999), role="", directory="", comm="other")
    facts = replace(WHOLE, processes=(NURSERY, other, PROGRAM))
    assert kinds(facts, replace(INDEX, served=frozenset())) == [Kind.LANE]


def test_a_worker_that_nobody_counts() -> None:
    stray = replace(WORKER, identity=(21, 210))
    (found,) = judge(replace(WHOLE, processes=(*WHOLE.processes, stray)), INDEX)
    assert found.kind is Kind.WORKER
    assert found.processes == ((21, 210),)
    assert len(found.signals) > 1


def test_what_is_just_being_started_is_not_judged() -> None:
    stray = replace(WORKER, identity=(21, 210), age=0.5)
    child = replace(PROGRAM, identity=(31, 310), terminal_id=GONE, brand=None, age=0.5)
    assert kinds(replace(WHOLE, processes=(*WHOLE.processes, stray, child))) == []


@pytest.mark.parametrize(
    "child",
    [
        replace(PROGRAM, terminal_id=GONE, brand=None),
        replace(PROGRAM, directory="", terminal_id="", brand=BRAND ^ 1),
    ],
)
def test_a_program_of_a_terminal_that_is_gone(child: Seen) -> None:
    child = replace(child, identity=(31, 310))
    (found,) = judge(replace(WHOLE, processes=(*WHOLE.processes, child)), INDEX)
    assert (found.kind, found.processes) == (Kind.CHILD, ((31, 310),))


@pytest.mark.parametrize(
    "child",
    [
        replace(PROGRAM, directory="", terminal_id=""),
        replace(PROGRAM, terminal_id="renamed"),
        replace(PROGRAM, terminal_id="", brand=None, cgroup=f"/lanekeeper-x/{LANE}/{TERMINAL}"),
    ],
)
def test_any_one_sign_of_a_known_terminal_keeps_a_program(child: Seen) -> None:
    facts = replace(WHOLE, processes=(NURSERY, WORKER, replace(child, identity=(31, 310))))
    assert kinds(facts) == []


def test_nothing_is_said_of_programs_while_lanes_are_missing() -> None:
    child = replace(PROGRAM, identity=(31, 310), terminal_id=GONE, brand=None)
    facts = replace(WHOLE, processes=(*WHOLE.processes, child))
    assert kinds(facts, replace(INDEX, complete=False)) == []
    assert kinds(facts, None) == []


def test_descriptors_of_a_lane_that_is_gone() -> None:
    (found,) = judge(WHOLE, replace(INDEX, vault=((LANE, 9), ("lane_gone", 4))))
    assert (found.kind, found.lane_id, found.recoverable) == (Kind.VAULT, "lane_gone", False)
    assert found.cleanable


def test_sockets_of_lanes_that_are_gone() -> None:
    place = replace(
        LIVING,
        unheard=(f"{HERE}/lanes/lane_gone.out", f"{HERE}/lanes/{LANE}.in", f"{HERE}/broker.sock"),
    )
    (found,) = judge(replace(WHOLE, places=(place,)), INDEX)
    assert (found.kind, found.paths) == (Kind.SOCKET, (f"{HERE}/lanes/lane_gone.out",))


def test_cgroups_of_lanes_and_terminals_that_are_gone() -> None:
    top = "/sys/fs/cgroup/lanekeeper-x"
    groups = (
        Group(top, HERE),
        Group(f"{top}/{LANE}", HERE, LANE),
        Group(f"{top}/{LANE}/{TERMINAL}", HERE, LANE, TERMINAL, (30,)),
        Group(f"{top}/{LANE}/{GONE}", HERE, LANE, GONE, age=60.0),
        Group(f"{top}/{LANE}/term_young", HERE, LANE, "term_young", (31,), age=0.5),
        Group(f"{top}/lane_gone", HERE, "lane_gone", age=60.0),
        Group(f"{top}/lane_gone/{GONE}", HERE, "lane_gone", GONE, age=60.0),
    )
    found = judge(replace(WHOLE, groups=groups), INDEX)
    assert [one.groups for one in found] == [(f"{top}/{LANE}/{GONE}",), (f"{top}/lane_gone",)]


def test_the_cgroup_of_what_outlived_its_terminal_goes_with_it() -> None:
    child = replace(PROGRAM, identity=(31, 310), terminal_id=GONE, brand=None)
    group = Group(f"/sys/fs/cgroup/lanekeeper-x/{LANE}/{GONE}", HERE, LANE, GONE, (31,), 60.0)
    facts = replace(WHOLE, processes=(*WHOLE.processes, child), groups=(group,))
    (found,) = judge(facts, INDEX)
    assert (found.kind, found.groups) == (Kind.CHILD, (group.path,))


def test_a_plane_without_a_keeper_is_one_finding() -> None:
    facts = replace(WHOLE, places=(replace(LIVING, keeper=None),))
    (found,) = judge(facts, None)
    assert (found.kind, found.recoverable) == (Kind.PLANE, True)
    assert found.processes == ((19, 190), (20, 200), (30, 300))
    without = replace(facts, processes=(WORKER, PROGRAM))
    assert [one.recoverable for one in judge(without, None)] == [False]


def test_what_a_dead_plane_left() -> None:
    group = Group("/sys/fs/cgroup/lanekeeper-x", HERE)
    place = replace(LIVING, keeper=None)
    facts = Facts(HERE, (PROGRAM,), (place,), (group,))
    assert kinds(facts, None) == [Kind.CHILD, Kind.CGROUP, Kind.FILE]


def test_another_plane_is_judged_only_when_its_keeper_is_dead() -> None:
    other = Place("/run/other", 50, files=("/run/other/keeper.sock",))
    stray = replace(WORKER, identity=(21, 210), directory="/run/other")
    facts = replace(WHOLE, processes=(*WHOLE.processes, stray), places=(other, LIVING))
    assert kinds(facts) == []
    dead = replace(facts, places=(replace(other, keeper=None), LIVING))
    (found,) = judge(dead, INDEX)
    assert (found.kind, found.directory) == (Kind.PLANE, "/run/other")
    assert "--runtime-dir /run/other" in found.remedy


def test_an_id_stays_for_as_long_as_it_is_the_same() -> None:
    child = replace(PROGRAM, identity=(31, 310), terminal_id=GONE, brand=None)
    first = judge(replace(WHOLE, processes=(*WHOLE.processes, child)), INDEX)
    more = replace(child, identity=(32, 320))
    second = judge(replace(WHOLE, processes=(*WHOLE.processes, child, more)), INDEX)
    assert [one.id for one in first] == [one.id for one in second]
    other = replace(child, terminal_id="term_cccccccccccccccc")
    third = judge(replace(WHOLE, processes=(*WHOLE.processes, other)), INDEX)
    assert [one.id for one in third] != [one.id for one in first]
