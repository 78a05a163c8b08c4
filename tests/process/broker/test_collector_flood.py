"""The collector under a flood of samples: its memory stays flat, and it answers meanwhile."""

import os
from pathlib import Path

import msgpack
import pytest
import zmq

from kit.pages import Pages
from kit.waiting import wait_until
from process.broker.bus import Bus, Daemon, private_directory

NIGHT = bool(os.environ.get("LANEKEEPER_NIGHTLY"))
SAMPLES = 1_000_000 if NIGHT else 20_000
STEPS = 6
LIVING = 500
"""Processes that push at the same time; each ends after a while, and another takes its place."""
PER_LIFE = 20
HIGH_WATER = 4_000
TOTAL = 'lanekeeper_samples_total{role="worker"}'
SLACK = (3 if NIGHT else 8) * 1024 * 1024
"""By day the windows of the last minutes are still filling."""


def resident(pid: int) -> int:
    """Return the bytes of memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * 4096


def sample(number: int) -> bytes:
    """Return the sample of that number: of some worker at some time of its life."""
    turn, place = divmod(number, LIVING)
    life, age = divmod(turn, PER_LIFE)
    commands = ["lanekeeper_command_seconds", ["terminal.read", "ok"]]
    spread = [*commands, [age, age, 0, 0, 0, 0, 0, 0], age * 0.002, [0.001, 0.002]]
    fields = {
        "v": 2,
        "role": "worker",
        "pid": 10_000_000 + place,
        "start_time": 10 + life,
        "values": [["lanekeeper_output_bytes_total", [], age], ["lanekeeper_log_bytes", [], 10]],
        "spreads": [spread],
        "lane": {
            "lane_id": f"lane_{place}",
            "terminals": [{"terminal_id": f"term_{place}", "output_bytes": age}],
        },
        "last": age == PER_LIFE - 1,
    }
    packed: bytes = msgpack.packb(fields)
    return packed


@pytest.mark.timeout(900 if NIGHT else 60)
def test_memory_is_flat_over_a_million_samples() -> None:
    """A million at night, fewer by day: through the real socket, of ever new processes."""
    with private_directory() as directory, Bus(directory) as bus:
        collector = Daemon(directory, "collector")
        try:
            pages = Pages(directory)
            push = bus.context.socket(zmq.PUSH)
            push.set(zmq.SNDHWM, HIGH_WATER)
            push.set(zmq.LINGER, 0)
            push.connect(f"ipc://{directory}/collector.sock")
            sizes = [step(push, pages, number, collector.process.pid) for number in range(STEPS)]
            push.close()
        finally:
            assert collector.stop() == 0
    assert max(sizes[2:]) - sizes[2] < SLACK, sizes


def step(push: zmq.Socket[bytes], pages: Pages, number: int, pid: int) -> int:
    """Push the samples of one step, wait until they are taken in, and return the memory used."""
    each = SAMPLES // STEPS
    for one in range(number * each, (number + 1) * each):
        push.send(sample(one))
    wanted = (number + 1) * each
    wait_until(lambda: pages.figures().get(TOTAL) == wanted, 120.0, f"{wanted} samples")
    return resident(pid)
