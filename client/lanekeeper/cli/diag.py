"""`lane diag`: the plane's figures against their thresholds, who is slow, what went wrong."""

import sys
from collections.abc import Iterator, Sequence
from typing import Final

import click

from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.plane import connected
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import age, count, paint_state, safe, table
from lanekeeper.wire.limits import MAX_FIGURES
from lanekeeper.wire.messages.diagnostics import (
    Diagnostics,
    DiagnosticsRequest,
    Fault,
    Finding,
    LaneFigures,
    Order,
    ProcessLoad,
    SlowConsumer,
)

EXAMPLES = """lane diag
lane diag --lanes 10 --order output
lane diag --check > /dev/null || echo "not healthy"
lane diag --json | jq '.metrics.lane_create_latency.p95'"""
ORDERS: Final[tuple[Order, ...]] = ("cpu", "memory", "output", "backlog")
NOTHING: Final = "-"
_TROUBLED: Final = frozenset({"warn", "fail"})
_K: Final = 1024
_SECOND: Final = 1.0
_MILLISECOND: Final = 0.001
_TEN: Final = 10


@click.command(cls=Verb, epilog=EXAMPLES)
@click.option(
    "--lanes",
    type=click.IntRange(0, MAX_FIGURES),
    default=0,
    metavar="N",
    help="Show the N lanes that use most, too.",
)
@click.option("--order", type=click.Choice(ORDERS), default="cpu", help="Of what, for --lanes.")
@click.option("--check", is_flag=True, help="End with 1 when a figure fails.")
@json_option()
@pass_settings
def diag(settings: Settings, lanes: int, order: Order, *, check: bool) -> None:
    """Show the plane's figures, and what to do about those that are not well.

    Figures are of the last ten minutes. Each is held against a threshold: pass, warn or fail, with
    one sentence of advice for what does not pass.
    """
    with connected(settings) as plane:
        request = DiagnosticsRequest(lanes=lanes, order=order)
        found = plane.call("diagnostics.get", request, result=Diagnostics)
    if settings.json:
        settings.emit(fields(found))
    else:
        click.echo("\n\n".join(parts(found, color=settings.colored())))
    sys.exit(1 if check and found.status == "fail" else 0)


def parts(found: Diagnostics, *, color: bool) -> Iterator[str]:
    """Yield the parts of the page for people; without anything to say a part is left out."""
    status = paint_state(found.status, color=color)
    minutes = found.window_seconds / 60
    lanes = count(found.lanes_total, "lane")
    yield f"plane: {status}, {lanes}; figures of the last {minutes:.0f} min"
    yield figures(found.metrics, color=color)
    advice = [
        f"{paint_state(one.status, color=color)} {key}: {safe(one.advice or '')}"
        for key, one in found.metrics.items()
        if one.status in _TROUBLED
    ]
    if advice:
        yield "\n".join(advice)
    if found.slow:
        yield slow(found.slow, color=color)
    if found.faults:
        yield faults(found.faults, color=color)
    if found.processes:
        yield processes(found.processes, color=color)
    if found.lanes:
        yield loads(found.lanes, color=color)


def figures(metrics: dict[str, Finding], *, color: bool) -> str:
    """Return the table of findings."""
    heads = ("FIGURE", "STATUS", "COUNT", "MIN", "P50", "P95", "P99", "MAX", "LATEST")
    rows = [
        (
            safe(key),
            one.status,
            str(one.count),
            *(
                amount(value, one.unit)
                for value in (one.min, one.p50, one.p95, one.p99, one.max, one.latest)
            ),
            threshold(one),
            safe(" ".join(one.criteria)),
        )
        for key, one in metrics.items()
    ]
    return table((*heads, "WARN/FAIL ABOVE", "FOR"), rows, color=color, state=1)


def threshold(one: Finding) -> str:
    """Return which figure is judged, and by what."""
    warn = NOTHING if one.warn is None else amount(one.warn, one.unit)
    fail = NOTHING if one.fail is None else amount(one.fail, one.unit)
    return f"{one.judged} {warn} / {fail}"


def slow(found: Sequence[SlowConsumer], *, color: bool) -> str:
    """Return the table of consumers that are behind."""
    heads = ("SLOW CONSUMER", "LANE", "TERMINAL", "POLICY", "BEHIND", "HOLDS BACK")
    rows = [
        (
            safe(one.consumer_id),
            safe(one.lane_id),
            safe(one.terminal_id),
            safe(one.policy),
            amount(one.lag_bytes, "bytes"),
            "yes" if one.throttled else "no",
        )
        for one in found
    ]
    return table(heads, rows, color=color)


def faults(found: Sequence[Fault], *, color: bool) -> str:
    """Return the table of recent faults."""
    rows = [
        (
            f"{age(one.ts)} ago",
            safe(one.role),
            "ok" if one.recovered else "open",
            NOTHING if one.seconds is None else amount(one.seconds, "seconds"),
            safe(one.lane_id or ""),
            safe(one.reason, 80),
        )
        for one in found
    ]
    heads = ("FAULT", "OF", "STATE", "FOR", "LANE", "REASON")
    return table(heads, rows, color=color, state=2)


def processes(found: Sequence[ProcessLoad], *, color: bool) -> str:
    """Return the table of processes by role."""
    heads = ("ROLE", "COUNT", "MEMORY", "OWN SHARE", "CPU", "FDS")
    rows = [
        (
            safe(one.role),
            str(one.count),
            amount(one.resident_bytes, "bytes"),
            amount(one.proportional_bytes, "bytes"),
            f"{one.cpu_seconds:.1f}s",
            NOTHING if one.open_fds is None else str(one.open_fds),
        )
        for one in found
    ]
    return table(heads, rows, color=color)


def loads(found: Sequence[LaneFigures], *, color: bool) -> str:
    """Return the table of lanes."""
    heads = ("LANE", "PID", "CPU", "MEMORY", "OUTPUT/S", "BACKLOG", "LOGS", "TERMINALS")
    rows = [
        (
            safe(one.lane_id),
            str(one.pid),
            amount(one.cpu, "ratio"),
            amount(one.resident_bytes, "bytes"),
            amount(one.output_rate, "bytes"),
            amount(one.backlog_bytes, "bytes"),
            amount(one.log_bytes, "bytes"),
            str(one.terminals),
        )
        for one in found
    ]
    return table(heads, rows, color=color)


def amount(value: float | None, unit: str) -> str:
    """Return a figure in three or four characters and its unit; `-` for none."""
    if value is None:
        return NOTHING
    if unit == "seconds":
        return _seconds(value)
    if unit == "bytes":
        return _bytes(value)
    if unit == "ratio":
        return f"{value:.1%}"
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}"


def _seconds(value: float) -> str:
    if value >= _SECOND:
        return f"{value:.1f}s"
    if value == 0:
        return "0"
    return f"{value * 1e3:.1f}ms" if value >= _MILLISECOND else f"{value * 1e6:.0f}us"


def _bytes(value: float) -> str:
    for unit in ("B", "K", "M", "G"):
        if value < _K:
            whole = unit == "B" or value >= _TEN
            return f"{value:.0f}{unit}" if whole else f"{value:.1f}{unit}"
        value /= _K
    return f"{value:.1f}T"
