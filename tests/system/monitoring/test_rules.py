"""What is shipped for Prometheus is accepted by its own checker, and every alert has its cases."""

import re
import subprocess
from pathlib import Path

import pytest

from kit.cluster import Plane
from kit.prometheus import configure

pytestmark = pytest.mark.needs("prometheus")

SHIPPED = Path(__file__).parents[3] / "deploy" / "prometheus"
RULES = sorted((SHIPPED / "rules").glob("*.yml"))
CASES = sorted((SHIPPED / "tests").glob("*.yml"))
DEAF = """\
global: {scrape_interval: 1s}
scrape_configs: [{job_name: x, scrape_interval: 2}]
"""


def promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)


def test_the_rules_are_rules_and_none_is_there_twice() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_in_its_cases_and_not_in_the_others() -> None:
    done = promtool("test", "rules", *CASES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    cases = "".join(path.read_text("utf-8") for path in CASES)
    for alert in re.findall(r"- alert: (\w+)", (SHIPPED / "rules/alerts.yml").read_text("utf-8")):
        assert re.search(rf"alertname: {alert}\n +eval_time: \w+\n +exp_alerts:\n +- exp", cases)
        assert re.search(rf"\{{alertname: {alert}, eval_time: \w+\}}", cases)


def test_the_checker_refuses_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(DEAF)
    assert promtool("check", "config", wrong).returncode == 1
    text = CASES[0].read_text("utf-8").replace("../rules", str(SHIPPED / "rules"))
    wrong.write_text(re.sub(r"eval_time: 35m", "eval_time: 25m", text))
    assert promtool("test", "rules", wrong).returncode == 1


def test_the_configuration_is_accepted_once_it_points_at_a_plane(
    plane: Plane, tmp_path: Path
) -> None:
    configure(tmp_path, plane, "here")
    done = promtool("check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_pointing_at_nothing_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        ["python3", SHIPPED / "point.py", "--into", tmp_path],
        input="{}",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "lane status --json" in done.stderr
    assert list(tmp_path.iterdir()) == []
