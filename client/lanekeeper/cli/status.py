"""`lane status`: what of the plane runs, from whoever still answers."""

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import click

from lanekeeper.cli.errors import CliError
from lanekeeper.cli.fields import moment
from lanekeeper.cli.keeper_link import reach
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.plane import connected
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import count, paint_state, safe, table
from lanekeeper.client import LaneError
from lanekeeper.keeper.identity import plane_processes
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.endpoints import PlaneEndpoints
from lanekeeper.wire.messages.plane import Statistics

EXAMPLES = """lane status
lane status --json | jq '.processes[] | select(.role == "worker")'"""
BROKER_SECONDS: Final = 2.0


@dataclass(slots=True)
class Report:
    """What is known of a plane, and what is missing."""

    plane: str | None = None
    pid: int | None = None
    started: str | None = None
    wanted: bool = False
    processes: list[dict[str, Any]] = field(default_factory=list)
    degraded: list[dict[str, str]] = field(default_factory=list)
    lanes: int | None = None
    log_budget: dict[str, int] | None = None
    epoch: str | None = None
    complete: bool | None = None
    readopted: dict[str, Any] | None = None
    """How the plane came back under a keeper that is not its first."""

    @property
    def state(self) -> str:
        """`running`, or `degraded` when something is missing."""
        return "degraded" if self.degraded else "running"

    def missing(self, role: str, reason: str) -> None:
        """Note what is missing, once a role."""
        if all(entry.get("role") != role for entry in self.degraded):
            self.degraded.append({"role": role, "reason": reason})


@click.command(cls=Verb, epilog=EXAMPLES)
@json_option()
@pass_settings
def status(settings: Settings) -> None:
    """Show the plane's processes and health.

    Works without a broker (the keeper knows) and without a keeper (the processes carry marks).
    Ends with 7 when nothing runs.
    """
    rundir = settings.rundir
    rundir.check()
    report = Report(wanted=rundir.wanted.exists())
    ask_keeper(rundir, report)
    if not report.processes:
        raise CliError("NO_PLANE", f"no plane runs in {rundir.path}", hint="`lane up` starts one")
    ask_broker(settings, report)
    if settings.json:
        settings.emit(as_json(rundir, report))
    else:
        click.echo(as_text(settings, rundir, report))


def ask_keeper(rundir: Rundir, report: Report) -> None:
    """Fill in what the keeper knows, or what the processes show when it does not answer."""
    reason = "no keeper answers: programs run on, but nothing is restarted"
    try:
        link = reach(rundir)
    except CliError as failure:
        link, reason = None, failure.message
    if link is not None:
        with link:
            found = link.status()
        report.plane, report.pid = found.get("plane"), found.get("pid")
        if found.get("started") is not None:  # the keeper counts in seconds
            report.started = moment(datetime.fromtimestamp(float(found["started"]), UTC))
        report.readopted = found.get("readopted")
        report.processes, report.degraded = found["processes"], list(found.get("degraded", []))
        return
    report.processes = [
        {"role": role, "pid": process.pid, "start_time": process.start_time, "state": "unknown"}
        for role, process in plane_processes(rundir)
        if process.pid != os.getpid()
    ]
    report.missing("keeper", reason)


def ask_broker(settings: Settings, report: Report) -> None:
    """Fill in what the broker knows."""
    try:
        with connected(settings, timeout=BROKER_SECONDS) as plane:
            report.lanes = len(plane.lanes())
            values = plane.call("plane.statistics", result=Statistics).values
            report.log_budget = {name: values[f"log_budget.{name}"] for name in ("limit", "used")}
            report.epoch, report.complete = plane.hello.epoch, plane.listing_complete
    except (LaneError, CliError) as error:
        report.missing("broker", error.message)
        return
    if not report.complete:
        report.missing("broker", "lanes are still coming back after a restart")


def as_json(rundir: Rundir, report: Report) -> dict[str, object]:
    """Return the object of `--json`."""
    endpoints = PlaneEndpoints(str(rundir.path))
    return {
        "runtime_dir": str(rundir.path),
        "state": report.state,
        "plane": report.plane,
        "pid": report.pid,
        "started": report.started,
        "wanted": report.wanted,
        "epoch": report.epoch,
        "lanes": report.lanes,
        "complete": report.complete,
        "log_budget": report.log_budget,
        "processes": report.processes,
        "degraded": report.degraded,
        "readopted": report.readopted,
        "metrics": metrics(rundir),
        "endpoints": {
            "commands": endpoints.commands,
            "events": endpoints.events,
            "workers": endpoints.workers,
            "collector": endpoints.collector,
            "keeper": str(rundir.keeper_sock),
        },
    }


def metrics(rundir: Rundir) -> dict[str, object] | None:
    """Return where the metrics are, as the collector has written it down; None without one."""
    try:
        found: dict[str, object] = json.loads(rundir.metrics_endpoint.read_bytes())
    except (OSError, ValueError):
        return None
    return {name: found.get(name) for name in ("url", "health_url", "port", "token_file")}


def as_text(settings: Settings, rundir: Rundir, report: Report) -> str:
    """Return the lines for people."""
    color = settings.colored()
    lanes = "?" if report.lanes is None else str(report.lanes)
    state = paint_state(report.state, color=color)
    lines = [f"plane {report.plane or '?'} in {rundir.path}: {state}, lanes: {lanes}"]
    lines += [
        f"  {entry.get('role')}: {safe(str(entry.get('reason')))}" for entry in report.degraded
    ]
    if report.readopted is not None:
        lines.append(came_back(report.readopted))
    if report.log_budget is not None:
        budget = {name: mebibytes(count) for name, count in report.log_budget.items()}
        lines.append(f"logs: {budget['used']} of {budget['limit']} spoken for")
    where = metrics(rundir)
    if where is not None:
        url, token = (safe(str(where[name])) for name in ("url", "token_file"))
        lines.append(f"metrics: {url}, token in {token}")
    rows = [
        (
            str(process.get("role", "?")),
            str(process.get("pid", "?")),
            str(process.get("state", "?")),
            str(process.get("restarts", 0)),
            str(process.get("lane") or ""),
        )
        for process in report.processes
    ]
    lines.append(table(("ROLE", "PID", "STATE", "RESTARTS", "LANE"), rows, color=color, state=2))
    return "\n".join(lines)


def came_back(readopted: dict[str, Any]) -> str:
    """Return how a plane came back under a new keeper, for people."""
    processes, seconds = int(readopted["processes"]), readopted["seconds"]
    if seconds is None:
        return f"this keeper took over: {count(processes, 'process')} had to come back"
    took = f"{float(seconds) * 1000:.0f} ms"
    return f"this keeper took over: {count(processes, 'process')} came back within {took}"


def mebibytes(count: int) -> str:
    """Return a number of bytes in MiB."""
    return f"{count / (1 << 20):.0f} MiB"
