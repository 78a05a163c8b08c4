"""The collector as a process: samples pushed, added up, shown, and kept through its own death."""

import json
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from kit.pages import Pages
from kit.waiting import kill_and_wait, wait_until
from lanekeeper.keeper import identity
from lanekeeper.wire.sample import SAMPLE_VERSION
from process.broker.bus import Bus, Daemon
from process.broker.fakekeeper import FakeKeeper

OUTPUT = "lanekeeper_output_bytes_total"
REFUSED = "lanekeeper_samples_refused_total"


@pytest.fixture
def collector(directory: Path) -> Iterator[Daemon]:
    """A collector without a keeper; it must end well."""
    daemon = Daemon(directory, "collector")
    yield daemon
    if daemon.process.poll() is None:
        assert daemon.stop() == 0


@pytest.fixture
def pages(directory: Path, collector: Daemon) -> Pages:
    """Its pages, with the token."""
    assert collector.process.poll() is None
    return Pages(directory)


@pytest.fixture
def push(directory: Path, collector: Daemon) -> Iterator[zmq.Socket[bytes]]:
    """A socket to push samples on."""
    assert collector.process.poll() is None
    with Bus(directory) as bus:
        yield bus.open(zmq.PUSH, "collector")


def sample(total: float, **more: Any) -> bytes:
    """Return a sample of this very process, which lives."""
    me = identity.current()
    fields = {"v": SAMPLE_VERSION, "role": "worker", "pid": me.pid, "start_time": me.start_time}
    packed: bytes = msgpack.packb({**fields, "values": [[OUTPUT, [], total]], **more})
    return packed


def shows(pages: Pages, name: str, value: float) -> None:
    wait_until(lambda: pages.figures().get(name) == value, 10.0, f"{name} {value}")


def test_it_shows_what_is_pushed_and_counts_what_is_not_understood(
    directory: Path, collector: Daemon, pages: Pages, push: zmq.Socket[bytes]
) -> None:
    assert stat.S_IMODE((directory / "collector.sock").stat().st_mode) == 0o600
    for total in (1.0, 2.0, 5.0):
        push.send(sample(total))
    shows(pages, OUTPUT, 5)
    for wrong in (b"", b"\xc1", sample(9, role="intruder"), sample(9, extra=1), bytes(100_000)):
        push.send(wrong)
    shows(pages, REFUSED, 5)
    assert pages.figures()[OUTPUT] == 5
    assert pages.figures()['lanekeeper_samples_total{role="worker"}'] == 3
    assert collector.stop() == 0
    assert "refused a sample" in (directory / "log" / "collector.log").read_text()
    assert not list(directory.glob("*.sock"))


def test_a_message_that_is_too_large_ends_its_connection_alone(
    pages: Pages, push: zmq.Socket[bytes]
) -> None:
    push.send(bytes(1_000_000))
    shows(pages, REFUSED, 0)
    wait_until(lambda: _pushed(push, pages), 10.0, "samples after that")


def test_however_many_series_come_a_scrape_stays_small(
    pages: Pages, push: zmq.Socket[bytes]
) -> None:
    me = identity.current()
    base = {"v": SAMPLE_VERSION, "role": "worker", "pid": me.pid, "start_time": me.start_time}
    name = "lanekeeper_incidents_total"
    for start in range(0, 5_000, 1_000):
        values = [[name, [f"reason{number}"], 1] for number in range(start, start + 1_000)]
        push.send(msgpack.packb({**base, "values": values}))
    refused = "lanekeeper_series_refused_total"
    wait_until(lambda: pages.figures()[refused] > 3_000, 10.0, "refusals")
    figures = pages.figures()
    # Those of what was not looked at yet have their place, and are not shown.
    assert 1_900 < len(figures) <= figures["lanekeeper_series"] <= 2_000


def _pushed(push: zmq.Socket[bytes], pages: Pages) -> bool:
    push.send(sample(7))
    return pages.figures().get(OUTPUT) == 7


