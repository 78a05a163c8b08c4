"""The blocking client against real sockets: what it does when all is well."""

import socket
import time
from pathlib import Path

import pytest

from lanekeeper.client import (
    Actor,
    Closed,
    Data,
    Ended,
    NotFound,
    Plane,
    Refused,
    Resized,
    SpawnFailed,
    TimedOut,
    Unreachable,
    connect,
)
from lanekeeper.wire.messages.plane import Nothing
from lanekeeper.wire.messages.terminal import TerminalResult
from unit.client.fakelane import LANE, SESSION, WS, flood
from unit.client.fakeplane import FakePlane


def test_ten_lines_run_a_command(plane: Plane) -> None:
    done = plane.lane("build").run(["echo", "hello"])
    assert (done.output, done.code, done.returncode, done.gaps) == (b"hello\n", 0, 0, ())
    assert done.terminal.id.startswith("term_")


def test_a_command_that_fails_is_no_exception(plane: Plane) -> None:
    assert plane.lane("build").run(["exit", "7"]).returncode == 7


def test_input_and_output_of_megabytes_are_exact(plane: Plane) -> None:
    data = flood(1_000_000)
    assert plane.lane("build").run(["cat"], input=data).output == data


def test_run_registers_before_the_first_byte_and_gives_everything_back(
    fake: FakePlane, plane: Plane
) -> None:
    plane.lane("build").run(["flood", "300000"])
    spawn = next(one for one in fake.seen if one["method"] == "terminal.spawn")
    assert spawn["payload"]["consume"]["policy"] == "forever"
    assert fake.methods()[-1] == "session.detach"
    lifecycle = {
        one["correlation_id"] for one in fake.seen if one["method"].startswith("session.c")
    }
    assert {spawn["correlation_id"]} == lifecycle


def test_commands_carry_what_the_contract_wants(fake: FakePlane) -> None:
    actor = Actor(kind="operator", id="me")
    with connect(fake.directory, actor=actor, timeout=2.0) as plane:
        plane.create_lane("build", correlation_id="corr_mine")
    create = fake.seen[-1]
    assert create["method"] == "lane.create"
    assert create["actor"] == {"kind": "operator", "id": "me"}
    assert (create["workspace_id"], create["correlation_id"]) == (WS, "corr_mine")
    assert create["deadline_ms"] == 12_000
    assert fake.seen[0]["deadline_ms"] == 2_000
    assert "correlation_id" not in fake.seen[0]


def test_listings_are_read_to_their_end(plane: Plane) -> None:
    assert [lane.id for lane in plane.lanes("default")] == [LANE, LANE]
    assert not plane.listing_complete
    assert [workspace.id for workspace in plane.workspaces()] == [WS]
    assert plane.workspace().id == WS
    assert plane.context().lane_id == LANE
    with pytest.raises(NotFound):
        plane.lanes("nowhere")


def test_lanes_sessions_and_terminals_have_their_verbs(plane: Plane) -> None:
    lane = plane.lane("build", create=False)
    assert lane.refresh().id == lane.id == LANE
    session = lane.session(provider="codex")
    assert session.id == SESSION
    with session.attach() as attachment:
        assert attachment.lease_id.startswith("lease_")
        attachment.renew()
        attachment.detach()
    terminal = lane.spawn(["cat"])
    assert terminal.refresh().id == terminal.id
    assert terminal.resize(100, 30).id == terminal.id
    assert terminal.send("hi\n") == 3
    assert terminal.read().data == b"hi\n"
    assert terminal.read(1, 1).data == b"i"
    terminal.signal("TERM")
    assert terminal.wait(1).signal == 15
    terminal.respawn()
    assert terminal.close().terminals == 1
    assert lane.cleanup().processes == 1


