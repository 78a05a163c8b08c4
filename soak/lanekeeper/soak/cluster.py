"""A private plane of real processes, made to be maimed, and the check that nothing of it is left.

Owns its directory, its armed moments and its end. Refuses to end quietly when something remains:
`stop` returns what it found. Called by the driver.
"""

import contextlib
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lanekeeper.soak import keeper, proc

LANE: Final = str(Path(sys.executable).with_name("lane"))
ROOT: Final = Path("/", "tmp")
"""Not TMPDIR: the path of a socket has at most 107 bytes."""
READY_SECONDS: Final = 30.0
DOWN_SECONDS: Final = 60.0
LEFT_SECONDS: Final = 5.0
"""How long what was ended may take to be gone."""
_LOG_TAIL: Final = 6_000
_LOOK: Final = 0.02


class PlaneError(Exception):
    """The plane did not start; the message carries its logs."""


@dataclass(frozen=True, slots=True)
class Held:
    """A process that is held at a moment."""

    moment: str
    pid: int
    path: Path


class Cluster:
    """One plane.

    KINDS: of what must be gone when it has ended: processes, sockets, cgroups. A terminal is gone
    with the last process that has it.

    Attributes:
        base: a private directory around everything of it.
        directory: the runtime directory.
    """

    KINDS: Final = 3

    def __init__(
        self,
        warm: int = 3,
        hang_after: float | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """Start a plane and wait until it is ready.

        Args:
            warm: workers that are kept ready.
            hang_after: seconds of silence that mean a hang; None for the product's own.
            extra: further environment of all its processes.

        Raises:
            PlaneError: it does not start.
        """
        self.base = Path(tempfile.mkdtemp(prefix="lks-", dir=ROOT))
        self.directory = self.base / "p"
        self._hooks = self.base / "hooks"
        self._hooks.mkdir(mode=0o700)
        self._output = self.base / "keeper.out"
        mine = {k: v for k, v in os.environ.items() if not k.startswith("LANEKEEPER_")}
        self.environment = (
            mine
            | dict(extra or {})
            | {
                "LANEKEEPER_DIR": str(self.directory),
                "LANEKEEPER_HOOKS": str(self._hooks),
                "XDG_CONFIG_HOME": str(self.base),
            }
        )
        self._guard = self._guarded()
        options = ["--warm", str(warm)]
        options += [] if hang_after is None else ["--hang-after", str(hang_after)]
        self._start(options)

    def status(self) -> keeper.Status:
        """Ask the keeper; SilentError when it does not answer now."""
        return keeper.status(self.directory)

    def arm(self, moment: str) -> None:
        """Have the next process that comes by this moment held there."""
        with contextlib.suppress(FileExistsError):
            os.mkfifo(self._hooks / moment, 0o600)

    def disarm(self, moment: str) -> None:
        """Hold nobody there any more; whoever is held goes on."""
        (self._hooks / moment).unlink(missing_ok=True)
        for held in self.held(moment):
            self.go_on(held)

    def held(self, moment: str) -> list[Held]:
        """Return who is held at a moment now."""
        paths = self._hooks.glob(f"{moment}@*")
        return [Held(moment, int(path.name.rpartition("@")[2]), path) for path in paths]

    def go_on(self, held: Held) -> None:
        """Let a held process go on; forget one that was killed."""
        try:
            os.close(os.open(held.path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # nobody reads: it was killed, or has not come to wait yet
            if proc.look(held.pid) is None:
                held.path.unlink(missing_ok=True)

    def logs(self) -> str:
        """Return the tails of all logs."""
        paths = [self._output, *sorted((self.directory / "log").glob("*.log"))]
        return "\n".join(f"--- {path.name}\n{_tail(path)}" for path in paths if path.exists())

    def stop(self) -> list[str]:
        """End the plane, remove its directory and return a line for each thing that was left."""
        for path in self._hooks.iterdir():
            self.disarm(path.name.partition("@")[0])
        found = []
        try:
            done = subprocess.run(
                [LANE, "down", "--yes"],
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=DOWN_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            found.append(f"lane down did not end within {DOWN_SECONDS:g} s")
        else:
            if done.returncode:
                found.append(f"lane down ended with {done.returncode}: {done.stderr.strip()}")
        self._started.poll()
        found += self._remains()
        self._sweep()
        shutil.rmtree(self.base, ignore_errors=True)
        self._guard.communicate()
        return found

    def _guarded(self) -> "subprocess.Popen[bytes]":
        """Start what ends the plane if this process is killed."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "lanekeeper.soak.guard", str(self.base)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _start(self, options: Sequence[str]) -> None:
        read, write = os.pipe()
        command = [sys.executable, "-P", "-m", "lanekeeper.keeper"]
        command += ["--runtime-dir", str(self.directory), "--ready-fd", str(write)]
        with self._output.open("wb") as output:
            self._started = subprocess.Popen(
                [*command, *options],
                pass_fds=(write,),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment,
                start_new_session=True,
            )
        os.close(write)
        try:
            ready = select.select([read], [], [], READY_SECONDS)[0]
            said = os.read(read, 4096) if ready else b"no answer in time"
        finally:
            os.close(read)
        if said != b"ready\n":
            text = f"the plane did not start: {said.decode(errors='replace')}\n{self.logs()}"
            self.stop()
            raise PlaneError(text)

    def _remains(self) -> list[str]:
        deadline = time.monotonic() + LEFT_SECONDS
        while True:
            found = list(proc.of_plane(self.directory))
            found += [f"socket {path}" for path in self.directory.rglob("*") if path.is_socket()]
            found += [f"cgroup {path}" for path in proc.cgroups_of(self.directory)]
            if not found or time.monotonic() >= deadline:
                return found
            select.select([], [], [], _LOOK)

    def _sweep(self) -> None:
        """Kill what a broken plane left, so that one failure does not spoil the next plane."""
        for pid in proc.pids_of_plane(self.directory):
            proc.kill(pid)
        self._started.wait(LEFT_SECONDS)


def _tail(path: Path) -> str:
    return path.read_bytes()[-_LOG_TAIL:].decode("utf-8", "replace").rstrip()
