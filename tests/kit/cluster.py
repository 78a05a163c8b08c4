"""A real plane in a private runtime directory, and its end.

Owns starting (through the keeper's own command, waiting for its word), asking, killing on purpose,
and stopping with the check that nothing is left. Refuses to hide a plane that does not start or
does not end: the failure carries the tails of its logs. Called by the fixtures `plane` and
`shared_plane` and by tests that need a plane of their own.
"""

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from kit import places, processes
from kit.keeper_client import KeeperClient
from kit.leaks import PLANE_DIRECTORY
from kit.waiting import WaitedTooLongError, kill_and_wait, wait_exit, wait_line, wait_until

if TYPE_CHECKING:
    from lanekeeper.client import Plane as Connected

LANE: Final = str(Path(sys.executable).with_name("lane"))
"""The command line as installed beside the interpreter that runs the tests."""

READY_S: Final = 20.0
"""Seconds from start to `ready` at most; a loaded machine with two cores needs under two."""
STOP_S: Final = 20.0
COMMAND_S: Final = 30.0

_LOG_TAIL: Final = 2_000


class PlaneError(AssertionError):
    """The plane did not start, did not stop or left something; the message carries its logs."""


def clean_environment(base: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a user who has no configuration and no plane but `base`'s."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("LANEKEEPER_") or name == processes.RUN_MARKER
    }
    environ |= {
        "LANEKEEPER_DIR": str(base / PLANE_DIRECTORY),
        "XDG_CONFIG_HOME": str(base / "config"),
        "XDG_STATE_HOME": str(base / "state"),
        processes.RUN_MARKER: places.run_token(),
    }
    return environ | dict(extra or {})


