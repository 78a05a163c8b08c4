"""Nothing is lost: processes of a plane are killed at named moments and at random times.

Runs `lane soak faults` with a fixed seed: every named moment once and 20 kills at random times for
each kind of process. After each fault the oracle of `lanekeeper.soak` judges the
invariants I1 to I8; what it finds stands in the failure, with the command that replays it.
"""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from kit.measured import harness
from lanekeeper.soak.plan import MOMENTS, Victim

SEED: Final = "20260"
RATE: Final = "500000"
"""Bytes a second of each flood: well above what programs print, little for two cores."""
EACH: Final = 20
PATIENCE: Final = 240.0
"""Seconds for a run on a machine that is busy with other things; it needs 50 of two idle cores."""
TOGETHER: Final = 3
"""Runs at a time: most of a run is waiting for processes to start."""


def soak(*options: str) -> tuple[dict[str, Any], str]:
    """Run `lane soak faults` and return its report, and what it said if it found anything."""
    command = ["lanekeeper.cli", "soak", "faults", "--json", "--seed", SEED, "--rate", RATE]
    done = subprocess.run(
        harness(*command, *options),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode not in {0, 1} or not done.stdout:
        return {}, f"exit {done.returncode}: {done.stderr}"
    report = json.loads(done.stdout)
    stories = [
        "\n".join([failure["again"], *failure["faults"], *failure["findings"], failure["logs"]])
        for failure in report["failures"]
    ]
    return report, "\n\n".join(stories)


def together(runs: list[list[str]]) -> list[dict[str, Any]]:
    """Run several at a time and return their reports; fail with all that any of them found."""
    with ThreadPoolExecutor(TOGETHER) as pool:
        done = list(pool.map(lambda options: soak(*options), runs))
    stories = "\n\n".join(story for _, story in done if story)
    if stories:
        pytest.fail(stories, pytrace=False)
    return [report for report, _ in done]


@pytest.mark.timeout(PATIENCE + 10)
def test_killed_at_any_time_nothing_is_lost() -> None:
    groups = (
        (Victim.NURSERY, Victim.COLLECTOR),
        (Victim.KEEPER, Victim.BROKER),
        (Victim.CLIENT, Victim.WORKER),
    )
    runs = [[word for one in group for word in ("--victim", one.value)] for group in groups]
    reports = together([[*run, "--random", str(EACH), "--moments", "0"] for run in runs])
    met = {name: row["faults"] for report in reports for name, row in report["victims"].items()}
    assert met == {victim.value: EACH for victim in Victim}
    assert all(report["bytes"] > 0 and report["inputs"] > 0 for report in reports)


@pytest.mark.timeout(PATIENCE + 10)
def test_killed_at_every_named_moment_nothing_is_lost() -> None:
    victims = sorted({moment.victim.value for moment in MOMENTS.values()})
    reports = together([["--victim", one, "--random", "0", "--moments", "1"] for one in victims])
    met = [name for report in reports for name in report["moments"]]
    assert sorted(met) == sorted(MOMENTS)
