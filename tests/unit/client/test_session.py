"""Commands on their way: matching, sending again, retries, deadlines."""

import pytest

from lanekeeper.client.errors import (
    BusyError,
    ConflictError,
    LaneError,
    NotFoundError,
    TimedOutError,
    WorkerLostError,
)
from lanekeeper.client.session import (
    DOUBT,
    LOST_PATIENCE,
    NOTICES_KEPT,
    Request,
    Requests,
    Traffic,
)
from lanekeeper.wire.codec import decode_command, encode
from lanekeeper.wire.envelope import Command, Response, raw
from lanekeeper.wire.errors import CODES, ErrorInfo
from lanekeeper.wire.limits import MAX_CONTROL
from lanekeeper.wire.messages.terminal import Input

TS = "2026-01-01T00:00:00Z"


def command(name: str = "cmd_1", method: str = "lane.list") -> Command:
    return Command(v=1, id=name, ts=TS, method=method)


def ok(name: str = "cmd_1") -> bytes:
    return encode(Response(v=1, id=name, ts=TS, status="ok", result=raw({})))


def refusal(code: str, name: str = "cmd_1") -> bytes:
    info = ErrorInfo(code=code, message="no", retryable=CODES[code].retryable)
    return encode(Response(v=1, id=name, ts=TS, status="error", error=info))


def submitted(link: str | None = None, deadline: float = 10.0) -> tuple[Requests, Request]:
    requests = Requests()
    request = requests.submit(command(), link, deadline, now=0.0)
    assert len(requests.outgoing(0.0)) == 1
    return requests, request


def sending_times(requests: Requests, until: float) -> list[float]:
    """Return when something is sent, going from deadline to deadline."""
    times = []
    while (due := requests.next_deadline()) is not None and due < until:
        requests.expire(due)
        if requests.outgoing(due):
            times.append(due)
        requests.doubtful(due)
    return times


def test_an_answer_finds_its_command() -> None:
    requests, request = submitted()
    requests.receive(ok("cmd_other"), 0.1)
    assert not request.done
    requests.receive(ok(), 0.2)
    assert request.response is not None
    assert requests.strays == 1
    assert requests.next_deadline() is None


def test_an_unanswered_command_is_sent_again_with_the_same_bytes() -> None:
    requests, _ = submitted(deadline=30.0)
    assert sending_times(requests, 30.0) == [0.5, 1.5, 3.5, 7.5, 12.5, 17.5, 22.5, 27.5]
    requests, request = submitted()
    assert [one.data for one in requests.outgoing(0.5)] == [request.data]
    assert decode_command(request.data).id == "cmd_1"


def test_the_deadline_says_what_is_unknown_and_how_to_repeat() -> None:
    requests, request = submitted(deadline=3.0)
    requests.expire(3.0)
    assert isinstance(request.error, TimedOutError)
    assert request.error.details == {"command_id": "cmd_1"}
    requests.receive(ok(), 3.1)
    assert requests.strays == 1


def test_a_final_refusal_is_final() -> None:
    requests, request = submitted()
    requests.receive(refusal("LANE_NOT_FOUND"), 0.1)
    assert isinstance(request.error, NotFoundError)
    assert requests.next_deadline() is None


def test_backpressure_is_retried_until_the_deadline() -> None:
    requests, request = submitted(deadline=2.0)
    now, sent = 0.0, 0
    while not request.done:
        requests.receive(refusal("BACKPRESSURE"), now)
        due = requests.next_deadline()
        assert due is not None
        now = due
        requests.expire(now)
        sent += len(requests.outgoing(now))
    assert sent > 4
    assert isinstance(request.error, BusyError)
    assert request.error.retryable


def test_a_lost_worker_is_given_the_time_a_successor_needs() -> None:
    requests, request = submitted(deadline=60.0)
    requests.receive(refusal("WORKER_LOST"), 1.0)
    requests.receive(refusal("WORKER_LOST"), 1.0 + LOST_PATIENCE / 2)
    assert not request.done
    assert len(requests.outgoing(1.6 + LOST_PATIENCE / 2)) == 1
    requests.receive(refusal("WORKER_LOST"), 1.1 + LOST_PATIENCE)
    assert isinstance(request.error, WorkerLostError)


def test_input_that_was_taken_after_a_refusal_is_not_called_refused() -> None:
    requests, request = submitted(deadline=5.0)
    requests.receive(refusal("BACKPRESSURE"), 0.1)
    assert len(requests.outgoing(0.2)) == 1
    requests.expire(5.0)
    assert isinstance(request.error, TimedOutError), "nobody knows what became of it"


def test_a_second_worker_that_is_lost_later_has_the_same_patience() -> None:
    requests, request = submitted(deadline=600.0)
    for lost in (1.0, 300.0):
        requests.receive(refusal("WORKER_LOST"), lost)
        requests.outgoing(lost + 0.1)
        requests.receive(refusal("WORKER_LOST"), lost + LOST_PATIENCE * 0.75)
        assert not request.done
        requests.outgoing(lost + LOST_PATIENCE)
    requests.receive(refusal("WORKER_LOST"), 300.1 + LOST_PATIENCE)
    assert isinstance(request.error, WorkerLostError)


