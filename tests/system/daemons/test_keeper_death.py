"""The keeper dies or hangs: the nursery starts another, and the plane is whole again."""

import os
import signal

from kit.cluster import Plane
from kit.waiting import wait_until
from system.daemons.planes import replaced, successor


def test_plane_lives_on_under_a_new_keeper(plane: Plane) -> None:
    before = {role: plane.pids(role) for role in ("keeper", "broker", "collector", "nursery")}
    plane.kill("keeper")
    new = successor(plane, before["keeper"][0])
    assert {role: plane.pids(role) for role in before} == before | {"keeper": [new]}
    with plane.keeper_client() as keeper:
        page = keeper.page()
    assert page["wanted"]
    assert page["readopted"]["seconds"] < 5.0
    assert plane.lane("run", "after", "--", "sh", "-c", "exit 7").returncode == 7
    second = plane.lane("up")
    assert second.returncode == 5
    assert f"keeper {new}" in second.stderr
    plane.kill("broker")
    wait_until(lambda: plane.pids("broker") not in ([], before["broker"]), 10.0, "a new broker")


def test_plane_id_and_start_stay(plane: Plane) -> None:
    with plane.keeper_client() as keeper:
        first = keeper.page()
    plane.kill("keeper")
    successor(plane, first["pid"])
    with plane.keeper_client() as keeper:
        later = keeper.page()
    assert (first["plane"], first["started"]) == (later["plane"], later["started"])


def test_keepers_and_nurseries_die_in_turn(plane: Plane) -> None:
    for _ in range(3):
        keeper = plane.kill("keeper")[0]
        successor(plane, keeper)
        nursery = plane.kill("nursery")
        replaced(plane, "nursery", nursery)


def test_keeper_that_hangs_is_replaced() -> None:
    with Plane(options=("--hang-after", "8")) as plane:
        old = plane.pids("keeper")[0]
        os.kill(old, signal.SIGSTOP)
        assert successor(plane, old) != old


def test_down_ends_a_plane_that_was_taken_over(plane: Plane) -> None:
    old = plane.kill("keeper")[0]
    successor(plane, old)
    assert plane.lane("down", "--yes").returncode == 0
    assert not plane.left()
