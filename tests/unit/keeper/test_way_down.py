"""The way down: workers, then daemons, then what is left; and by force."""

import signal

import pytest

from lanekeeper.keeper import events
from lanekeeper.keeper.states import Plane
from unit.keeper.supervised import PIDS, Run, grant, granted, of, sent


def test_way_down_is_workers_then_daemons_then_what_is_left() -> None:
    run = Run(warm=1)
    peers = run.up()
    worker = granted(run, peers)
    client, _ = run.join("client", 9)
    actions = run.say(client, "down", id="d")
    assert sent(actions, "stopping") == [(client, {"op": "stopping", "id": "d"})]
    assert sent(actions, "drain") == [(worker, {"op": "drain"})]
    refused = sent(grant(run, peers["broker"], "lane_late"), "refused")
    assert refused[0][1]["code"] == "SPAWN_FAILED"
    started = run.now
    assert of(events.Kill, run.wait()) == [events.Kill(501, signal.SIGKILL)]
    assert run.now == started + 10
    actions = run.do(events.Ended(501, None, 9))
    assert of(events.Kill, actions) == [events.Kill(pid, signal.SIGTERM) for pid in (100, 200)]
    assert not of(events.Kill, run.do(events.Ended(100, 0)))
    last = run.do(events.Ended(200, 0))
    assert of(events.Kill, last) == [events.Kill(PIDS["collector"], signal.SIGTERM)]
    assert of(events.Kill, run.wait()) == [events.Kill(300, signal.SIGKILL)]
    actions = run.do(events.Ended(300, None, 9))
    assert of(events.Sweep, actions) == [events.Sweep(signal.SIGTERM)]
    run.do(events.Swept((900, 901)))
    assert not of(events.Sweep, run.do(events.Ended(900, 0)))
    assert of(events.Sweep, run.wait()) == [events.Sweep(signal.SIGKILL)]
    run.do(events.Swept((901,)))
    assert of(events.Sweep, run.do(events.Ended(901, None, 9))) == [events.Sweep(signal.SIGKILL)]
    assert run.do(events.Swept(())) == [events.Finish(0)]
    assert run.core.state is Plane.DONE
    assert run.do(events.Asked(signal.SIGINT)) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_second_signal_kills_everything_at_once(number: int, code: int) -> None:
    run = Run(warm=1)
    peers = run.up()
    granted(run, peers)
    run.do(events.Asked(signal.SIGINT))
    killed = of(events.Kill, run.do(events.Asked(number)))
    assert {kill.pid for kill in killed} == {501, *PIDS.values()}
    assert {kill.signal for kill in killed} == {signal.SIGKILL}
    for pid in (501, *PIDS.values()):
        actions = run.do(events.Ended(pid, None, 9))
    assert of(events.Sweep, actions) == [events.Sweep(signal.SIGKILL)]
    assert run.do(events.Swept(())) == [events.Finish(code)]


def test_what_cannot_be_killed_is_left_and_said() -> None:
    run = Run(warm=0)
    run.up()
    run.do(events.Asked(signal.SIGTERM))
    for pid in PIDS.values():
        run.do(events.Ended(pid, 0))
    finish: list[events.Finish] = []
    actions: list[events.Action] = []
    while not finish:
        run.do(events.Swept((900,)))
        actions = run.wait()
        finish = of(events.Finish, actions)
    assert finish == [events.Finish(1)]
    assert "900" in of(events.Note, actions)[0].text
