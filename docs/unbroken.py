"""The moment of the demo: worker, broker and keeper are killed under a stream that checks itself.

Owns the reader, which holds every byte against what the program must have written, and the three
kills. Drives the `lane` command line and `kill -9`, nothing else. Called by `docs/demo.py`.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Final

from lanekeeper.soak.stream import Judge

SEED: Final = 2026
RATE: Final = 400_000
"""Bytes a second that the program writes: the log holds ten seconds of it for a reader that waits.
"""
STATUS: Final = 42
PATIENCE_S: Final = 20.0
CALM_S: Final = 0.5
"""Seconds of output between two kills."""
PROGRAM: Final = [sys.executable, "-m", "lanekeeper.soak.child", str(SEED), "--rate", str(RATE)]
VICTIMS: Final = ("worker", "broker", "keeper")


@dataclass
class Reader:
    """A `lane read --follow` and the judge of all that it gets."""

    pipe: IO[bytes]
    judge: Judge = field(default_factory=lambda: Judge(SEED))

    def newer(self, moment: float) -> bool:
        """Read until output comes that was made after a moment; return whether it came."""
        return self.until(lambda: self.judge.stamp >= moment * 1e9)

    def until(self, done: Callable[[], bool], seconds: float = PATIENCE_S) -> bool:
        """Read and judge until `done`, the end of the output, or a time; return `done`.

        Raises:
            WrongByteError: a byte is missing, doubled, moved or changed.
        """
        deadline = time.monotonic() + seconds
        while not done() and (left := deadline - time.monotonic()) > 0:
            if select.select([self.pipe], [], [], min(left, 0.01))[0]:
                data = os.read(self.pipe.fileno(), 65536)
                if not data:
                    break
                self.judge.feed(data)
        return done()


def processes(lane: Callable[..., str]) -> dict[str, int]:
    """Return one pid for each role, the worker's of the lane `demo/stream`."""
    shown = json.loads(lane("terminal", "show", "demo/stream", "--json", show=False))
    mine = {None, shown["terminal"]["lane_id"]}
    listed = json.loads(lane("status", "--json", show=False))["processes"]
    return {
        one["role"]: one["pid"]
        for one in listed
        if one.get("lane") in mine and one["state"] in {"ready", "granted"}
    }


def kill_all(
    lane: Callable[..., str],
    command: str,
    environment: Mapping[str, str],
    say: Callable[[str], None],
) -> Judge:
    """Kill worker, broker and keeper under the stream, say so, and return its judge.

    Args:
        lane: runs `lane ARGS` to its end, checks its status, returns its output.
        command: the command line itself, for the reader.
        environment: of the demo's plane.
        say: shows a line.

    Raises:
        WrongByteError: the stream is not what the program wrote.
        TimeoutError: no output came after a kill.
    """
    with subprocess.Popen(
        [command, "read", "demo/stream", "--follow", "--from", "0"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as process:
        if process.stdout is None:
            raise TypeError("the reader has no pipe")
        reader = Reader(process.stdout)
        for role in VICTIMS:
            reader.until(lambda: False, CALM_S)
            pid = processes(lane)[role]
            killed = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            if not reader.newer(killed):
                raise TimeoutError(f"no output after the {role} was killed")
            paused = (time.monotonic() - killed) * 1000
            so_far = reader.judge.offset / 1e6
            say(
                f"kill -9 {role} {pid}: output goes on after {paused:.0f} ms; "
                f"{so_far:.1f} MB so far, every byte right"
            )
        reader.until(lambda: False, CALM_S)
        lane("send", "demo/stream", f"q{STATUS}\n", show=False)
        reader.until(lambda: reader.judge.ended)
        reader.judge.finish()
        process.wait(PATIENCE_S)
    return reader.judge
