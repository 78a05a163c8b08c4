"""Registered consumers against real processes: who may hold a program back, and for how long."""

import os
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from kit import checked
from kit.checked import Checker
from kit.cluster import Plane
from kit.registered import registered
from kit.viewers import MIB, Flood, Viewer, flood, stays, wait_state
from kit.waiting import wait_until
from kit.wire_client import RefusedError, WireClient
from lanekeeper.client import Plane as Connected
from lanekeeper.wire.limits import LEASE_SECONDS
from lanekeeper.workers.consumers import GRACE, PENALTY, TOGETHER, WINDOW

SEED = 5
SIZE = 24 * MIB
BEFORE = 4096
CAPACITY = MIB
PATIENCE = 30.0
ENDLESS = 1 << 40


def source(plane: Connected, tmp_path: Path, size: int = SIZE) -> Flood:
    """Return a program that writes a screenful and waits at its gate."""
    return flood(tmp_path, plane.lane("held"), SEED, size, before=BEFORE, capacity=CAPACITY)


def test_a_stopped_viewer_holds_for_its_grace_and_is_demoted_once(
    shared_plane: Plane, tmp_path: Path
) -> None:
    with shared_plane.connect() as plane:
        program = source(plane, tmp_path)
        with Viewer(shared_plane, program.terminal, SEED, "--policy", "block") as viewer:
            viewer.stop()
            began = time.monotonic()
            program.open()
            wait_state(program.terminal, "throttled")
            (held,) = program.terminal.consumers()
            assert held.policy == "block"
            assert held.lag >= CAPACITY // 2
            assert program.terminal.wait(PATIENCE).code == 0
            assert time.monotonic() - began >= GRACE
            (demoted,) = program.terminal.consumers()
            assert (demoted.id, demoted.policy) == (held.id, "drop")
            viewer.go_on()
            report = viewer.done(PATIENCE)
        assert report["delivered"] + report["missed"] == report["end"] == SIZE
        assert report["gaps"]


def test_a_stopped_viewer_takes_nothing_from_one_that_goes_on(
    shared_plane: Plane, tmp_path: Path
) -> None:
    with shared_plane.connect() as plane, ExitStack() as stack:
        program = source(plane, tmp_path)
        stopped, going = (
            stack.enter_context(Viewer(shared_plane, program.terminal, SEED, "--policy", policy))
            for policy in ("block", "forever")
        )
        stopped.stop()
        program.open()
        report = going.done(PATIENCE)
        assert (report["delivered"], report["gaps"], report["code"]) == (SIZE, [], 0)
        stopped.go_on()


def test_a_drip_reader_is_demoted_in_the_midst_of_its_acknowledgements(
    shared_plane: Plane, tmp_path: Path
) -> None:
    with shared_plane.connect() as plane, WireClient(shared_plane.dir) as wire:
        program = source(plane, tmp_path)
        viewer = registered(wire, program.terminal.info)
        offset = viewer.consume()
        program.open()
        wait_state(program.terminal, "throttled")
        drip = 0.9 * GRACE
        due = time.monotonic() + drip

        def dripping() -> bool:
            nonlocal offset, due
            if time.monotonic() >= due:
                offset, due = offset + 1, due + drip
                viewer.acknowledge(offset)
            return viewer.demoted()

        wait_until(dripping, 3 * GRACE, "end of a drip reader's grace")
        with pytest.raises(RefusedError) as refused:
            viewer.consume()
        assert refused.value.code == "BACKPRESSURE"
        assert 0 < refused.value.error["details"]["retry_after_s"] <= PENALTY
        viewer.consume("drop")
        assert program.terminal.wait(PATIENCE).code == 0


def test_registering_again_and_again_wins_no_time(shared_plane: Plane, tmp_path: Path) -> None:
    with shared_plane.connect() as plane, WireClient(shared_plane.dir) as wire:
        program = source(plane, tmp_path, ENDLESS)
        viewer = registered(wire, program.terminal.info)
        program.open()

        def throttled_or_demoted() -> bool:
            return program.terminal.refresh().state == "throttled" or viewer.demoted()

        def register_until_refused() -> tuple[int, str]:
            for registrations in range(100):
                try:
                    viewer.consume()
                except RefusedError as refused:
                    return registrations, refused.code
                wait_until(throttled_or_demoted, 3 * GRACE, "being held back")
                viewer.release()
            return 100, "never refused"

        registrations, code = register_until_refused()
        assert code == "BACKPRESSURE"
        assert 1 < registrations < 10
        program.terminal.close(grace_s=0)


