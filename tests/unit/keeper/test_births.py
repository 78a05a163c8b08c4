"""A daemon that ended is forked by the nursery, and executed where the nursery is no help."""

import signal

from lanekeeper.keeper import events
from lanekeeper.keeper.births import PATIENCE
from lanekeeper.keeper.daemons import STEADY
from unit.keeper.supervised import PIDS, Run, of, sent

ANEW = [events.Launch("broker", anew=True)]


def bereaved() -> tuple[Run, dict[str, int]]:
    """Return a plane whose broker has just ended after a long time, somebody else's child."""
    run = Run(forks=True)
    peers = run.up()
    run.now += STEADY + 1
    actions = run.do(events.Ended(PIDS["broker"], known=False))
    assert of(events.Beget, actions) == [events.Beget(peers["nursery"], "start-1", "broker")]
    assert not of(events.Launch, actions)
    return run, peers


def test_broker_is_forked_watched_and_served() -> None:
    run, peers = bereaved()
    actions = run.say(peers["nursery"], "started", id="start-1", pid=201, start_time=7)
    assert of(events.Watch, actions) == [events.Watch(201, 7)]
    broker, _ = run.join("broker", 201)
    run.say(broker, "ready")
    assert run.core.serving()[0] == ["nursery", "broker", "collector"]
    run.now += PATIENCE + 1
    assert not of(events.Launch, run.do(events.Tick()))


def test_cold_nursery_is_done_without() -> None:
    run, peers = bereaved()
    assert of(events.Launch, run.say(peers["nursery"], "cold", id="start-1")) == ANEW
    assert not of(events.Launch, run.say(peers["nursery"], "cold", id="start-1"))


def test_nursery_that_does_not_answer_is_done_without_and_its_late_daemon_ended() -> None:
    run, peers = bereaved()
    began = run.now
    assert of(events.Launch, run.wait()) == ANEW
    assert round(run.now - began, 3) == PATIENCE
    run.serve("broker", 201)
    actions = run.say(peers["nursery"], "started", id="start-1", pid=202, start_time=7)
    assert of(events.Watch, actions) == [events.Watch(202, 7)]
    assert of(events.Kill, actions) == [events.Kill(202, signal.SIGKILL)]
    assert not of(events.Launch, run.do(events.Ended(202, None, 9)))


def test_nursery_that_leaves_is_done_without() -> None:
    run, peers = bereaved()
    assert of(events.Launch, run.do(events.PeerGone(peers["nursery"]))) == ANEW


def test_restart_that_somebody_asked_for_is_a_fresh_interpreter() -> None:
    run = Run(forks=True)
    run.up()
    run.now += STEADY + 1
    client, _ = run.join("client", 9)
    run.say(client, "restart", id="r", role="broker")
    assert of(events.Launch, run.do(events.Ended(PIDS["broker"], 0))) == ANEW


def test_keeper_that_is_to_be_replaced_has_the_nursery_execute_the_next() -> None:
    run = Run(forks=True)
    peers = run.up()
    client, _ = run.join("client", 9)
    actions = run.say(client, "restart", id="r", role="keeper")
    assert [peer for peer, _ in sent(actions, "retiring")] == [peers["nursery"]]


def test_word_on_the_end_of_a_forked_broker_may_come_before_or_after_its_end() -> None:
    run, peers = bereaved()
    said = run.say(peers["nursery"], "worker-exited", pid=PIDS["broker"], code=None, signal=9)
    assert [note.text for note in of(events.Note, said)] == ["broker ended: signal 9 (pid 200)"]
    run.say(peers["nursery"], "started", id="start-1", pid=201, start_time=7)
    said = run.say(peers["nursery"], "worker-exited", pid=201, code=3, signal=None)
    assert any("code 3" in note.text for note in of(events.Note, said))
    assert not of(events.Note, run.do(events.Ended(201, known=False)))


def test_plane_that_goes_down_waits_for_no_fork() -> None:
    run, peers = bereaved()
    client, _ = run.join("client", 9)
    run.say(client, "down")
    assert not of(events.Launch, run.say(peers["nursery"], "cold", id="start-1"))
    for role in ("nursery", "collector"):
        ended = run.do(events.Ended(PIDS[role], 0))
    assert of(events.Sweep, ended)