class Plane:
    """A plane of real processes; use it as a context manager.

    Attributes:
        base: the private directory around everything of this plane.
        dir: the runtime directory.
        env: the environment for what a user of this plane runs.
    """

    def __init__(
        self,
        *,
        options: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Make the private directory; nothing runs before `start`.

        Args:
            options: further options of the keeper's command.
            env: variables beside those of the test process.
        """
        self.base = places.private_directory()
        self.dir = self.base / PLANE_DIRECTORY
        self.env = clean_environment(self.base, env)
        self._options = tuple(options)
        self._keeper: subprocess.Popen[bytes] | None = None
        self._output = self.base / "keeper.out"

    def __enter__(self) -> Self:
        """Start the plane."""
        try:
            self.start()
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the plane."""
        self.stop()

    @property
    def keeper(self) -> subprocess.Popen[bytes]:
        """The keeper's process."""
        if self._keeper is None:
            raise PlaneError("this plane was not started")
        return self._keeper

    def start(self) -> None:
        """Start the keeper and wait until it says that the plane is ready.

        Raises:
            PlaneError: it said something else, or nothing in time.
        """
        reading, writing = os.pipe()
        command = [sys.executable, "-m", "lanekeeper.keeper", "--runtime-dir", str(self.dir)]
        try:
            with self._output.open("wb") as output:
                self._keeper = subprocess.Popen(
                    [*command, "--ready-fd", str(writing), *self._options],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=self.env,
                    pass_fds=(writing,),
                    start_new_session=True,
                )
        finally:
            os.close(writing)
        try:
            word = wait_line(reading, READY_S, "the keeper's `ready`")
        except WaitedTooLongError as error:
            raise PlaneError(f"{error}\n{self.logs()}") from error
        finally:
            os.close(reading)
        if word != "ready":
            raise PlaneError(f"the keeper says {word!r}\n{self.logs()}")

    def lane(
        self,
        *args: str,
        stdin: str = "",
        timeout: float = COMMAND_S,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `lane ARGS` to its end and return what it wrote as text; killed after `timeout`."""
        done = self.lane_bytes(*args, stdin=stdin.encode(), timeout=timeout, env=env, cwd=cwd)
        output, errors = (
            stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr)
        )
        return subprocess.CompletedProcess(done.args, done.returncode, output, errors)

    def lane_bytes(
        self,
        *args: str,
        stdin: bytes = b"",
        timeout: float = COMMAND_S,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `lane ARGS` as `lane` does; stdin and what it wrote are exact bytes."""
        return subprocess.run(
            [LANE, *args],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            env=self.env | dict(env or {}),
            cwd=cwd,
            check=False,
        )

    def start_lane(self, *args: str) -> subprocess.Popen[bytes]:
        """Start `lane ARGS` with pipes for its three streams; the caller ends it."""
        return subprocess.Popen(
            [LANE, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.env,
        )

    def connect(self, *, timeout: float = 10.0) -> "Connected":
        """Return a client of this plane; the caller closes it."""
        library = importlib.import_module("lanekeeper.client")
        client: Connected = library.connect(self.dir, timeout=timeout)
        return client

    def keeper_client(self) -> KeeperClient:
        """Return a connection to the keeper that there is now; the caller closes it."""
        return KeeperClient(self.dir / "keeper.sock")

    def processes(self) -> list[dict[str, Any]]:
        """Return the keeper's own list: role, pid, start_time, state, restarts, lane if any."""
        with KeeperClient(self.dir / "keeper.sock") as keeper:
            return keeper.status()

    def pids(self, role: str, lane: str | None = None) -> list[int]:
        """Return the pids of a role, or of one lane's worker, from the keeper's list."""
        return [
            int(entry["pid"])
            for entry in self.processes()
            if entry["role"] == role and (lane is None or lane in str(entry.get("lane")))
        ]

    def kill(
        self, role: str, number: int = signal.SIGKILL, *, lane: str | None = None
    ) -> list[int]:
        """Send a signal to every process of a role, wait for their end, and return their pids.

        After the first keeper's death it is its successor that `stop` asks for the end.

        Raises:
            PlaneError: no process has that role.
        """
        pids = self.pids(role, lane)
        if not pids:
            raise PlaneError(f"nothing to kill: no process is {role} {lane or ''}")
        for pid in pids:
            kill_and_wait(pid, number)
        return pids

    def left(self) -> list[str]:
        """Return one line for each process or socket of this plane that exists now."""
        where = frozenset({str(self.dir)})
        found = [
            f"left behind: {seen}"
            for seen in processes.everybody()
            if where & {seen.variable("LANEKEEPER_PLANE"), seen.variable("LANEKEEPER_DIR")}
            and not (seen.zombie and seen.pid == self.keeper.pid)
        ]
        found += [f"left behind: cgroup {path}" for path in places.cgroups_of(self.dir)]
        return found + [f"left behind: socket {path}" for path in places.sockets_below(self.dir)]

    def logs(self) -> str:
        """Return the tails of the keeper's streams and of all logs."""
        paths = [self._output, *sorted((self.dir / "log").glob("*.log"))]
        return "\n".join(f"--- {path.name}\n{_tail(path)}" for path in paths if path.exists())

    def stop(self) -> None:
        """Ask for the end (unless it has come), check that nothing is left, remove the directory.

        Raises:
            PlaneError: the keeper refused or took too long, or something is left.
        """
        try:
            if self.keeper.poll() is None or (self.dir / "wanted").exists():
                self._ask_down()
            wait_exit(self.keeper.pid, STOP_S)
            wait_until(lambda: not self.left(), 1.0, "end of all processes of the plane")
        except (OSError, AssertionError) as error:
            remains = "\n".join(self.left())
            raise PlaneError(f"the plane did not end: {error}\n{remains}\n{self.logs()}") from error
        finally:
            self._discard()

    def _ask_down(self) -> None:
        with KeeperClient(self.dir / "keeper.sock") as keeper:
            if not keeper.down(STOP_S):
                raise PlaneError(f"the keeper did not go within {STOP_S:g} s of `down`")

    def _discard(self) -> None:
        for seen in processes.everybody():
            here = {seen.variable("LANEKEEPER_PLANE"), seen.variable("LANEKEEPER_DIR")}
            if str(self.dir) in here and not seen.zombie:
                kill_and_wait(seen.pid)
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper.wait()
        places.remove_cgroups(self.dir)
        places.remove(self.base)


def _tail(path: Path) -> str:
    return path.read_bytes()[-_LOG_TAIL:].decode("utf-8", "replace")
