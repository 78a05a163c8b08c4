"""The blocking client when things are lost, refused, restarted or slow."""

import pytest

from lanekeeper.client import Data, Ended, EventsLost, Gap, LaneError, NotFound, Plane, TimedOut
from unit.client.fakelane import flood
from unit.client.fakeplane import FakePlane


def test_a_lost_command_is_sent_again_with_its_id(fake: FakePlane, plane: Plane) -> None:
    fake.faults.ignore["lane.create"] = 1
    plane.lane("build")
    ids = [one["id"] for one in fake.seen if one["method"] == "lane.create"]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_refused_for_now_is_tried_again(fake: FakePlane, plane: Plane) -> None:
    fake.faults.refuse["lane.create"] = [("BACKPRESSURE", True), ("WORKER_LOST", True)]
    plane.lane("build")
    ids = [one["id"] for one in fake.seen if one["method"] == "lane.create"]
    assert len(ids) == 3
    assert len(set(ids)) == 1


def test_a_new_broker_on_the_same_path_gets_what_was_not_answered(
    fake: FakePlane, plane: Plane
) -> None:
    fake.do("die")
    lane_list = plane.lanes
    fake.do("revive")
    assert len(lane_list()) == 2


def test_silence_ends_with_the_deadline(fake: FakePlane, plane: Plane) -> None:
    fake.faults.silent = True
    with pytest.raises(TimedOut) as caught:
        plane.call("context.get", result=type(plane.hello), timeout=0.3)
    assert str(caught.value.details["command_id"]).startswith("cmd_")


def test_lost_output_is_read_from_the_log(fake: FakePlane, plane: Plane) -> None:
    fake.faults.mute_output = 5
    done = plane.lane("build").run(["flood", "500000"])
    assert done.output == flood(500_000)


def test_doubled_output_is_delivered_once(fake: FakePlane, plane: Plane) -> None:
    fake.faults.double_output = True
    assert plane.lane("build").run(["flood", "500000"]).output == flood(500_000)


def test_output_that_is_gone_is_a_gap_in_its_place(fake: FakePlane, plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["flood", "100000"])
    fake.terminals[terminal.id].tail = 40_000
    items = list(terminal.output(timeout=5))
    assert items[0] == Gap(0, 40_000)
    assert isinstance(items[-1], Ended)
    assert (
        b"".join(item.data for item in items if isinstance(item, Data)) == flood(100_000)[40_000:]
    )


def test_a_stream_goes_on_after_the_lane_was_away(fake: FakePlane, plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    with terminal.output(timeout=5) as output:
        terminal.send(b"one")
        assert next(output) == Data(0, b"one")
        fake.do("die")
        fake.do("revive")
        fake.do("write two")
        assert next(output) == Data(3, b"two")


def test_a_lost_lease_is_made_again(fake: FakePlane, plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    with terminal.output(timeout=5) as output:
        terminal.send(b"one")
        assert next(output) == Data(0, b"one")
        fake.faults.refuse["lease.renew"] = [("SESSION_NOT_FOUND", False)]
        assert plane.wait(timeout=0.0) == frozenset()
        while fake.methods().count("terminal.consume") < 2:
            plane.wait(timeout=0.5)
        terminal.send(b"two")
        assert next(output) == Data(3, b"two")


def test_a_refused_acknowledgement_makes_forever_register_again(
    fake: FakePlane, plane: Plane
) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    with terminal.output(policy="forever", timeout=5) as output:
        fake.faults.refuse["terminal.ack"] = [("INVALID_ARGUMENT", False)]
        terminal.send(b"one")
        assert next(output) == Data(0, b"one")
        assert output.poll() == []
        while fake.methods().count("terminal.consume") < 2:
            plane.wait(timeout=0.5)


def test_a_terminal_that_is_gone_ends_its_stream_with_the_reason(
    fake: FakePlane, plane: Plane
) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    fake.do("forget")
    with pytest.raises(NotFound):
        list(terminal.output(policy="drop"))
    with pytest.raises(NotFound):
        terminal.output().poll(5)


def test_a_quiet_stream_says_so_and_stays_good(plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    with terminal.output(timeout=0.1) as output:
        with pytest.raises(TimedOut):
            next(output)
        terminal.send(b"x")
        assert next(output) == Data(0, b"x")


def test_input_keeps_its_order_when_pieces_are_refused_or_lost(
    fake: FakePlane, plane: Plane
) -> None:
    terminal = plane.lane("build").spawn(["sink"])
    fake.faults.refuse["terminal.input"] = [("BACKPRESSURE", True)] * 3
    fake.faults.ignore["terminal.input"] = 1
    parts = [
        terminal.send_nowait(flood(100_000)[at : at + 30_000]) for at in range(0, 100_000, 30_000)
    ]
    assert sum(part.wait(10) for part in parts) == 100_000
    assert bytes(fake.terminals[terminal.id].input) == flood(100_000)


def test_input_that_is_not_read_times_out_and_is_withdrawn(fake: FakePlane, plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["sink"])
    fake.faults.ignore["terminal.input"] = 1000
    with pytest.raises(TimedOut) as caught:
        terminal.send(b"never", timeout=0.2)
    assert caught.value.details == {"delivered": 0}
    assert terminal.unsent == 0


def test_input_to_a_terminal_that_is_gone_is_refused(fake: FakePlane, plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["sink"])
    fake.do("forget")
    with pytest.raises(NotFound):
        terminal.send(b"x")


def test_a_silent_hot_path_is_doubted_and_the_broker_knows(fake: FakePlane, plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["sink"])
    fake.faults.ignore["terminal.input"] = 1000
    fake.do("forget")
    with pytest.raises(NotFound):
        terminal.send(b"x", timeout=10)


def test_events_that_are_gone_are_reported_once(fake: FakePlane, plane: Plane) -> None:
    for _ in range(6):
        fake.do("event")
    fake.first_event = 4
    events = plane.events(since=1)
    with pytest.raises(EventsLost) as caught:
        next(events)
    assert caught.value.details == {"start": 2, "end": 4, "epoch": "ep_one"}
    assert next(events).seq == 4


def test_a_restarted_broker_begins_a_new_epoch(fake: FakePlane, plane: Plane) -> None:
    fake.do("event")
    events = plane.events(since=0)
    assert next(events).seq == 1
    fake.do("die")
    fake.epoch = "ep_two"
    fake.events.clear()
    fake.do("revive")
    fake.do("event lane.cleaned")
    with pytest.raises(EventsLost):
        events.poll(5)
    assert [event.topic for event in events.poll(5)] == ["lane.cleaned"]


def test_the_errors_of_a_failing_replay_end_the_events(fake: FakePlane, plane: Plane) -> None:
    fake.faults.refuse["events.replay"] = [("INTERNAL", False)]
    with pytest.raises(LaneError) as caught:
        list(plane.events(since=0, follow=False))
    assert caught.value.code == "INTERNAL"
