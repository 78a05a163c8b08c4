"""What the collector shows of a real plane is what has really happened in it."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.cluster import Plane
from kit.keeper_client import KeeperClient
from kit.pages import Pages
from kit.registered import registered
from kit.viewers import stays
from kit.waiting import wait_until
from kit.wire_client import WireClient
from lanekeeper.client import Data, OutputStream, Terminal
from lanekeeper.client import Plane as Connected
from lanekeeper.wire.sample import SAMPLE_SECONDS
from lanekeeper.workers.consumers import GRACE

CAT = ("sh", "-c", "stty raw -echo; echo ready; exec cat")
KEPT = 64 * 1024
PRINTED = 1024 * 1024
IDLE_S = 30.0
PATIENCE = 30.0
SAMPLES = "lanekeeper_samples_total{role='%s'}"
Figures = dict[str, float]


@pytest.fixture
def plane(shared_plane: Plane) -> Plane:
    return shared_plane


@pytest.fixture
def client(plane: Plane) -> Iterator[Connected]:
    with plane.connect() as client:
        yield client


def now(plane: Plane, meanwhile: Callable[[], None] = lambda: None) -> Figures:
    """Return what a fresh collector shows: whoever measures pushes everything within a second.

    One that was quick enough to push before this looked does so again after its pause.
    """
    before = Pages(plane.dir).figures()
    with KeeperClient(plane.dir / "keeper.sock", PATIENCE) as keeper:
        keeper.restart("collector")
    pages = Pages(plane.dir)
    first = pages.figures()
    workers = sum(one["role"] == "worker" and "lane" in one for one in plane.processes())
    latest = time.monotonic() + SAMPLE_SECONDS

    def heard() -> bool:
        meanwhile()
        seen = pages.figures()
        told = {role: grown(first, seen, SAMPLES % role) for role in ("broker", "worker")}
        return told["broker"] >= 1 and told["worker"] >= workers

    wait_until(lambda: heard() or time.monotonic() >= latest, PATIENCE, "a sample of everybody")
    after = pages.figures()
    assert not {name for name, value in before.items() if counts(name) and of(after, name) < value}
    return after


def of(figures: Figures, name: str) -> float:
    return figures.get(name.replace("'", '"'), 0.0)


def counts(name: str) -> bool:
    """Whether a series is one that never falls: of processes that tell, not of the collector."""
    base = name.partition("{")[0]
    ours = "samples" not in base and "cpu" not in base and "loop_lag" not in base
    return ours and base.endswith(("_total", "_count", "_bucket", "_sum"))


def grown(before: Figures, after: Figures, name: str) -> float:
    return of(after, name) - of(before, name)


def cat(client: Connected, lane: str) -> Terminal:
    terminal = client.lane(lane).spawn(CAT)
    assert terminal.wait_for(PATIENCE, match="ready", offset=0).reason == "match"
    return terminal


def echoed(terminal: Terminal, stream: OutputStream, keys: bytes) -> None:
    """Type something, and read until it has come back."""
    terminal.send(keys)
    came = b""
    while not came.endswith(keys):
        item = next(stream)
        came += item.data if isinstance(item, Data) else b""


def test_what_is_typed_and_what_comes_back(plane: Plane, client: Connected) -> None:
    terminal = cat(client, "typed")
    stream = terminal.output(terminal.refresh().head, policy="block")
    # Nothing is published for a subscription that is still on its way.
    echoed(terminal, stream, b"join")
    before = now(plane)
    for keys in (b"one", b"three", b"seven"):
        echoed(terminal, stream, keys)
    stream.close()
    after = now(plane)
    assert grown(before, after, "lanekeeper_input_bytes_total") == 13
    assert grown(before, after, "lanekeeper_output_logged_bytes_total") == 13
    assert grown(before, after, "lanekeeper_output_bytes_total") == 13
    assert grown(before, after, "lanekeeper_echo_seconds_count") == 3
    assert 0 < grown(before, after, "lanekeeper_echo_seconds_sum") < 3
    method = "{method='terminal.input',role='worker',status='ok'}"
    assert grown(before, after, f"lanekeeper_command_seconds_count{method}") == 3


def test_a_gap_is_as_long_as_its_reader_was_told(plane: Plane, client: Connected) -> None:
    printing = ("sh", "-c", f"head -c {PRINTED} /dev/zero | tr '\\0' x")
    terminal = client.lane("gap").spawn(printing, capacity=KEPT)
    assert terminal.wait(PATIENCE).code == 0
    before = now(plane)
    told = terminal.read(0, 1000)
    assert told.gap is not None
    assert (told.gap.start, told.gap.end) == (0, told.tail)
    assert told.tail > 0
    whole = terminal.read(told.tail, 1000)
    assert whole.gap is None
    after = now(plane)
    assert grown(before, after, "lanekeeper_output_gaps_total") == 1
    assert grown(before, after, "lanekeeper_output_gap_bytes_total") == told.tail
    assert grown(before, after, "lanekeeper_output_repaired_bytes_total") == 2000
    info = terminal.refresh()
    assert of(after, "lanekeeper_log_bytes") == info.head - info.tail


def test_how_programs_end(plane: Plane, client: Connected) -> None:
    lane = client.lane("ends")
    before = now(plane)
    for command in ("exit 0", "exit 0", "exit 7", "kill -9 $$"):
        lane.spawn(("sh", "-c", command)).wait(PATIENCE)
    after = now(plane)
    ended = {
        status: grown(before, after, f"lanekeeper_programs_ended_total{{status={status!r}}}")
        for status in ("ok", "error", "signal", "unknown")
    }
    assert ended == {"ok": 2, "error": 1, "signal": 1, "unknown": 0}
    assert of(after, "lanekeeper_terminals{state='stopped'}") >= 4


def gated(client: Connected, tmp_path: Path) -> tuple[Terminal, Path]:
    """Return a program that prints much as soon as there is a file, and that file."""
    flood, gate = tmp_path / "flood", tmp_path / "gate"
    flood.write_bytes(b"x" * PRINTED)
    waiting = f"until [ -e {gate} ]; do sleep 0.05; done; exec cat {flood}"
    return client.lane("held").spawn(("sh", "-c", f"stty raw; {waiting}"), capacity=KEPT), gate


def test_a_consumer_that_holds_a_program_back(
    plane: Plane, client: Connected, tmp_path: Path
) -> None:
    terminal, gate = gated(client, tmp_path)
    info = terminal.refresh()
    with WireClient(plane.dir) as wire:
        one = registered(wire, info)
        one.attach(info.session_id, info.workspace_id)
        one.consume("forever")

        def stay() -> None:
            one.acknowledge(0)

        def throttled() -> bool:
            stay()
            return terminal.refresh().state == "throttled"

        before = now(plane, stay)
        gate.touch()
        wait_until(throttled, PATIENCE, "a program that is held back")
        first = now(plane, stay)
        second = now(plane, stay)
        head = terminal.refresh().head
        one.release()
        assert terminal.wait(PATIENCE).code == 0
    after = now(plane)
    assert head >= KEPT // 2
    assert of(second, "lanekeeper_output_backlog_bytes") == head
    held = [
        grown(before, later, "lanekeeper_throttled_seconds_total")
        for later in (before, first, second, after)
    ]
    assert held[0] < held[1] < held[2] <= held[3]
    assert grown(before, after, "lanekeeper_throttles_total") == 1
    assert grown(before, after, "lanekeeper_demotions_total") == 0
    assert grown(before, after, "lanekeeper_output_logged_bytes_total") == PRINTED
    assert of(after, "lanekeeper_output_backlog_bytes") == 0


def test_a_consumer_that_used_up_its_grace(plane: Plane, client: Connected, tmp_path: Path) -> None:
    terminal, gate = gated(client, tmp_path)
    info = terminal.refresh()
    with WireClient(plane.dir) as wire:
        one = registered(wire, info)
        one.attach(info.session_id, info.workspace_id)
        one.consume("block")
        before = now(plane, lambda: one.acknowledge(0))
        gate.touch()
        assert terminal.wait(PATIENCE).code == 0
        assert one.demoted()
        after = now(plane)
    assert grown(before, after, "lanekeeper_demotions_total") == 1
    assert grown(before, after, "lanekeeper_throttles_total") == 1
    held = grown(before, after, "lanekeeper_throttled_seconds_total")
    assert GRACE <= held < PATIENCE


def test_a_worker_that_dies_is_one_restart_one_recovery_and_nothing_twice(
    plane: Plane, client: Connected
) -> None:
    terminal = cat(client, "crash")
    stream = terminal.output(0, policy="block")
    echoed(terminal, stream, b"before")
    before = now(plane)
    plane.kill("worker", lane=client.lane("crash").id)
    echoed(terminal, stream, b"after")
    stream.close()
    after = now(plane)
    restarts = "lanekeeper_process_restarts_total{reason='signal',role='worker'}"
    assert grown(before, after, restarts) == 1
    recovery = "lanekeeper_recovery_seconds"
    assert grown(before, after, f"{recovery}_count{{role='worker'}}") == 1
    assert 0 < grown(before, after, f"{recovery}_sum{{role='worker'}}") < PATIENCE
    restored = "{kind='crash',status='ok'}"
    assert grown(before, after, f"lanekeeper_session_restore_seconds_count{restored}") == 1
    assert grown(before, after, "lanekeeper_output_logged_bytes_total") == len(b"after")
    assert grown(before, after, "lanekeeper_input_bytes_total") == len(b"after")
    assert grown(before, after, "lanekeeper_programs_ended_total{status='unknown'}") == 0


def test_lanes_sessions_and_the_vault_follow_what_there_is(plane: Plane, client: Connected) -> None:
    before = now(plane)
    made = "lanekeeper_lane_create_seconds_count{status='ok'}"
    reattached = "lanekeeper_session_restore_seconds_count{kind='reattach',status='ok'}"
    lanes = [client.lane(f"many{number}") for number in range(3)]
    with lanes[0].session("main").attach():
        after = now(plane)
    assert grown(before, after, made) == 3
    assert grown(before, after, reattached) == 1
    assert grown(before, after, "lanekeeper_lanes{state='ready'}") == 3
    assert grown(before, after, "lanekeeper_sessions") == 1
    assert grown(before, after, "lanekeeper_vault_entries") >= 3
    for lane in lanes:
        lane.cleanup()
    later = now(plane)
    assert grown(before, later, "lanekeeper_lanes{state='ready'}") == 0
    assert grown(before, later, "lanekeeper_vault_entries") == 0


def test_a_keeper_and_a_broker_that_die(plane: Plane, client: Connected) -> None:
    lane = client.lane("daemons")
    before = now(plane)
    plane.kill("broker")
    wait_until(lambda: len(plane.pids("broker")) == 1, PATIENCE, "a broker")
    assert lane.refresh().status == "ready"
    middle = now(plane)
    assert grown(before, middle, "lanekeeper_recovery_seconds_count{role='broker'}") == 1
    restarts = "lanekeeper_process_restarts_total{reason='%s',role='%s'}"
    assert grown(before, middle, restarts % ("signal", "broker")) == 1
    assert of(middle, "lanekeeper_degraded{reason='broker'}") == 0
    plane.kill("keeper")
    wait_until((plane.dir / "keeper.sock").exists, PATIENCE, "a keeper")
    assert lane.refresh().status == "ready"
    after = now(plane)
    assert grown(before, after, restarts % ("unknown", "keeper")) == 1
    assert grown(before, after, "lanekeeper_keeper_redeposit_seconds_count") == 1
    assert grown(before, after, restarts % ("signal", "broker")) == 1


@pytest.mark.nightly
def test_an_idle_worker_pushes_nothing_and_sleeps(plane: Plane, client: Connected) -> None:
    cat(client, "idle")
    (pid,) = plane.pids("worker", client.lane("idle").id)
    status = Path(f"/proc/{pid}/status")

    def slept() -> int:
        text = status.read_text("ascii")
        (count,) = re.findall(r"^voluntary_ctxt_switches:\s(\d+)$", text, re.MULTILINE)
        return int(count)

    now(plane)
    pages, most = Pages(plane.dir), IDLE_S / SAMPLE_SECONDS
    pushed, switched = of(pages.figures(), SAMPLES % "worker"), slept()
    # What was done last may still be told, once.
    stays(lambda: of(pages.figures(), SAMPLES % "worker") <= pushed + 1, IDLE_S, "silence")
    assert slept() - switched <= most + 2
