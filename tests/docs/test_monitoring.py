"""The monitoring page, the alerts, the dashboard and the code speak of the same things.

Reads all of them as text or JSON, independently of what makes them.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kit.document_shell import Shell, console_commands, matches
from lanekeeper.collector.judging import RULES
from lanekeeper.wire.metrics import METRICS, Kind

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs/monitoring.md").read_text("utf-8")
ALERTS = (DEPLOY / "prometheus/rules/alerts.yml").read_text("utf-8")
RECORDED = (DEPLOY / "prometheus/rules/recording.yml").read_text("utf-8")
BOARD = json.loads((DEPLOY / "grafana/dashboards/lanekeeper.json").read_bytes())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
SHOWN = "\n".join(target["expr"] for panel in PANELS for target in panel["targets"])

UNLIMITED = {"degraded", "restarts", "demotions", "output_gaps", "samples_dropped", "crash_loops"}
"""Figures without a limit that a part of could be used, or with none at all."""


def exported(text: str) -> set[str]:
    """Return the metrics of the table that an expression reads, without a histogram's endings."""
    names = set(re.findall(r"(?<![\w:])lanekeeper_\w+(?![\w:])", text))
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}


def test_making_the_dashboard_again_changes_nothing() -> None:
    done = subprocess.run(
        [sys.executable, DEPLOY / "dashboard.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_rules_and_panels_read_only_what_there_is() -> None:
    assert exported(SHOWN + ALERTS + RECORDED) <= set(METRICS)
    recorded = set(re.findall(r"record: (\S+)", RECORDED))
    used = set(re.findall(r"instance\w*:lanekeeper_\w+:\w+", SHOWN + ALERTS + RECORDED))
    assert used == recorded


def test_every_metric_is_on_the_dashboard() -> None:
    assert exported(SHOWN + RECORDED) == set(METRICS)


def test_counters_are_never_shown_as_they_are_but_for_those_that_hardly_move() -> None:
    counters = {name for name, metric in METRICS.items() if metric.kind is Kind.COUNTER}
    bare = set(re.findall(r"sum (?:by \([\w, ]+\) )?\((lanekeeper_\w+)\{", SHOWN)) & counters
    assert bare == {"lanekeeper_crash_loops_total", "lanekeeper_series_refused_total"}


def test_every_panel_explains_itself_and_has_a_place_of_its_own() -> None:
    assert all(panel["description"] and panel["targets"] for panel in PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        x, y, w, h = (panel["gridPos"][name] for name in "xywh")
        cells = {(column, line) for column in range(x, x + w) for line in range(y, y + h)}
        assert x + w <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    titles = [panel["title"] for panel in PANELS]
    assert len(titles) == len(set(titles))


def test_every_alert_has_its_section_and_its_words() -> None:
    alerts = re.findall(r"- alert: (\w+)", ALERTS)
    assert re.findall(r"^### (\w+)$", PAGE, re.MULTILINE) == alerts
    for block in ALERTS.split("- alert: ")[1:]:
        name = block.split("\n", 1)[0]
        assert re.search(r"labels: \{severity: (critical|warning|info)\}", block), name
        for words in ("summary", "description"):
            assert re.search(rf'^ +{words}: ".+\."$', block, re.MULTILINE), name
        assert f"runbook: docs/monitoring.md#{name.lower()}\n" in block


def test_a_limit_is_the_same_on_the_dashboard_as_in_the_diagnostics() -> None:
    found = re.findall(
        r"labels: \{figure: (\w+)\}\n +expr:(.*?)(?=\n +- record|\Z)", RECORDED, re.DOTALL
    )
    limits = {key: float((re.findall(r"/ ([\d.]+)", expr) or ["1"])[-1]) for key, expr in found}
    assert limits == {key: rule.fail for key, rule in RULES.items() if key in limits}
    assert {key for key, rule in RULES.items() if rule.fail} - UNLIMITED == set(limits)


@pytest.mark.needs("prometheus")
@pytest.mark.timeout(90)
def test_the_commands_of_the_page_do_what_it_says() -> None:
    with Shell() as shell:
        shell.run(f"ln -s '{DEPLOY}' deploy")
        for block in re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
            for command, wanted in console_commands(block):
                seen = shell.run(command)
                assert matches(wanted, seen), f"$ {command}\nwanted:\n{wanted}\nseen:\n{seen}"
