"""What a lane counts: commands of clients, reads of the log, answers to programs, endings."""

from collections.abc import Callable

import pytest

from lanekeeper.wire.messages.lane import Endpoints
from lanekeeper.wire.messages.terminal import ExitStatus
from lanekeeper.wire.metrics import COMMAND_SECONDS, UNKNOWN_METHOD
from lanekeeper.workers.actions import Delivered, Drained, Exited, Queried
from lanekeeper.workers.core import LaneCore
from lanekeeper.workers.queries import Kind, Question
from lanekeeper.workers.resuming import Left
from lanekeeper.workers.tally import Tally
from lanekeeper.workers.turn import Surroundings

from .lanes import WORKSPACE, FakeLog, Lane

ENDPOINTS = Endpoints(output="ipc://out", control="ipc://in")


class Timed(Lane):
    """A lane, and what is observed of it."""

    def answered(self, after: float = 0.0) -> list[tuple[float, str, str]]:
        """Return how long the commands took that have been answered `after` seconds from now."""
        seen: list[tuple[float, str, str]] = []

        def spread(name: str, method: str, status: str) -> Callable[[float], None]:
            assert name == COMMAND_SECONDS
            return lambda seconds: seen.append((round(seconds, 9), method, status))

        heard = Tally(spread, answered=list(self.tally.answered))
        self.tally.timed(self.now + after)
        heard.timed(self.now + after)
        return seen


@pytest.fixture
def lane() -> Timed:
    return Timed()


def attached(lane: Lane, session: str) -> str:
    result = lane.call("session.attach", session_id=session, workspace_id=WORKSPACE)
    return str(result["lease_id"])


def test_a_command_counts_from_its_arrival_to_its_answer(lane: Timed) -> None:
    lane.call("session.create", {"name": "main"})
    assert lane.answered(0.25) == [(0.25, "session.create", "ok")]
    assert lane.answered(1.0) == []


def test_an_answer_that_comes_later_counts_the_whole_time(lane: Timed) -> None:
    terminal = lane.run(lane.session())
    lane.answered()
    lane.command("terminal.input", {"data": b"x"}, terminal_id=terminal, id="i1")
    assert lane.answered() == []
    lane.now += 0.5
    lane.give(Delivered("i1", 1))
    assert lane.answered() == [(0.5, "terminal.input", "ok")]


def test_what_the_broker_sends_is_timed_by_the_broker(lane: Timed) -> None:
    lane.command("session.create", {"name": "main"}, route=None)
    assert lane.answered() == []


def test_refusals_count_as_errors_and_made_up_methods_as_one(lane: Timed) -> None:
    lane.command("terminal.get", terminal_id="term_none")
    lane.command("terminal.spam")
    lane.command("x" * 60)
    assert lane.answered() == [
        (0.0, "terminal.get", "error"),
        (0.0, UNKNOWN_METHOD, "error"),
        (0.0, UNKNOWN_METHOD, "error"),
    ]


def test_a_one_way_command_counts_although_nobody_is_answered(lane: Timed) -> None:
    session = lane.session()
    terminal = lane.run(session)
    lease = attached(lane, session)
    asked = {"lease_id": lease, "policy": "block"}
    consumer = lane.call("terminal.consume", asked, terminal_id=terminal)["consumer_id"]
    lane.answered()
    ack = {"consumer_id": consumer, "offset": 0}
    lane.command("terminal.ack", ack, terminal_id=terminal)
    assert lane.answered() == [(0.0, "terminal.ack", "ok")]


def test_a_repeated_command_counts_once(lane: Timed) -> None:
    for _ in range(3):
        lane.command("session.create", {"name": "main"}, id="c1")
    assert lane.answered() == [(0.0, "session.create", "ok")]


def test_a_wait_is_not_timed(lane: Timed) -> None:
    terminal = lane.run(lane.session())
    lane.answered()
    lane.command("terminal.wait", {"exit": True, "timeout_s": 1.0}, terminal_id=terminal)
    lane.now += 10
    assert lane.answered() == []


def test_reads_count_what_they_give_and_exactly_what_is_gone(lane: Timed) -> None:
    terminal = lane.run(lane.session())
    lane.logs[terminal] = FakeLog(b"0123456789" * 10, tail=40)
    for offset, most in ((None, 7), (40, 60), (13, 10), (99, 10), (100, 10)):
        lane.call("terminal.read", {"offset": offset, "max": most}, terminal_id=terminal)
    assert (lane.tally.gaps, lane.tally.gap_bytes) == (1, 27)
    assert lane.tally.repaired_bytes == 7 + 60 + 10 + 1 + 0


def test_only_questions_that_are_answered_count(lane: Timed) -> None:
    session = lane.session()
    terminal = lane.run(session)
    questions = (Question(Kind.STATUS), Question(Kind.STATUS))
    lane.give(Queried(terminal, questions, 8))
    assert lane.tally.queries_answered == 2
    lease = attached(lane, session)
    lane.call("terminal.lease", {"lease_id": lease, "tty": True}, terminal_id=terminal)
    lane.give(Queried(terminal, questions, 16))
    assert lane.tally.queries_answered == 2


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (ExitStatus(kind="exited", code=0), "ok"),
        (ExitStatus(kind="exited", code=3), "error"),
        (ExitStatus(kind="signaled", signal=9), "signal"),
        (ExitStatus(kind="unknown"), "unknown"),
    ],
)
def test_a_program_that_ended_counts_once_by_how(
    lane: Timed, status: ExitStatus, word: str
) -> None:
    terminal = lane.run(lane.session())
    lane.give(Exited(terminal, status))
    assert not lane.tally.ended
    lane.give(Drained(terminal))
    lane.give(Exited(terminal, status))
    assert lane.tally.ended == {word: 1}


def test_what_a_successor_rebuilds_is_not_counted_again(lane: Timed) -> None:
    session = lane.session()
    first, second = lane.run(session), lane.run(session)
    lane.give(Exited(first, ExitStatus(kind="exited", code=0)))
    lane.give(Drained(first))
    lane.give(Exited(second, ExitStatus(kind="exited", code=1)))
    heir = Lane()
    heir.core = LaneCore(
        lane.replayed(),
        Surroundings(lambda count: b"h" * count, lane.logs.get, ENDPOINTS, tally=heir.tally),
    )
    heir.core.resume(Left(), heir.moment())
    assert heir.tally == Tally()
    heir.give(Drained(second))
    assert heir.tally.ended == {"error": 1}
