"""Viewers of self-checking streams in processes of their own, to be stopped, slowed and killed.

Owns the program of `kit.viewer` from the outside: starting it, waiting for its word, its report,
its memory. Refuses to leave one behind: it is a context manager. Beside it the program
that is watched: spawning it behind a gate, and opening that. Called by tests of the output path.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kit import checked
from kit.cluster import Plane
from kit.waiting import kill_and_wait, wait_line, wait_until
from lanekeeper.client import Lane, Terminal

READY_S: Final = 20.0
MIB: Final = 1 << 20
LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Flood:
    """A terminal whose program writes a checked stream; a FIFO opens its gate."""

    terminal: Terminal
    gate: Path
    size: int

    def open(self) -> None:
        """Let the program go on."""
        with self.gate.open("wb"):
            pass

    @property
    def written(self) -> int:
        """Bytes that the program has written so far."""
        return checked.progress(self.gate.with_suffix(".progress"))


def flood(
    folder: Path, lane: Lane, seed: int, size: int, *, before: int = 0, **options: Any
) -> Flood:
    """Start a program that writes `before` bytes, waits at its gate, and then writes the rest.

    The gate is made in `folder`; `options` are those of `Lane.spawn`.
    """
    gate = Path(tempfile.mkdtemp(dir=folder)) / "gate"
    os.mkfifo(gate, 0o600)
    words = ["--gate", str(gate), "--before", str(before)]
    told = ["--progress", str(gate.with_suffix(".progress"))]
    options = {"output": "raw", **options}
    terminal = lane.spawn(
        checked.command(seed, size, *words, *told), env=checked.environment(), **options
    )
    return Flood(terminal, gate, size)


class Viewer:
    """One viewer process.

    Attributes:
        report: what it said at its end; None before.
    """

    def __init__(self, plane: Plane, terminal: Terminal, seed: int, *options: str) -> None:
        """Start it; its first byte has come when this returns."""
        address = [terminal.info.lane_id, terminal.info.id]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kit.viewer", str(plane.dir), *address, str(seed), *options],
            stdout=subprocess.PIPE,
            env=plane.env | {"PYTHONPATH": checked.environment()["PYTHONPATH"]},
        )
        self.report: dict[str, Any] | None = None
        try:
            self.says("ready")
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Kill it."""
        self.end()

    def says(self, word: str, timeout: float = READY_S) -> None:
        """Wait for a line of its output."""
        said = wait_line(self._stdout, timeout, f"{word!r} of a viewer")
        if said != word:
            raise AssertionError(f"the viewer says {said!r}, not {word!r}")

    def stop(self) -> None:
        """Stop it as Ctrl-Z would, and wait until it has stopped."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def go_on(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def done(self, timeout: float) -> dict[str, Any]:
        """Wait for its report: every byte was right, or it would not give one."""
        line = wait_line(self._stdout, timeout, "report of a viewer", limit=1 << 20)
        self.report = json.loads(line)
        if self.process.wait(READY_S) or self.report is None:
            raise AssertionError(f"the viewer ended with {self.process.returncode}: {line}")
        return self.report

    def end(self) -> None:
        """Kill it and let its streams go."""
        if self.process.poll() is None:
            kill_and_wait(self.process.pid)
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    @property
    def _stdout(self) -> int:
        if self.process.stdout is None:
            raise AssertionError("a viewer without a pipe")
        return self.process.stdout.fileno()


def peak_memory(pid: int) -> int:
    """Return the most memory a process has had resident, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no VmHWM")


def log_memory(pid: int) -> int:
    """Return the bytes of memory that the output logs of a worker hold."""
    total = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if "lanekeeper-log-" in str(entry.readlink()):
                total += entry.stat().st_blocks * 512
    return total


def wait_state(terminal: Terminal, state: str, timeout: float = 10.0) -> None:
    """Wait until a terminal is in `state`."""
    wait_until(lambda: terminal.refresh().state == state, timeout, f"state {state}")


def stays(predicate: Callable[[], bool], seconds: float, what: str) -> None:
    """Look again and again for `seconds` that something holds.

    Raises:
        AssertionError: it does not.
    """
    deadline = time.monotonic() + seconds

    def over() -> bool:
        if not predicate():
            raise AssertionError(f"{what} for less than {seconds:g} s")
        return time.monotonic() >= deadline

    wait_until(over, seconds + READY_S, f"end of {seconds:g} s")
