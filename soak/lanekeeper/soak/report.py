"""The report of a run: figures by victim, moments met, failures with their seed and their story.

Owns the shape of the JSON, of the lines for people and of the Markdown that is committed. Pure but
for naming the machine. Called by `lane soak faults` and by the nightly run.
"""

import os
import platform
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lanekeeper.soak.crew import Run
from lanekeeper.soak.driver import Result
from lanekeeper.soak.ledger import INVARIANTS, Ledger
from lanekeeper.soak.outcome import Outcome

SCHEMA: Final = 1
_LOG_LINES: Final = 40


def summary(command: str, seed: int, run: Run, parts: Mapping[int, str]) -> dict[str, Any]:
    """Return the whole run as plain values; times are seconds, `command` runs it again.

    `parts` says of episodes that failed which part of them does so again.
    """
    results = run.results
    outcomes = [outcome for result in results for outcome in result.outcomes]
    return {
        "schema": SCHEMA,
        "seed": seed,
        "command": command,
        "machine": {
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
        "episodes": len(results),
        "faults": len(outcomes),
        "failed": len(run.failed),
        "bytes": sum(result.bytes for result in results),
        "inputs": sum(result.inputs for result in results),
        "victims": _victims(outcomes),
        "moments": _moments(outcomes),
        "invariants": _invariants(results, run.ledger),
        "echo": run.echo,
        "failures": [_failure(result, command, parts) for result in run.failed],
    }


def text(found: dict[str, Any]) -> str:
    """Return the report as lines for people."""
    lines = [
        (
            f"seed {found['seed']}: {found['faults']} faults in {found['episodes']} episodes, "
            f"{found['bytes'] / 1e6:,.0f} MB and {found['inputs']:,} inputs judged"
        ),
        "",
        (
            f"{'victim':<12}{'faults':>8}{'failed':>8}{'p50 ms':>10}{'p95 ms':>10}{'max ms':>10}"
            f"{'pause ms':>10}"
        ),
    ]
    for name, row in found["victims"].items():
        times = "".join(f"{_ms(row[key]):>10}" for key in ("p50", "p95", "max", "pause"))
        lines.append(f"{name:<12}{row['faults']:>8}{row['failed']:>8}{times}")
    lines += ["", f"{'invariant':<12}{'checks':>12}{'broken':>8}"]
    for name, row in found["invariants"].items():
        lines.append(f"{name:<12}{row['checks']:>12,}{row['broken']:>8}")
    if found["echo"]:
        lines += ["", _echo(found["echo"])]
    for failure in found["failures"]:
        lines += ["", f"FAILED episode {failure['episode']} of seed {found['seed']}"]
        lines += [f"  fault: {one}" for one in failure["faults"]]
        lines += [f"  {one}" for one in failure["findings"]]
        lines.append(f"  again: {failure['again']}")
        lines += [f"  smallest: {failure['smallest']}"] if failure["smallest"] else []
    lines += ["", f"{found['failed']} of {found['episodes']} episodes failed"]
    return "\n".join(lines)


def markdown(found: dict[str, Any], when: str) -> str:
    """Return the report as Markdown; `when` says when and of what."""
    machine = found["machine"]
    lines = [
        "# Faults",
        "",
        (
            f"{when}, seed {found['seed']}: Python {machine['python']}, "
            f"Linux {machine['kernel']}, {machine['cores']} cores."
        ),
        "",
        (
            f"{found['faults']} faults in {found['episodes']} episodes; {found['failed']} episodes "
            f"failed. {found['bytes'] / 1e6:,.0f} MB of output and {found['inputs']:,} inputs were "
            "judged byte by byte."
        ),
        "",
        "Recovery is the time in ms from the signal until what the victim does was done again.",
        "Pause is the longest time in which no output came meanwhile.",
        "",
        "| victim | faults | failed | p50 | p95 | max | longest pause |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*lines, *_tables(found), *_stories(found)]) + "\n"


def _tables(found: dict[str, Any]) -> list[str]:
    lines = []
    for name, row in found["victims"].items():
        times = " | ".join(_ms(row[key]) for key in ("p50", "p95", "max", "pause"))
        lines.append(f"| {name} | {row['faults']} | {row['failed']} | {times} |")
    if found["moments"]:
        lines += ["", "| moment | met | failed |", "| --- | --- | --- |"]
        lines += [
            f"| `{name}` | {row['met']} | {row['failed']} |"
            for name, row in found["moments"].items()
        ]
    lines += ["", "| invariant | checks | broken |", "| --- | --- | --- |"]
    lines += [
        f"| {name}: {row['what']} | {row['checks']:,} | {row['broken']} |"
        for name, row in found["invariants"].items()
    ]
    if found["echo"]:
        lines += ["", _echo(found["echo"])]
    return lines


def _stories(found: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for failure in found["failures"]:
        lines += ["", f"## Episode {failure['episode']}", ""]
        lines += [f"* {one}" for one in (*failure["faults"], *failure["findings"])]
        lines += [f"* again: `{failure['again']}`; smallest: {failure['smallest'] or '-'}"]
        lines += ["", "```text", failure["logs"], "```"]
    return lines


def _victims(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for name in dict.fromkeys(out.fault.victim.value for out in outcomes):
        mine = [out for out in outcomes if out.fault.victim.value == name]
        times = sorted(out.seconds for out in mine if out.seconds is not None)
        rows[name] = {
            "faults": len(mine),
            "failed": sum(1 for out in mine if out.findings),
            "p50": statistics.median(times) if times else None,
            "p95": times[min(len(times) - 1, int(len(times) * 0.95))] if times else None,
            "max": times[-1] if times else None,
            "pause": max((out.pause for out in mine), default=None),
        }
    return rows


def _moments(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for out in outcomes:
        if out.fault.moment is not None:
            row = rows.setdefault(out.fault.moment, {"met": 0, "failed": 0})
            row["met"] += 1
            row["failed"] += bool(out.findings)
    return rows


def _invariants(results: Sequence[Result], ledger: Ledger) -> dict[str, Any]:
    broken = Counter(one.invariant for result in results for one in result.all_findings)
    return {
        name: {"what": what, "checks": ledger.counts[name], "broken": broken[name]}
        for name, what in INVARIANTS.items()
    }


def _failure(result: Result, command: str, parts: Mapping[int, str]) -> dict[str, Any]:
    return {
        "episode": result.episode.index,
        "smallest": parts.get(result.episode.index, ""),
        "again": f"{command} --episode {result.episode.index}",
        "faults": [str(fault) for fault in result.episode.faults],
        "findings": [str(finding) for finding in result.all_findings],
        "logs": "\n".join(result.logs.splitlines()[-_LOG_LINES:]),
    }


def _echo(echo: dict[str, Any]) -> str:
    return (
        f"Echo of another lane, p99: {_ms(echo['p99'])} ms undisturbed "
        f"({echo['count']} keys), {_ms(echo['fault_p99'])} ms during faults "
        f"({echo['fault_count']} keys)."
    )


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f}"
