"""Subscribers in processes of their own: started, waited for, stopped, and ended.

Owns the processes of `subscriber` seen from the benchmark. Refuses to leave one behind: a crowd is
a context manager. Called by the parts of the benchmark that have several subscribers.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Final, Self

from lanekeeper.bench.subscriber import READY

DEADLINE: Final = 900.0
START_SECONDS: Final = 60.0


class Subscriber:
    """One subscriber process."""

    def __init__(self, directory: str, terminal: str, *options: str) -> None:
        """Start it; `ready` waits until it follows the stream."""
        command = [sys.executable, "-m", "lanekeeper.bench.subscriber", directory, terminal]
        self._process = subprocess.Popen(
            [*command, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0
        )
        self._said = b""

    def ready(self) -> None:
        """Wait for its first byte; ValueError when it says something else."""
        line = self._line(START_SECONDS)
        if line != READY:
            raise ValueError(f"a subscriber says {line!r} instead of {READY!r}")

    def report(self) -> dict[str, Any]:
        """Wait for its end and return what it says; ValueError when it gives no report."""
        found: dict[str, Any] = json.loads(self._line(DEADLINE))
        return found

    def stop(self) -> None:
        """Stop it, and wait until it has stopped."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def go_on(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Kill it unless it has ended."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _line(self, seconds: float) -> str:
        stream = self._process.stdout
        deadline = time.monotonic() + seconds
        while stream is not None and b"\n" not in self._said:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([stream], [], [], left)[0]:
                raise ValueError(f"a subscriber says nothing for {seconds:.0f} s")
            data = os.read(stream.fileno(), 4096)
            if not data:
                raise ValueError(f"a subscriber ended with status {self._process.wait()}")
            self._said += data
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()


class Crowd:
    """Subscribers of one measurement; all are gone when it is left."""

    def __init__(self, directory: str) -> None:
        """Begin with none, on the plane of `directory`."""
        self._directory = directory
        self.members: list[Subscriber] = []

    def add(self, terminal: str, *options: str) -> Subscriber:
        """Start a subscriber of a terminal (by its address)."""
        member = Subscriber(self._directory, terminal, *options)
        self.members.append(member)
        return member

    def ready(self) -> None:
        """Wait until all follow their streams."""
        for member in self.members:
            member.ready()

    def reports(self) -> list[dict[str, Any]]:
        """Wait for the end of all and return what they say."""
        return [member.report() for member in self.members]

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all."""
        for member in self.members:
            member.end()
