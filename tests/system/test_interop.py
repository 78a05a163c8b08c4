"""The interop witness: a program in plain pyzmq and msgpack uses the whole plane."""

import signal
import sys

import msgpack
import pytest

from kit.cluster import Plane
from kit.wire_client import NoAnswerError, RefusedError, WireClient, command


def make_lane(client: WireClient, name: str) -> tuple[str, str, str]:
    hello = client.call("workspace.open", {"name": "default"})
    workspace = hello["workspace"]["id"]
    lane = client.call("lane.create", {"name": name}, workspace_id=workspace)["lane"]["id"]
    made = client.call("session.create", {"name": "main"}, workspace_id=workspace, lane_id=lane)
    return workspace, lane, made["session"]["id"]


def spawn(client: WireClient, ids: tuple[str, str, str], argv: list[str]) -> str:
    workspace, lane, session = ids
    made = client.call(
        "terminal.spawn",
        {"argv": argv, "env": {"PATH": "/usr/bin:/bin"}},
        workspace_id=workspace,
        lane_id=lane,
        session_id=session,
    )
    return str(made["terminal"]["id"])


def test_hello_names_version_epoch_and_limits(shared_plane: Plane) -> None:
    with WireClient(shared_plane.dir) as client:
        hello = client.call("plane.hello", {"client": "witness"})
    assert hello["versions"] == [1]
    assert hello["epoch"]
    assert hello["complete"] is True
    assert all(isinstance(value, int) for value in hello["limits"].values())


def test_a_program_is_run_fed_and_read_with_its_true_exit(shared_plane: Plane) -> None:
    with WireClient(shared_plane.dir) as client:
        ids = make_lane(client, "witness")
        script = "printf 'name? '; read -r name; echo \"hello $name\"; exit 7"
        terminal = spawn(client, ids, ["sh", "-c", script])
        stream = client.output(ids[1], terminal)
        client.call("terminal.input", {"data": b"world\n"}, terminal_id=terminal)
        waited = client.call("terminal.wait", {}, terminal_id=terminal)
        assert waited["exit"] == {"kind": "exited", "code": 7}
        read = client.call_lane(ids[1], "terminal.read", {"offset": 0}, terminal_id=terminal)
        assert read["data"].endswith(b"hello world\r\n")
        assert read["end"] == len(read["data"])
        kinds: list[str] = []
        while not kinds or kinds[-1] != "end":
            message = stream.message()
            kinds.append(message.kind)
            if message.kind == "data":
                covered = read["data"][message.offset : message.offset + len(message.data)]
                assert message.data == covered


def test_events_are_numbered_without_holes_and_carry_the_correlation(
    shared_plane: Plane,
) -> None:
    with WireClient(shared_plane.dir) as client:
        events = client.events()
        workspace = client.call("workspace.open", {"name": "default"})["workspace"]["id"]
        made = command(
            "lane.create", {"name": "told"}, workspace_id=workspace, correlation_id="corr_mine"
        )
        client.result(made)
        seen = events.until("lane.created")
        numbers = [event["seq"] for event in seen]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        mine = [event["topic"] for event in seen if event["correlation_id"] == "corr_mine"]
        assert mine[0] == "lane.create.started"
        assert mine[-1] == "lane.created"
        replayed = client.call("events.replay", {"since": numbers[0] - 1})["events"]
        assert [event["id"] for event in replayed[: len(seen)]] == [e["id"] for e in seen]


def test_a_command_is_executed_once_however_often_it_is_sent(shared_plane: Plane) -> None:
    with WireClient(shared_plane.dir) as client:
        ids = make_lane(client, "once")
        terminal = spawn(client, ids, ["cat"])
        once = command("terminal.input", {"data": b"x\n"}, terminal_id=terminal)
        answers = [client.result(once) for _ in range(3)]
        assert answers == [{"delivered": 2}] * 3
        client.call("terminal.input", {"data": b"", "eof": True}, terminal_id=terminal)
        client.call("terminal.wait", {}, terminal_id=terminal)
        read = client.call("terminal.read", {"offset": 0}, terminal_id=terminal)
        assert read["data"] == b"x\r\nx\r\n"