def test_fresh_leases_win_no_more_than_their_share(shared_plane: Plane, tmp_path: Path) -> None:
    with shared_plane.connect() as plane, WireClient(shared_plane.dir) as wire:
        program = source(plane, tmp_path, ENDLESS)
        program.open()
        held: list[float] = []
        began = time.monotonic()
        while not held or held[-1] >= GRACE / 2:
            viewer = registered(wire, program.terminal.info)
            viewer.consume()
            since = time.monotonic()
            wait_until(viewer.demoted, 3 * GRACE, "end of a viewer's grace")
            held.append(time.monotonic() - since)
            assert time.monotonic() < began + WINDOW
        # The next one is demoted as soon as it holds anything back.
        assert len(held) <= 1 + TOGETHER / GRACE
        program.terminal.close(grace_s=0)


def test_a_program_goes_on_when_the_one_it_waits_for_was_killed(
    shared_plane: Plane, tmp_path: Path
) -> None:
    with shared_plane.connect() as plane:
        program = source(plane, tmp_path)
        with Viewer(shared_plane, program.terminal, SEED, "--policy", "forever") as viewer:
            program.open()
            viewer.stop()
            wait_state(program.terminal, "throttled")
            viewer.end()
            killed = time.monotonic()
            assert len(program.terminal.consumers()) == 1
            assert program.terminal.wait(LEASE_SECONDS + PATIENCE).code == 0
        assert time.monotonic() - killed <= LEASE_SECONDS + 3.0
        assert program.terminal.consumers() == []


@pytest.mark.parametrize(
    "seconds", [8.0, pytest.param(30.0, marks=[pytest.mark.nightly, pytest.mark.timeout(120)])]
)
def test_a_pager_that_pauses_a_run_loses_nothing(shared_plane: Plane, seconds: float) -> None:
    command_line = checked.command(SEED, SIZE, "--status", "3")
    path = checked.environment()["PYTHONPATH"]
    run = ["run", "paged", "--stdin", "none", "--env", f"PYTHONPATH={path}", "--"]
    with shared_plane.start_lane(*run, *command_line) as process, shared_plane.connect() as plane:
        assert process.stdout is not None
        checker = Checker(SEED)
        checker.feed(os.read(process.stdout.fileno(), BEFORE))
        terminal = plane.terminal("paged")
        wait_state(terminal, "throttled")
        stays(lambda: terminal.refresh().state == "throttled", seconds, "held back")
        while data := os.read(process.stdout.fileno(), 1 << 16):
            checker.feed(data)
        assert process.wait(PATIENCE) == 3
        assert checker.offset == SIZE


def test_what_a_program_wrote_last_is_there_although_it_ended_held_back(
    shared_plane: Plane, tmp_path: Path
) -> None:
    # It ends while the reading is stopped: its last bytes are in the kernel's buffer alone.
    early = CAPACITY // 2 + 4096
    with shared_plane.connect() as plane, WireClient(shared_plane.dir) as wire:
        lane = plane.lane("held")
        program = flood(tmp_path, lane, SEED, early + 2000, before=early, capacity=CAPACITY)
        terminal = program.terminal
        wait_until(lambda: terminal.refresh().head == early, PATIENCE, "the first part")
        viewer = registered(wire, program.terminal.info)
        viewer.consume("forever", 0)
        wait_state(terminal, "throttled")
        program.open()
        wait_until(lambda: terminal.refresh().exit is not None, PATIENCE, "its exit")
        stays(lambda: terminal.refresh().state == "throttled", 1.0, "held back")
        assert terminal.info.head == early
        viewer.acknowledge(early)
        terminal.wait(PATIENCE)
        assert terminal.refresh().head == program.size
        with Viewer(shared_plane, terminal, SEED) as late:
            assert late.done(PATIENCE)["delivered"] == program.size