def test_output_is_followed_to_its_end(fake: FakePlane, plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    with terminal.output(timeout=5) as output:
        terminal.send(b"one")
        assert next(output) == Data(0, b"one")
        assert output.poll() == []
        deadline = time.monotonic() + 5
        while fake.terminals[terminal.id].acked < 3 and time.monotonic() < deadline:
            plane.wait(timeout=0.1)
        assert fake.terminals[terminal.id].acked == 3
        terminal.resize(100, 30)
        assert next(output) == Resized(100, 30)
        terminal.send(b"two", eof=True)
        assert next(output) == Data(3, b"two")
        last = next(output)
        assert isinstance(last, Ended)
        assert (last.offset, last.exit.code) == (6, 0)
        assert list(output) == []
        assert output.ended
    assert fake.methods().count("session.detach") == 1


def test_output_of_the_past_comes_first_and_without_follow_alone(
    fake: FakePlane, plane: Plane
) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    terminal.send(flood(200_000))
    pieces = [item.data for item in terminal.output(follow=False) if isinstance(item, Data)]
    assert b"".join(pieces) == flood(200_000)
    fake.terminals[terminal.id].tail = 150_000
    first = next(terminal.output(None, policy="drop"))
    assert isinstance(first, Data)
    assert first.offset == 150_000
    assert "terminal.consume" not in fake.methods()


def test_a_registered_start_is_taken_over_by_its_first_stream(
    fake: FakePlane, plane: Plane
) -> None:
    lane = plane.lane("build")
    with lane.spawn(["echo", "x"], policy="forever").output(policy="forever") as output:
        assert isinstance(next(output), Data)
    assert "terminal.consume" not in fake.methods()
    unused = lane.spawn(["echo", "x"], policy="block")
    with unused.output(1) as output:
        assert next(output) == Data(1, b"\n")
    assert fake.methods().count("session.detach") == 3


def test_a_step_wise_program_waits_for_its_own_descriptors_too(plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    ours, theirs = socket.socketpair()
    with ours, theirs, terminal.output() as output:
        theirs.send(b"key")
        seen: set[int] = set()
        deadline = time.monotonic() + 5
        while ours.fileno() not in seen and time.monotonic() < deadline:
            seen |= plane.wait([ours.fileno()], timeout=1.0)
        assert ours.fileno() in plane.wait([ours.fileno()], timeout=0.0)
        sent = terminal.send_nowait(flood(300_000), eof=True)
        found = bytearray()
        while not output.ended:
            plane.wait(timeout=1.0)
            for item in output.poll():
                found += item.data if isinstance(item, Data) else b""
        assert found == flood(300_000)
        assert sent.wait(5) == 300_000
        assert (sent.done, sent.delivered, sent.error) == (True, 300_000, None)
        assert terminal.unsent == 0
        assert plane.wait(writers=[ours.fileno()], timeout=1.0) <= {ours.fileno()}
        assert output.filenos()
        assert plane.filenos()
        assert output.position == 300_000


def test_events_are_replayed_and_then_live(fake: FakePlane, plane: Plane) -> None:
    for _ in range(8):
        fake.do("event")
    assert [event.seq for event in plane.events(since=0, follow=False)] == list(range(1, 9))
    with plane.events(since=3) as events:
        assert [next(events).seq for _ in range(5)] == [4, 5, 6, 7, 8]
        fake.do("event lane.cleaned")
        assert next(events).topic == "lane.cleaned"
        assert events.poll(0) == []
        fake.do("event")
        assert [event.seq for event in events.poll(5)] == [10]
        assert not events.ended


def test_an_address_that_means_several_lists_the_choices(plane: Plane) -> None:
    lane = plane.lane("build")
    with pytest.raises(NotFound):
        plane.terminal("build")
    first = lane.spawn(["cat"])
    assert plane.terminal("build").id == first.id
    lane.spawn(["cat"])
    with pytest.raises(Refused) as caught:
        plane.terminal("build")
    assert caught.value.details["choices"] == ["default/build:main.0000", "default/build:main.0001"]
    assert plane.terminal("build.0000").id == first.id


def test_changes_through_the_broker_name_the_lane_that_keeps_their_answers(
    fake: FakePlane, plane: Plane
) -> None:
    terminal = plane.lane("build").spawn(["exit", "0"])
    assert terminal.wait().code == 0
    terminal.respawn()
    terminal.close()
    changes = [c for c in fake.seen if c["method"] in {"terminal.respawn", "terminal.close"}]
    assert [c.get("lane_id") for c in changes] == [LANE, LANE]


def test_any_method_can_be_called(plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    got = plane.call("terminal.get", result=TerminalResult, terminal_id=terminal.id)
    assert got.terminal.id == terminal.id
    with pytest.raises(Refused) as caught:
        plane.call("no.such", Nothing(), result=Nothing)
    assert caught.value.code == "UNKNOWN_METHOD"
    assert caught.value.exit_status == 3


def test_a_program_that_cannot_be_started_is_an_error(plane: Plane) -> None:
    lane = plane.lane("build")
    with pytest.raises(SpawnFailed):
        lane.run(["missing"])
    with pytest.raises(SpawnFailed):
        lane.spawn(["missing"])


def test_a_run_that_takes_too_long_is_ended(fake: FakePlane, plane: Plane) -> None:
    with pytest.raises(TimedOut):
        plane.lane("build").run(["sleep"], timeout=0.2)
    assert "terminal.close" in fake.methods()
    with pytest.raises(TimedOut) as caught:
        plane.lane("build").spawn(["sleep"]).wait(0.1)
    assert "still runs" in caught.value.message


def test_a_run_that_writes_too_much_is_ended(plane: Plane) -> None:
    with pytest.raises(Exception, match="LIMIT_EXCEEDED"):
        plane.lane("build").run(["flood", "200000"], max_output=1000)


def test_use_after_close_says_so(fake: FakePlane) -> None:
    plane = connect(fake.directory)
    lane = plane.lane("build")
    output = lane.spawn(["cat"]).output()
    plane.close()
    plane.close()
    for use in (plane.lanes, plane.step, lane.refresh, output.poll):
        with pytest.raises(Closed):
            use()
    output.close()


def test_no_plane_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="lane up"):
        connect(tmp_path / "none")
    tmp_path.chmod(0o700)
    with pytest.raises(Unreachable, match="no broker answers"):
        connect(tmp_path, timeout=0.2)
    tmp_path.chmod(0o755)
    with pytest.raises(Refused, match="chmod"):
        connect(tmp_path)
