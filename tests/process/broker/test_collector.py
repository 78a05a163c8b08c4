"""The collector as a process: samples pushed, counted, and logged when it ends."""

import signal
import stat
from pathlib import Path

import msgpack
import zmq

from kit.waiting import wait_until
from process.broker.bus import Bus, Daemon
from process.broker.fakekeeper import FakeKeeper


def test_it_counts_what_is_pushed_and_logs_the_totals(directory: Path) -> None:
    collector = Daemon(directory, "collector")
    assert stat.S_IMODE((directory / "collector.sock").stat().st_mode) == 0o600
    log = directory / "log" / "collector.log"
    with Bus(directory) as bus:
        push = bus.open(zmq.PUSH, "collector")
        for spawns in (1, 2, 5):
            sample = {"v": 1, "role": "worker", "incarnation": "w1", "totals": {"spawns": spawns}}
            push.send(msgpack.packb(sample))
        push.send(b"\xc1")
        wait_until(lambda: "refused a sample" in log.read_text(), 10.0, "a line of the log")
    assert collector.stop() == 0
    text = log.read_text()
    assert "samples=3" in text
    assert "refused=1" in text
    assert "'worker.spawns': 5.0" in text
    assert not list(directory.glob("*.sock"))


def test_it_says_hello_and_beats(directory: Path) -> None:
    with FakeKeeper(directory) as keeper:
        collector = Daemon(directory, "collector")
        keeper.accept()
        assert keeper.hear("hello")["role"] == "collector"
        keeper.hear("ready")
        keeper.say(op="welcome", plane="plane_x", keeper_pid=1)
        keeper.hear("beat")
        keeper.hang_up()
        assert collector.stop(signal.SIGINT) == 0
