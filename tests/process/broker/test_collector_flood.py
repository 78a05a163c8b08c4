"""The collector under a flood of samples: its memory stays flat, and it answers meanwhile."""

from pathlib import Path

import msgpack
import pytest
import zmq

from kit.pages import Pages
from kit.waiting import wait_until
from lanekeeper.wire.sample import SAMPLE_VERSION
from process.broker.bus import Bus, Daemon, private_directory

STEPS = 6
LIVING = 500
"""Processes that push at the same time; each ends after a while, and another takes its place."""
PER_LIFE = 20
HIGH_WATER = 4_000
TOTAL = 'lanekeeper_samples_total{role="worker"}'
MEGA = 1024 * 1024
DAY = (20_000, 8 * MEGA)
"""Samples, and by how much memory may grow: the windows of the last minutes are still filling."""
NIGHT = (1_000_000, 3 * MEGA)


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
        "v": SAMPLE_VERSION,
        "role": "worker",
        "pid": 10_000_000 + place,
        "start_time": 10 + life,
        "values": [["lanekeeper_output_bytes_total", [], age], ["lanekeeper_log_bytes", [], 10]],
        "spreads": [spread],
        "lane": {
            "lane_id": f"lane_{place}",
            "generation": 1 + life,
            "terminals": [{"terminal_id": f"term_{place}", "output_bytes": age}],
        },
        "last": age == PER_LIFE - 1,
    }
    packed: bytes = msgpack.packb(fields)
    return packed


@pytest.mark.parametrize(
    ("samples", "slack"),
    [DAY, pytest.param(*NIGHT, marks=[pytest.mark.nightly, pytest.mark.timeout(900)])],
)
def test_memory_is_flat_over_a_million_samples(samples: int, slack: int) -> None:
    """A million at night, fewer by day: through the real socket, of ever new processes."""
    each = samples // STEPS
    with private_directory() as directory, Bus(directory) as bus:
        collector = Daemon(directory, "collector")
        try:
            pages = Pages(directory)
            push = bus.context.socket(zmq.PUSH)
            push.set(zmq.SNDHWM, HIGH_WATER)
            push.set(zmq.LINGER, 0)
            push.connect(f"ipc://{directory}/collector.sock")
            sizes = []
            for number in range(STEPS):
                fill(push, pages, range(number * each, (number + 1) * each))
                sizes.append(resident(collector.process.pid))
            push.close()
        finally:
            assert collector.stop() == 0
    # Pages and dumps come and go between two looks: the peaks are what must not grow.
    assert max(sizes[STEPS // 2 :]) - max(sizes[: STEPS // 2]) < slack, sizes


def fill(push: zmq.Socket[bytes], pages: Pages, numbers: range) -> None:
    """Push the samples of these numbers and wait until they are taken in."""
    for one in numbers:
        push.send(sample(one))
    wait_until(lambda: pages.figures().get(TOTAL) == numbers.stop, 120.0, f"{numbers.stop} samples")