def test_the_worker_of_a_lane_is_a_process_of_its_own(shared_plane: Plane) -> None:
    with WireClient(shared_plane.dir) as client:
        first, second = (make_lane(client, name)[1] for name in ("one", "two"))
        lanes = client.call("lane.list", {})["lanes"]
        pids = {lane["id"]: lane["pid"] for lane in lanes}
        assert pids[first] != pids[second]
        assert {pids[first], pids[second]} <= set(shared_plane.pids("worker"))


def test_a_killed_worker_concerns_its_lane_alone(plane: Plane) -> None:
    with WireClient(plane.dir) as client:
        lost = make_lane(client, "lost")
        kept = make_lane(client, "kept")
        spawn(client, lost, [sys.executable, "-c", "input()"])
        terminal = spawn(client, kept, ["cat"])
        events = client.events("lane.state.changed")
        plane.kill("worker", signal.SIGKILL, lane=lost[1])
        while (event := events.event())["lane_id"] != lost[1]:
            pass
        lanes = {lane["id"]: lane for lane in client.call("lane.list", {})["lanes"]}
        assert lanes[kept[1]]["generation"] == 1
        assert event["payload"]["lane"]["status"] == "recovering"
        while event["lane_id"] != lost[1] or event["payload"]["lane"]["status"] != "running":
            event = events.event()
        assert event["payload"]["lane"]["generation"] == 2
        client.call("terminal.input", {"data": b"still here\n"}, terminal_id=terminal)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([b""], "INVALID_ENVELOPE"),
        ([b"\xc1"], "INVALID_ENVELOPE"),
        ([b"\x93\x01\x02\x03"], "INVALID_ENVELOPE"),
        ([b"\x81" * 5000], "INVALID_ENVELOPE"),
        ([b"x" * (200 << 10)], "LIMIT_EXCEEDED"),
        ([b"a", b"b", b"c"], "INVALID_ENVELOPE"),
    ],
    ids=["empty", "no-msgpack", "no-map", "deep", "huge", "many-frames"],
)
def test_malformed_messages_are_answered_and_the_plane_goes_on(
    shared_plane: Plane, frames: list[bytes], code: str
) -> None:
    with WireClient(shared_plane.dir) as client:
        client.send(*frames)
        answer = client.receive()
        assert (answer["status"], answer["error"]["code"]) == ("error", code)
        assert client.call("plane.hello", {})["epoch"]


def test_a_message_beyond_all_limits_costs_its_sender_the_connection(shared_plane: Plane) -> None:
    with WireClient(shared_plane.dir) as client, WireClient(shared_plane.dir) as other:
        client.send(b"x" * (2 << 20))
        assert other.call("plane.hello", {})["epoch"]
        with pytest.raises(NoAnswerError):
            client.receive(timeout=0.2)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"method": "lane.fly"}, "UNKNOWN_METHOD"),
        ({"method": "agent.run"}, "NOT_IMPLEMENTED"),
        ({"v": 9}, "UNSUPPORTED_VERSION"),
        ({"surprise": 1}, "INVALID_ENVELOPE"),
        ({"payload": {"nonsense": 1}}, "INVALID_ARGUMENT"),
        ({"method": "lane.cleanup", "lane_id": "lane_" + "a" * 16}, "LANE_NOT_FOUND"),
        ({"method": "terminal.get", "terminal_id": "term_none"}, "TERMINAL_NOT_FOUND"),
    ],
)
def test_wrong_commands_have_their_own_codes(
    shared_plane: Plane, changes: dict[str, object], code: str
) -> None:
    with WireClient(shared_plane.dir) as client:
        with pytest.raises(RefusedError) as refused:
            client.result(command("plane.hello", {}) | changes)
        assert refused.value.code == code
        assert refused.value.error["message"]


def test_a_client_that_vanishes_mid_command_leaves_nothing(shared_plane: Plane) -> None:
    with WireClient(shared_plane.dir) as client:
        ids = make_lane(client, "vanish")
        with WireClient(shared_plane.dir) as gone:
            terminal = spawn(gone, ids, ["cat"])
            gone.send(_packed("terminal.wait", terminal))
            with pytest.raises(NoAnswerError):
                gone.receive(timeout=0.2)
        client.call("terminal.close", {"grace_s": 0.5}, terminal_id=terminal)


def _packed(method: str, terminal: str) -> bytes:
    packed: bytes = msgpack.packb(command(method, {}, terminal_id=terminal))
    return packed
