"""A benchmark report: the figures, the machine they were measured on, and a table for people."""

import os
import platform
from pathlib import Path
from typing import Any

from lanekeeper.wire.version import PRODUCT


def machine() -> dict[str, Any]:
    """Return what a reader needs to know of this machine."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "lanekeeper": PRODUCT,
    }


def text(report: dict[str, Any]) -> str:
    """Return the report as lines of text, one figure a line, ratios last."""
    about = report["machine"]
    versions = f"Python {about['python']}, lanekeeper {about['lanekeeper']}"
    lines = [
        f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}",
        f"{versions}, {report['tmux'] or 'no tmux'}",
        "",
        f"{'measured':<42}{'p50':>10}{'p95':>10}{'p99':>10}{'min':>10}{'max':>10}",
    ]
    lines += [
        _row(f"lane create, {figures['alive']} alive, {series} (ms)", figures[series])
        for figures in report.get("create", ())
        for series in ("idle", "burst")
    ]
    lines += _echo(report.get("echo"), "")
    lines += _echo(report.get("echo_beside_flood"), " by a flood")
    lines += _throughput(report.get("throughput"))
    lines += _streams(report)
    lines += _footprint(report.get("idle"))
    return "\n".join(lines)


def _echo(echo: dict[str, Any] | None, where: str) -> list[str]:
    if echo is None:
        return []
    lines = [
        _row(f"echo{where}, plain ZeroMQ client (ms)", echo["lanekeeper"]),
        _row(f"echo{where}, Python library (ms)", echo["library"]),
        _row(f"echo{where}, bare ZeroMQ loop (ms)", echo["bare"]),
    ]
    ratios = [_ratio(f"echo{where} p50, plain client / bare", echo["ratio_to_bare_p50"])]
    if "tmux" in echo:
        lines.append(_row(f"echo{where}, tmux -C (ms)", echo["tmux"]))
        ratios += [
            _ratio(f"echo{where} p50, bare / tmux -C", echo["ratio_bare_p50"]),
            _ratio(f"echo{where} p50, plain client / tmux -C", echo["ratio_p50"]),
            _ratio(f"echo{where} p50, library / tmux -C", echo["ratio_library_p50"]),
            _ratio(f"echo{where} p99, plain client / tmux -C", echo["ratio_p99"]),
        ]
    return lines + ratios


def _throughput(flood: dict[str, Any] | None) -> list[str]:
    if flood is None:
        return []
    lines = [
        _row("one terminal, one subscriber (MB/s)", flood["lanekeeper"]),
        _row("a loop that only reads (MB/s)", flood["read_loop"]),
        _ratio("throughput, lanekeeper / read loop", flood["ratio_read_loop"]),
    ]
    if "tmux" in flood:
        lines.append(_row("tmux -C (MB/s)", flood["tmux"]))
        lines.append(_ratio("throughput, lanekeeper / tmux -C", flood["ratio_tmux"]))
    return lines


def _streams(report: dict[str, Any]) -> list[str]:
    lines = [
        _row(f"one terminal, subscribers: {one['subscribers']} (MB/s)", one["rate"])
        for one in report.get("subscribers", ())
    ]
    lanes, memory = report.get("lanes"), report.get("memory")
    if lanes is not None:
        lines.append(_row(f"each of {lanes['lanes']} lanes flooding at once (MB/s)", lanes["rate"]))
        lines.append(_ratio("slowest of these lanes / fastest", lanes["ratio_min_max"]))
    if memory is not None:
        about = f"{memory['bytes'] / 1e9:.2g} GB flood"
        lines.append(_size(f"{about}: worker and log", memory["worker"]))
        lines.append(_size(f"{about}: what that may be", memory["budget"]))
        for name, grown in memory["subscribers"].items():
            lines.append(_size(f"{about}: {name} subscriber", grown))
    return lines


def _footprint(idle: dict[str, Any] | None) -> list[str]:
    if idle is None:
        return []
    return [
        _row(f"memory per lane, {idle['lanes']} idle (MB)", idle["memory"]),
        "CPU of the plane, all idle".ljust(42) + f"{idle['cpu']:>9.2f}%",
    ]


def _row(label: str, figures: dict[str, Any]) -> str:
    cells = "".join(f"{figures[name]:>10.4g}" for name in ("p50", "p95", "p99", "min", "max"))
    return f"{label:<42}{cells}"


def _size(label: str, megabytes: float) -> str:
    return f"{label:<42}{megabytes:>7.4g} MB"


def _ratio(label: str, ratio: float) -> str:
    return f"{label:<42}{ratio:>9.2f}x"
