"""A real Prometheus scrapes a real plane: every panel has data, every alert can be evaluated.

The plane has been through what its metrics are about, so that a panel without data is a query that
is wrong or a figure that nobody measures.
"""

import json
import math
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from kit.waiting import wait_until
from system.monitoring import provoking
from system.monitoring.conftest import NAME, Watched

pytestmark = [pytest.mark.needs("prometheus"), pytest.mark.timeout(90)]

ROOT = Path(__file__).parents[3]
BOARD = json.loads((ROOT / "deploy/grafana/dashboards/lanekeeper.json").read_bytes())
PANELS = {panel["title"]: panel for panel in BOARD["panels"] if panel["type"] != "row"}
VARIABLES = {"$plane": NAME, "$__rate_interval": "20s"}
PATIENCE = 40.0
"""Seconds a figure may take from a process to Prometheus; on a free machine it needs six."""

PROVOKED = {
    "Alerts",
    "Backlog in bytes",
    "Bytes lost to readers",
    "Commands",
    "Creating a lane",
    "Echo",
    "Keeper's re-deposit (p95)",
    "Lanes created",
    "Lanes given up",
    "Output and input",
    "Programs ended",
    "Programs held back",
    "Recovery (p95)",
    "Restoring a session (p95)",
    "Throttles, demotions, gaps",
}
"""Panels whose every query has shown more than zero."""

FIRING = {
    "LanekeeperConsumersDemoted",
    "LanekeeperCrashLoop",
    "LanekeeperFindingFails",
    "LanekeeperLanesFailed",
    "LanekeeperOutputGaps",
    "LanekeeperProcessReplaced",
    "LanekeeperSamplesRefused",
}


def filled(expr: str) -> str:
    """Return an expression with the dashboard's variables as Grafana would fill them in."""
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return expr


def numbers(watched: Watched, target: dict[str, Any]) -> list[float]:
    """Return what one query shows, as Grafana would ask: a moment, or a time until now."""
    expr = filled(target["expr"])
    if target["instant"]:
        points = [one["value"] for one in watched.prometheus.query(expr)]
    else:
        found = watched.prometheus.between(expr, watched.began, time.time(), 1.0)
        points = [point for one in found for point in one["values"]]
    values = [float(value) for _, value in points]
    return [value for value in values if math.isfinite(value)]


def empty(watched: Watched) -> list[str]:
    """Return the queries that show nothing, or only zero where something was provoked."""
    found = []
    for title, panel in PANELS.items():
        for target in panel["targets"]:
            values = numbers(watched, target)
            if not values or (title in PROVOKED and max(values) <= 0):
                found.append(f"{title}: {target['expr']}")
    return found


def test_every_panel_shows_data(watched: Watched) -> None:
    left: list[str] = []

    def complete() -> bool:
        left[:] = empty(watched)
        if left:
            provoking.more(watched.plane)
        return not left

    try:
        wait_until(complete, PATIENCE, "panels with data")
    except AssertionError:
        pytest.fail("panels without data:\n" + "\n".join(left))


def test_every_rule_is_evaluated_without_an_error(watched: Watched) -> None:
    def settled() -> bool:
        return all(rule["health"] != "unknown" for rule in watched.prometheus.rules())

    wait_until(settled, PATIENCE, "evaluation of all rules")
    sick = [(rule["name"], rule.get("lastError")) for rule in watched.prometheus.rules()]
    assert [one for one in sick if one[1]] == []


def test_the_alerts_fire_that_were_provoked(watched: Watched) -> None:
    def missing() -> set[str]:
        return FIRING - watched.prometheus.firing()

    try:
        wait_until(lambda: not missing(), PATIENCE, "alerts that were provoked")
    except AssertionError:
        pytest.fail(f"do not fire: {sorted(missing())}")


def test_a_scrape_is_clean_and_small(watched: Watched) -> None:
    page = provoking.scrape(watched.plane)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert watched.prometheus.number("max(scrape_samples_scraped)") < 2_000


def test_a_collector_that_hangs_is_told_and_makes_it_good(watched: Watched) -> None:
    def down() -> bool:
        return "LanekeeperDown" in watched.prometheus.firing()

    with provoking.deaf(watched.plane, "collector"):
        wait_until(down, PATIENCE, "alert that the plane is down")
    wait_until(lambda: not down(), PATIENCE, "end of the alert")
