"""Leases, input queues, tasks, errors and what programs take over from their caller."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.client import environment
from lanekeeper.client.errors import (
    BusyError,
    ClosedError,
    InternalError,
    RefusedError,
    SpawnFailedError,
    TimedOutError,
    UnreachableError,
    WorkerLostError,
    error_for,
    from_wire,
)
from lanekeeper.client.feeding import QUEUE_BYTES, InputQueue
from lanekeeper.client.items import Completed, returncode
from lanekeeper.client.leases import Lease, Leases
from lanekeeper.client.starting import program, to_run
from lanekeeper.wire.errors import CODES, WireError
from lanekeeper.wire.limits import MAX_CHUNK
from lanekeeper.wire.messages.terminal import ExitStatus


def lease(name: str = "lease_1") -> Lease:
    return Lease(name, "lane_1", "sess_1", "ipc://x", beat=2.0)


def test_a_lease_is_due_every_beat_until_it_is_dropped() -> None:
    leases, held = Leases(), lease()
    leases.hold(held, 10.0)
    assert leases.next_deadline() == 12.0
    assert leases.due(11.9) == []
    assert leases.due(12.0) == [held]
    assert leases.next_deadline() == 14.0
    leases.drop(held)
    leases.drop(held)
    assert leases.next_deadline() is None


def test_a_refused_lease_is_lost_unless_a_retry_can_help() -> None:
    leases, held = Leases(), lease()
    leases.hold(held, 0.0)
    leases.refused("lease_1", error_for("WORKER_LOST", "away", retryable=True))
    assert held.lost is None
    assert leases.links() == {"ipc://x"}
    leases.refused("lease_1", error_for("SESSION_NOT_FOUND", "expired"))
    leases.refused("lease_none", error_for("SESSION_NOT_FOUND", "expired"))
    assert len(leases) == 0
    assert str(held.lost) == "expired (SESSION_NOT_FOUND)"


@given(st.lists(st.tuples(st.integers(0, 3 * MAX_CHUNK), st.booleans()), max_size=4))
def test_input_leaves_in_order_in_chunks(pieces: list[tuple[int, bool]]) -> None:
    queue = InputQueue()
    data = [bytes([number]) * size for number, (size, _) in enumerate(pieces)]
    parcels = [queue.put(part, eof=eof) for part, (_, eof) in zip(data, pieces, strict=True)]
    sent, ends = bytearray(), 0
    while (chunk := queue.next_chunk()) is not None:
        assert len(chunk.data) <= MAX_CHUNK
        sent += chunk.data
        ends += chunk.eof
        queue.delivered(chunk)
    assert sent == b"".join(data)
    assert ends == sum(eof for _, eof in pieces)
    assert all(parcel.done and parcel.error is None for parcel in parcels)
    assert queue.waiting == 0


def test_waiting_input_is_bounded_and_can_be_withdrawn() -> None:
    queue = InputQueue()
    first = queue.put(b"x" * QUEUE_BYTES, eof=False)
    with pytest.raises(BusyError):
        queue.put(b"y", eof=False)
    queue.withdraw(first, error_for("CLOSED", "withdrawn"))
    assert queue.next_chunk() is None
    second = queue.put(b"y", eof=False)
    queue.fail(error_for("TERMINAL_NOT_FOUND", "gone"))
    assert second.error is not None
    assert first.late().details == {"delivered": 0}


def test_every_code_has_its_class_and_exit_status() -> None:
    for code, fixed in CODES.items():
        error = from_wire(WireError(code, "why"))
        assert error.code == code
        assert error.exit_status == fixed.exit_status
        assert error.retryable == fixed.retryable
        assert str(error) == f"why ({code})"
    assert isinstance(error_for("WORKER_LOST", ""), WorkerLostError | UnreachableError)
    assert isinstance(error_for("INDETERMINATE", ""), TimedOutError)
    assert isinstance(error_for("SPAWN_FAILED", ""), SpawnFailedError)
    assert isinstance(error_for("INTERNAL", ""), InternalError)
    assert isinstance(error_for("CLOSED", ""), ClosedError)
    assert error_for("UNREACHABLE", "").exit_status == 7


def test_a_code_of_a_later_plane_is_a_refusal() -> None:
    error = error_for("SOMETHING_NEW", "x")
    assert isinstance(error, RefusedError)
    assert error.exit_status == 1


def test_the_return_code_is_what_a_shell_shows() -> None:
    assert returncode(ExitStatus(kind="exited", code=7)) == 7
    assert returncode(ExitStatus(kind="signaled", signal=9)) == 137
    assert returncode(ExitStatus(kind="unknown")) is None
    done = Completed(b"", ExitStatus(kind="signaled", signal=15), None)
    assert (done.code, done.returncode) == (None, 143)


def test_words_that_are_not_utf8_travel_as_bytes() -> None:
    odd = os.fsdecode(b"caf\xe9")
    assert environment.arguments(["ls", b"x", Path("/var"), odd]) == [
        "ls",
        b"x",
        "/var",
        b"caf\xe9",
    ]


def test_a_program_gets_the_environment_without_the_planes_names() -> None:
    odd = os.fsdecode(b"N\xe9")
    found = environment.caller_environment(
        {"A": "1", "LANEKEEPER_DIR": "/x", "B": os.fsdecode(b"\xff"), odd: "x"}
    )
    assert found == {"A": "1", "B": b"\xff"}


def test_the_umask_is_read_without_changing_it() -> None:
    before = os.umask(0o027)
    try:
        assert environment.caller_umask() == 0o027
    finally:
        os.umask(before)


def test_a_program_is_started_as_if_it_was_started_here() -> None:
    what = program(["true"], {})
    assert what.body.cwd == str(Path.cwd())
    assert what.body.env["PATH"] == os.environ["PATH"]
    assert (what.session, what.policy, what.body.consume) == ("main", "drop", None)
    other = program(
        ["true"],
        {"env": {"A": b"\xff"}, "cwd": "/", "umask": 0o77, "limits": [(7, 64, 64)], "cols": 100},
    )
    assert other.body.env == {"A": b"\xff"}
    assert (other.body.cwd, other.body.umask, other.body.cols) == ("/", 0o77, 100)
    assert other.body.limits == [(7, 64, 64)]


def test_run_gives_exact_bytes_unless_told_otherwise() -> None:
    what, feeding = to_run(["cat"], {"input": b"x", "max_output": 5})
    assert (what.body.stdin, what.body.output, what.policy) == ("pipe", "raw", "forever")
    assert (feeding.data, feeding.max_output) == (b"x", 5)
    what, _ = to_run(["cat"], {"stdin": "tty", "output": "tty"})
    assert (what.body.stdin, what.body.output) == ("tty", "tty")


@pytest.mark.parametrize("argv", [[], "ls -l", b"ls"])
def test_a_program_is_a_list_of_words(argv: list[str]) -> None:
    with pytest.raises(RefusedError):
        program(argv, {})
