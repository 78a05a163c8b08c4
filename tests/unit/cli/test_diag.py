"""`lane diag` on made-up figures: what is shown, and that nothing of it acts on the terminal."""

import pytest

from lanekeeper.cli.diag import amount, parts
from lanekeeper.wire.messages.diagnostics import (
    Diagnostics,
    Fault,
    Finding,
    LaneFigures,
    ProcessLoad,
    SlowConsumer,
)

EVIL = "\x1b]0;evil\x07\u202e"


def diagnostics() -> Diagnostics:
    finding = Finding(
        metric="lanekeeper_echo_seconds",
        unit="seconds",
        count=3,
        min=0.001,
        p50=0.02,
        p95=0.2,
        p99=0.2,
        max=0.2,
        latest=0.001,
        judged="p95",
        warn=0.06,
        fail=0.15,
        status="fail",
        criteria=["NFR-001"],
        advice=f"Do this{EVIL}.",
    )
    return Diagnostics(
        status="fail",
        since="2026-01-01T00:00:00Z",
        window_seconds=600.0,
        metrics={"echo_latency": finding},
        slow=[
            SlowConsumer(
                lane_id="lane_a",
                terminal_id="term_a",
                consumer_id=f"viewer{EVIL}",
                policy="block",
                lag_bytes=2048,
                throttled=True,
            )
        ],
        faults=[Fault(ts="2026-01-01T00:00:00Z", role="broker", reason=f"died{EVIL}")],
        processes=[ProcessLoad(role="worker", count=2, resident_bytes=1 << 30, cpu_seconds=1.5)],
        lanes=[LaneFigures(lane_id="lane_a", pid=7, cpu=0.5)],
        lanes_total=1,
    )


def test_every_part_has_its_lines_and_nothing_acts_on_the_terminal() -> None:
    text = "\n".join(parts(diagnostics(), color=False))
    for piece in (
        "plane: fail, 1 lane; figures of the last 10 min",
        "p95 60.0ms / 150.0ms",
        "fail echo_latency: Do this",
        "viewer",
        "2.0K",
        "1.0G",
        "50.0%",
    ):
        assert piece in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_what_there_is_nothing_of_is_left_out() -> None:
    found = Diagnostics(status="unknown", since="", window_seconds=600.0, metrics={})
    assert len(list(parts(found, color=False))) == 2


def test_a_status_has_its_colour_beside_its_word() -> None:
    assert "\x1b[31mfail\x1b[0m" in next(parts(diagnostics(), color=True))


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (None, "seconds", "-"),
        (0.0, "seconds", "0"),
        (0.0000042, "seconds", "4us"),
        (0.0123, "seconds", "12.3ms"),
        (2.5, "seconds", "2.5s"),
        (512, "bytes", "512B"),
        (2048, "bytes", "2.0K"),
        (20 << 20, "bytes", "20M"),
        (5 << 40, "bytes", "5.0T"),
        (0.123, "ratio", "12.3%"),
        (64, "chunks", "64"),
        (1.5, "", "1.5"),
    ],
)
def test_amounts(value: float | None, unit: str, shown: str) -> None:
    assert amount(value, unit) == shown