def test_no_counter_falls_when_it_is_killed(
    directory: Path, collector: Daemon, pages: Pages, push: zmq.Socket[bytes]
) -> None:
    push.send(sample(100))
    shows(pages, OUTPUT, 100)
    for refused in (1, 2):
        push.send(b"not a sample")
        shows(pages, REFUSED, refused)
    before = pages.figures()
    kill_and_wait(collector.process.pid)
    collector.process.wait()
    (directory / "collector.sock").unlink()
    again = Daemon(directory, "collector")
    after = Pages(directory)
    try:
        assert (after.url, after.token) == (pages.url, pages.token)
        assert after.figures()[OUTPUT] == 100
        for name in before:
            if name.partition("{")[0].endswith(("_total", "_count", "_sum", "_bucket")):
                assert after.figures()[name] >= before[name], name
        push.send(sample(130))
        shows(after, OUTPUT, 130)
    finally:
        assert again.stop() == 0


def test_totals_that_cannot_be_read_are_begun_anew(directory: Path) -> None:
    (directory / "metrics").mkdir(mode=0o700)
    (directory / "metrics" / "totals").write_bytes(b"nonsense")
    collector = Daemon(directory, "collector")
    try:
        assert Pages(directory).figures()[OUTPUT] == 0.0
        assert "begin anew" in (directory / "log" / "collector.log").read_text()
    finally:
        assert collector.stop() == 0


def test_token_and_place_are_for_the_owner_alone(directory: Path, pages: Pages) -> None:
    found = json.loads((directory / "metrics" / "endpoint.json").read_text())
    assert found["url"] == pages.url
    assert found["token_file"] == str(directory / "metrics" / "token")
    assert len(pages.token) == 64
    for name in ("token", "endpoint.json"):
        assert stat.S_IMODE((directory / "metrics" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((directory / "metrics").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_token_that_others_could_read_is_replaced(directory: Path, mode: int) -> None:
    (directory / "metrics").mkdir(mode=0o700)
    token = directory / "metrics" / "token"
    token.write_text("a" * 64)
    token.chmod(mode)
    collector = Daemon(directory, "collector")
    try:
        assert Pages(directory).token != "a" * 64
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
    finally:
        assert collector.stop() == 0


def test_a_port_that_is_taken_leaves_everything_else_and_is_served_when_it_is_free(
    directory: Path,
) -> None:
    endpoint = directory / "metrics" / "endpoint.json"
    endpoint.parent.mkdir(mode=0o700)
    endpoint.write_text('{"of": "a collector before"}')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon = Daemon(directory, "collector", options=("--metrics-port", str(port)))
        assert not endpoint.exists()
        with Bus(directory) as bus:
            push = bus.open(zmq.PUSH, "collector")
            push.send(sample(5))
            wait_until((directory / "metrics" / "totals").exists, 10.0, "the first beat")
            assert not endpoint.exists()
            taken.close()
            pages = Pages(directory)
            assert pages.port == port
            shows(pages, OUTPUT, 5)
    assert daemon.stop() == 0
    log = (directory / "log" / "collector.log").read_text()
    assert log.count(f"cannot serve metrics on port {port}") == 1


def test_it_says_hello_and_beats_and_asks_who_there_is(directory: Path) -> None:
    with FakeKeeper(directory) as keeper:
        collector = Daemon(directory, "collector")
        keeper.accept()
        assert keeper.hear("hello")["role"] == "collector"
        keeper.hear("ready")
        keeper.say(op="welcome", plane="plane_x", keeper_pid=1)
        assert keeper.hear("status")["id"] == "processes"
        me = identity.current()
        said = {"role": "nursery", "pid": me.pid, "start_time": me.start_time}
        wrong = [{"role": "intruder"}, {"role": "worker", "pid": "x"}, {}]
        keeper.say(op="status", id="processes", processes=[said, *wrong], more=False)
        name = 'lanekeeper_processes{role="nursery"}'
        shows(Pages(directory), name, 1)
        keeper.hear("beat")
        keeper.hang_up()
        assert collector.stop(signal.SIGINT) == 0
