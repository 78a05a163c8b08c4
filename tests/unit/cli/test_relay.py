"""A person attached: keys that a program no longer takes, backlogs, errors, signals."""

import os
import signal
import termios

import pytest

from kit.waiting import wait_until
from lanekeeper.cli import relay
from lanekeeper.cli.ends import Way
from lanekeeper.cli.pen import Pen
from lanekeeper.cli.sink import HIGH_WATER
from lanekeeper.client import NotFound, Plane, following
from unit.cli.desk import PATIENCE_S, Desk, at_pipe, at_terminal, relayed
from unit.client.fakeplane import FakePlane

DETACH = b"\x1d"
FLOOD = 400_000
"""Bytes that are far more than a terminal takes while nobody looks."""


def typed(fake: FakePlane, desk: Desk, data: bytes) -> None:
    """Type, and wait until the lane was asked to take it."""
    before = fake.methods().count("terminal.input")
    desk.type(data)
    wait_until(
        lambda: fake.methods().count("terminal.input") > before, PATIENCE_S, "input on its way"
    )


def test_keys_that_the_program_no_longer_takes_leave_the_way_out(
    fake: FakePlane, plane: Plane
) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    fake.faults.refuse["terminal.input"] = [("INVALID_TRANSITION", False)]
    with at_terminal() as desk:

        def person() -> None:
            typed(fake, desk, b"x")
            typed(fake, desk, b"y")
            desk.type(DETACH)

        outcome = relayed(plane, terminal, desk, person)
    assert outcome.way is Way.DETACHED


def test_leaving_in_the_middle_of_a_flood_leaves_a_clean_terminal(
    fake: FakePlane, plane: Plane
) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    with at_terminal() as desk:

        def person() -> None:
            fake.do("write \x1b[?1049h" + "x" * FLOOD)
            desk.expect(b"xxx")
            desk.type(DETACH)
            desk.expect(b"\x18\x1b\\")
            desk.expect(b"\x1b[?1049l")

        outcome = relayed(plane, terminal, desk, person)
    assert outcome.way is Way.DETACHED
    assert len(desk.seen) < FLOOD, "what was waiting is left out"


def test_an_error_waits_for_the_output_that_came_before_it(
    fake: FakePlane, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "QUIET_LEASED", 0.1)
    monkeypatch.setattr(relay, "LEAVE_SECONDS", 0.0)
    terminal = plane.lane("build").spawn(["cat"])
    with at_pipe() as desk:

        def person() -> None:
            fake.do("write " + "x" * FLOOD)
            desk.received(FLOOD)
            fake.do("forget")
            desk.left.wait(1.0)
            desk.expect_bytes(FLOOD)

        with pytest.raises(NotFound):
            relayed(plane, terminal, desk, person)
    assert bytes(desk.seen) == b"x" * FLOOD


def test_a_size_that_cannot_be_told_now_does_not_end_the_attach(
    fake: FakePlane, plane: Plane
) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    fake.faults.refuse["terminal.resize"] = [("TIMEOUT", True)]
    with at_terminal() as desk:
        desk.ends.follow_size = desk.ends.stdout

        def person() -> None:
            typed(fake, desk, b"x")
            os.kill(os.getpid(), signal.SIGWINCH)
            wait_until(lambda: "TIMEOUT" in "".join(desk.said), PATIENCE_S, "a notice")
            desk.type(DETACH)

        assert relayed(plane, terminal, desk, person).way is Way.DETACHED


def test_a_signal_that_cannot_be_sent_now_does_not_end_the_run(
    fake: FakePlane, plane: Plane
) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    fake.faults.refuse["terminal.signal"] = [("TIMEOUT", True)]
    with at_terminal() as desk:
        desk.ends.forward = True

        def person() -> None:
            typed(fake, desk, b"x")
            os.kill(os.getpid(), signal.SIGINT)
            wait_until(lambda: "TIMEOUT" in "".join(desk.said), PATIENCE_S, "a notice")
            desk.type(DETACH)

        assert relayed(plane, terminal, desk, person).way is Way.DETACHED


def test_writing_that_cannot_be_taken_now_leaves_a_person_looking_on(
    fake: FakePlane, plane: Plane
) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    with at_terminal() as desk:
        desk.ends.pen = Pen(terminal)

        def person() -> None:
            fake.do("write here")
            desk.expect(b"here")
            fake.faults.refuse["session.attach"] = [("TIMEOUT", True)]
            desk.type(b"\x14")
            wait_until(lambda: "TIMEOUT" in "".join(desk.said), PATIENCE_S, "a notice")
            desk.type(DETACH)

        assert relayed(plane, terminal, desk, person).way is Way.DETACHED


@pytest.mark.parametrize("size", [FLOOD, 3 * HIGH_WATER])
def test_a_signal_after_the_programs_end_is_for_us(
    fake: FakePlane, plane: Plane, size: int
) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    fake.faults.refuse["terminal.signal"] = [("INVALID_TRANSITION", False)] * 100
    with at_pipe() as desk:
        desk.ends.forward = True

        def person() -> None:
            fake.do("write " + "x" * size)
            fake.do("end")
            desk.expect(b"xxx")
            for _ in range(40):
                os.kill(os.getpid(), signal.SIGTERM)
                if desk.left.wait(0.1):
                    return

        outcome = relayed(plane, terminal, desk, person)
    assert (outcome.way, outcome.caught) == (Way.SIGNALLED, signal.SIGTERM)


def test_input_that_cannot_be_taken_as_it_is_is_said(fake: FakePlane, plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    fake.faults.refuse["terminal.input"] = [("INVALID_ARGUMENT", False)]
    with at_terminal() as desk:

        def person() -> None:
            typed(fake, desk, b"a line that is too long")
            wait_until(lambda: desk.said, PATIENCE_S, "a notice")
            desk.type(b"short")
            desk.expect(b"short")
            desk.type(DETACH)

        assert relayed(plane, terminal, desk, person).way is Way.DETACHED
    assert "terminal.input refused" in "".join(desk.said)


def test_a_person_who_comes_back_after_a_stop_types_raw_again(plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    with at_terminal() as desk:
        before = termios.tcgetattr(desk.ours)

        def raw() -> bool:
            return not termios.tcgetattr(desk.ours)[3] & termios.ICANON

        def person() -> None:
            wait_until(raw, PATIENCE_S, "raw mode")
            termios.tcsetattr(desk.ours, termios.TCSANOW, before)  # as a shell does meanwhile
            os.kill(os.getpid(), signal.SIGCONT)
            wait_until(raw, PATIENCE_S, "raw mode again")
            desk.type(DETACH)

        assert relayed(plane, terminal, desk, person).way is Way.DETACHED
        assert termios.tcgetattr(desk.ours) == before
