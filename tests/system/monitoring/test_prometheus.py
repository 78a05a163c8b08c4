"""A real Prometheus scrapes a real plane: every panel has data, every alert can be evaluated.

The plane has been through what its metrics are about, so that a panel without data is a query that
is wrong or a figure that nobody measures.
"""

import json
import math
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
PATIENCE = 4.0

FIRING = {
    "LanekeeperConsumersDemoted",
    "LanekeeperCrashLoop",
    "LanekeeperLaneCreateErrors",
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
    """Return the values of one query that are numbers."""
    found = watched.prometheus.query(filled(target["expr"]))
    values = [float(one["value"][1]) for one in found]
    return [value for value in values if math.isfinite(value)]


@pytest.mark.parametrize("title", list(PANELS))
def test_a_panel_shows_data(watched: Watched, title: str) -> None:
    for target in PANELS[title]["targets"]:
        wait_until(lambda target=target: numbers(watched, target), PATIENCE, target["expr"])


def test_every_rule_is_evaluated_without_an_error(watched: Watched) -> None:
    def settled() -> bool:
        return all(rule["health"] != "unknown" for rule in watched.prometheus.rules())

    wait_until(settled, PATIENCE, "evaluation of all rules")
    sick = [(rule["name"], rule.get("lastError")) for rule in watched.prometheus.rules()]
    assert [one for one in sick if one[1]] == []


def test_the_alerts_fire_that_were_provoked(watched: Watched) -> None:
    wait_until(lambda: watched.prometheus.firing() >= FIRING, PATIENCE, f"alerts {sorted(FIRING)}")


def test_a_collector_that_hangs_is_told_and_makes_it_good(watched: Watched) -> None:
    def down() -> bool:
        return "LanekeeperDown" in watched.prometheus.firing()

    with provoking.deaf(watched.plane, "collector"):
        wait_until(down, PATIENCE, "alert that the plane is down")
    wait_until(lambda: not down(), PATIENCE, "end of the alert")