def test_a_broker_that_waits_before_it_refuses_does_not_make_the_patience_endless() -> None:
    requests, request = submitted(deadline=600.0)
    now = 0.0
    for _ in range(3):
        now += LOST_PATIENCE + 0.2  # what it keeps a command for a lane without worker, and more
        if not request.done:
            requests.receive(refusal("WORKER_LOST"), now)
            requests.outgoing(now + 0.1)
    assert isinstance(request.error, WorkerLostError)


def test_a_recovered_worker_answers_the_same_command() -> None:
    requests, request = submitted(deadline=60.0)
    requests.receive(refusal("WORKER_LOST"), 1.0)
    due = requests.next_deadline()
    assert due is not None
    assert due < 1.1
    requests.outgoing(due)
    requests.receive(ok(), due + 0.1)
    assert request.response is not None


def test_a_timeout_of_the_plane_is_not_repeated() -> None:
    requests, request = submitted()
    requests.receive(refusal("TIMEOUT"), 0.1)
    assert isinstance(request.error, TimedOutError)


def test_one_id_is_on_its_way_once() -> None:
    requests, _ = submitted()
    with pytest.raises(ConflictError):
        requests.submit(command(), None, 1.0, 0.0)


def test_a_command_too_large_to_travel_is_refused_before_it_is_sent() -> None:
    requests = Requests()
    large = command()
    large.payload = raw({"x": b"x" * MAX_CONTROL})
    with pytest.raises(BusyError) as caught:
        requests.submit(large, None, 1.0, 0.0)
    assert caught.value.details == {"limit": MAX_CONTROL}
    assert requests.next_deadline() is None
    large.payload = raw(Input(data=b"x" * 65536))
    requests.submit(large, None, 1.0, 0.0)


def test_the_refusal_of_a_one_way_command_reaches_its_sender() -> None:
    requests = Requests()
    refused: list[LaneError] = []
    requests.notify(command("cmd_w", "lease.renew"), "lane", refused.append)
    assert [one.link for one in requests.outgoing(0.0)] == ["lane"]
    assert requests.outgoing(10.0) == []
    requests.receive(refusal("SESSION_NOT_FOUND", "cmd_w"), 0.1)
    requests.receive(refusal("SESSION_NOT_FOUND", "cmd_w"), 0.1)
    assert [error.code for error in refused] == ["SESSION_NOT_FOUND"]


def test_one_way_commands_are_remembered_up_to_a_bound() -> None:
    requests = Requests()
    refused: list[LaneError] = []
    for number in range(NOTICES_KEPT + 1):
        requests.notify(command(f"cmd_{number}"), None, refused.append)
    requests.receive(refusal("INTERNAL", "cmd_0"), 0.1)
    requests.receive(refusal("INTERNAL", "cmd_1"), 0.1)
    assert len(refused) == 1


def test_silence_of_a_hot_path_raises_doubt_and_that_of_the_broker_does_not() -> None:
    requests, request = submitted(link="lane")
    assert requests.doubtful(DOUBT - 0.1) == []
    assert requests.doubtful(DOUBT) == [request]
    assert requests.doubtful(DOUBT + 0.1) == []
    lost = NotFoundError("TERMINAL_NOT_FOUND", "gone")
    requests.fail(request, lost)
    requests.fail(request, TimedOutError("TIMEOUT", "late"))
    assert request.error is lost
    plain, _ = submitted()
    assert plain.doubtful(100.0) == []


def test_a_forgotten_command_is_answered_to_nobody() -> None:
    requests, request = submitted(link="lane")
    assert requests.uses("lane")
    requests.forget(request)
    assert not requests.uses("lane")
    requests.receive(ok(), 0.1)
    assert requests.strays == 1


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x91" * 4000, b"\x80"])
def test_junk_is_counted(data: bytes) -> None:
    requests, request = submitted()
    requests.receive(data, 0.1)
    assert requests.strays == 1
    assert not request.done


def test_an_observer_sees_what_leaves_and_what_comes() -> None:
    requests = Requests()
    seen: list[Traffic] = []
    requests.observer = seen.append
    request = requests.submit(command(), "ipc://lane", 10.0, now=1.0)
    requests.outgoing(1.0)
    requests.outgoing(1.5)
    requests.receive(refusal("BACKPRESSURE"), 1.6)
    requests.receive(ok(), 1.7)
    requests.submit(command("cmd_2"), None, 2.0, now=1.0)
    requests.expire(2.0)
    requests.notify(command("cmd_3", "lease.renew"), None, lambda _: None)
    assert [each.word for each in seen] == ["sent", "again", "error", "ok", "late", "one-way"]
    assert [each.command.id for each in seen] == [*["cmd_1"] * 4, "cmd_2", "cmd_3"]
    assert seen[0].link == "ipc://lane"
    assert seen[0].size == len(request.data)
    assert seen[2].code == "BACKPRESSURE"
    assert seen[3].seconds == pytest.approx(0.7)


def test_what_a_lost_link_may_have_swallowed_is_sent_again_at_once() -> None:
    requests, request = submitted("ipc://lane")
    requests.submit(command("cmd_2"), None, 10.0, now=0.0)
    requests.submit(command("cmd_3"), "ipc://lane", 10.0, now=0.0)
    requests.outgoing(0.0)
    requests.lost("ipc://lane", 0.1)
    sent = [decode_command(transmission.data).id for transmission in requests.outgoing(0.1)]
    assert sent == ["cmd_1", "cmd_3"]
    assert requests.outgoing(0.1) == []
    requests.receive(ok(), 0.2)
    assert request.response is not None
