"""`python -m kit.nightly`: the long suite, and its report in docs/reports/nightly.md.

Owns what runs at night: the long run of faults with reports of its own, the tests marked
`nightly`, every other test several times over, and the benchmark. Refuses to hide a run that
failed: the report says it, and so does the exit status.
Called by `make nightly`.
"""

import argparse
import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kit.measured import ALONE, TWO
from kit.programs import COMPLETE, NIGHTLY

ROOT: Final = Path(__file__).parents[2]
REPORT: Final = ROOT / "docs" / "reports" / "nightly.md"
ROUNDS: Final = 5
"""Runs of the suite of the day: a test that fails once in five is found most nights."""

RANDOM_FAULTS: Final = 300
EACH_MOMENT: Final = 20
"""No failure in 300 bounds the rate of failures below 1 % with 95 % confidence."""
OTHER_FAULTS: Final = 12
"""For each kind of process, of four signals: each HANG takes the 15 to 25 s until it is ended."""
JOBS: Final = "2"


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the night and how it ended."""

    name: str
    status: int
    seconds: float
    closing: str
    output: str

    @property
    def row(self) -> str:
        """One row of the report's table."""
        word = "ok" if self.status == 0 else f"failed ({self.status})"
        return f"| {self.name} | {word} | {self.seconds:.0f} | {self.closing} |"


def run(name: str, command: Sequence[str]) -> Step:
    """Run one command to its end and keep what it said."""
    sys.stdout.write(f"{name}: {' '.join(command)}\n")
    sys.stdout.flush()
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {COMPLETE: "1", NIGHTLY: "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    closing = (done.stdout.strip().splitlines() or ["no output"])[-1].strip("= ")
    return Step(name, done.returncode, time.monotonic() - started, closing, done.stdout)


def report(steps: Sequence[Step]) -> str:
    """Return the report as Markdown."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    machine = (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC, commit {commit or 'unknown'}, "
        f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} cores."
    )
    parts = [
        "# Nightly run",
        "",
        machine,
        "",
        "| step | result | seconds | closing line |",
        "| --- | --- | --- | --- |",
        *(step.row for step in steps),
    ]
    for step in steps:
        if step.status or step.name == "bench":
            parts += ["", f"## {step.name}", "", "```text", step.output.strip()[-8000:], "```"]
    return "\n".join(parts) + "\n"


def faults(folder: Path) -> dict[str, list[str]]:
    """Return the commands of the night's faults by name; their reports go into `folder`."""
    command = [str(Path(sys.executable).with_name("lane")), "soak", "faults", "--jobs", JOBS]
    kills = ["--random", str(RANDOM_FAULTS), "--moments", str(EACH_MOMENT)]
    others = [word for name in ("STOP", "HANG", "SEGV", "ABRT") for word in ("--signal", name)]
    others += ["--random", str(OTHER_FAULTS), "--moments", "0"]
    return {
        "faults": [*command, *kills, "--report", str(folder / "faults.md")],
        "stops and crashes": [*command, *others, "--report", str(folder / "stops.md")],
    }


def main(args: Sequence[str]) -> int:
    """Run the night and write the report; return 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="make nightly", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs of the suite")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the report goes")
    parser.add_argument("--without-bench", action="store_true", help="measure nothing")
    parser.add_argument("--without-faults", action="store_true", help="kill nothing")
    parser.add_argument("tests", nargs="*", help="what to run; the whole suite without it")
    options = parser.parse_args(args)
    if options.tests and options.report == REPORT:
        parser.error("a night of some tests is not the night: say where its --report goes")
    pytest = [sys.executable, "-m", "pytest", "-q"]
    steps = []
    if not options.without_faults:
        steps += [run(name, what) for name, what in faults(options.report.parent).items()]
    steps.append(run("long tests", [*pytest, "-m", "nightly", *options.tests]))
    with tempfile.TemporaryDirectory(prefix="lkt-", dir="/tmp") as short:
        suite = [*pytest, *TWO, "-m", "not nightly", "--basetemp", str(Path(short, "t"))]
        parts = [options.tests] if options.tests else [[ALONE], ["--ignore", ALONE]]
        steps += [
            run(f"suite {turn + 1}, part {number} of {len(parts)}", [*suite, *part])
            for turn in range(options.rounds)
            for number, part in enumerate(parts, 1)
        ]
    if not options.without_bench:
        steps.append(run("bench", [str(Path(sys.executable).with_name("lane")), "bench"]))
    options.report.parent.mkdir(parents=True, exist_ok=True)
    options.report.write_text(report(steps), "utf-8")
    sys.stdout.write(f"wrote {options.report}\n")
    return int(any(step.status for step in steps))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
