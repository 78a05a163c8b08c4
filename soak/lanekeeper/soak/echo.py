"""How long another lane's echo takes, undisturbed and during faults.

Owns the process that measures and the split of its samples. Called by the driver, which tells when
there was a fault.
"""

import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from lanekeeper.soak.cluster import Cluster
from lanekeeper.soak.ledger import Ledger
from lanekeeper.soak.oracle import Finding
from lanekeeper.soak.outcome import Outcome

WINDOW: Final = 0.3
"""Seconds after a fault that count as during it, at least."""
START_SECONDS: Final = 10.0
STOP_SECONDS: Final = 10.0
CALM: Final = 20
"""Samples before the first fault."""
LOOK: Final = 0.02
_ALLOWED: Final = 0.010


class Echo:
    """The samples of all planes of a run."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.calm: list[float] = []
        self.disturbed: list[float] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._file = Path()

    def start(self, cluster: Cluster) -> None:
        """Measure on a plane; return when it is under way."""
        self._file = cluster.base / "echo"
        command = [sys.executable, "-P", "-m", "lanekeeper.soak.probe"]
        self._process = subprocess.Popen(
            [*command, str(cluster.directory), "echo", str(self._file)],
            env=cluster.environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._file.exists() and self._file.read_bytes().count(b"\n") > CALM:
                break
            select.select([], [], [], LOOK)

    def stop(self, outcomes: Sequence[Outcome], ledger: Ledger) -> list[Finding]:
        """Stop measuring; `outcomes` are of the faults on this plane."""
        process, self._process = self._process, None
        if process is None:
            return []
        process.send_signal(signal.SIGTERM)
        try:
            errors = process.communicate(timeout=STOP_SECONDS)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            errors = process.communicate()[1] or b"it did not stop"
        if self._file.exists():
            ledger.check("I7", self._split(outcomes))
        if process.returncode == 0:
            return []
        text = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
        return [Finding("I7", f"the client of another lane failed: {' '.join(text)}")]

    def add(self, other: "Echo") -> None:
        """Take over the samples of another one."""
        self.calm += other.calm
        self.disturbed += other.disturbed

    def summary(self) -> dict[str, Any] | None:
        """Return the 99th percentiles in seconds, None without samples of both kinds."""
        if not self.calm or not self.disturbed:
            return None
        calm, disturbed = _p99(self.calm), _p99(self.disturbed)
        return {
            "count": len(self.calm),
            "p99": calm,
            "fault_count": len(self.disturbed),
            "fault_p99": disturbed,
            "bar": max(2 * calm, calm + _ALLOWED),
            "kept": disturbed <= max(2 * calm, calm + _ALLOWED),
        }

    def _split(self, outcomes: Sequence[Outcome]) -> int:
        """Sort the samples; return how many there are."""
        windows = [
            (one.killed, one.killed + max(WINDOW, one.seconds or 0.0))
            for one in outcomes
            if one.killed
        ]
        rows = self._file.read_text("ascii").splitlines()
        for row in rows:
            moment, seconds = map(float, row.split())
            during = any(start - seconds <= moment <= end for start, end in windows)
            (self.disturbed if during else self.calm).append(seconds)
        return len(rows)


def _p99(samples: list[float]) -> float:
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
