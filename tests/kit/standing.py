"""Whether a plane stands as it stood: the check after every piece of bad input.

Owns a bystander (a lane with a program that echoes) and the looks before and after: the daemons
are the same processes with as many descriptors as before, the bystander still echoes, commands are
answered, and no log tells of a defect. Refuses nothing by itself: `check` raises what it finds.
Called by the tests of bad input.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kit.cluster import Plane
from kit.waiting import wait_until
from kit.wire_client import WireClient
from lanekeeper.keeper.launch import DEFAULT_WARM

SETTLE_S: Final = 10.0
ROLES: Final = ("keeper", "nursery", "broker", "collector")
LANE: Final = "bystander"
SOCKETS: Final = ("workers.sock", "collector.sock")
_CONNECTED: Final = "03"


@dataclass(frozen=True, slots=True)
class Target:
    """The ids of the bystander: its lane, session and terminal."""

    workspace_id: str
    lane_id: str
    session_id: str
    terminal_id: str

    def ids(self, *names: str) -> dict[str, str]:
        """Return these envelope ids, all of them without names."""
        found = {name: str(getattr(self, name)) for name in self.__slots__}
        return {name: found[name] for name in names} if names else found


class Standing:
    """A plane, a bystander in it, and what it was like before; a context manager.

    Attributes:
        wire: a client for whatever the test wants to send.
        target: the bystander.
    """

    def __init__(self, plane: Plane) -> None:
        """Connect; the bystander starts with the context."""
        self.plane = plane
        self.wire = WireClient(plane.dir)
        self._probe = WireClient(plane.dir)
        self._logs = {path: path.stat().st_size for path in self._log_files()}
        self._round = 0

    def __enter__(self) -> Self:
        """Start the bystander and look; return itself."""
        try:
            self.target = make_target(self._probe, LANE)
            self._pids = self._processes()
            self.echo()
            wait_until(self._refilled, SETTLE_S, "warm workers of the plane")
            self._files = {pid: count_files(pid) for pid in self._pids.values()}
        except BaseException:
            self.wire.close()
            self._probe.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the clients."""
        self.wire.close()
        self._probe.close()

    @property
    def hot(self) -> str:
        """Where the bystander's worker takes commands, as `WireClient` wants it."""
        return f"lanes/{self.target.lane_id}.in"

    def begin(self) -> None:
        """Give the next test a client of its own, and forget what earlier ones left in the logs."""
        self.wire.close()
        self.wire = WireClient(self.plane.dir)
        self._logs = {path: path.stat().st_size for path in self._log_files()}

    def check(self) -> None:
        """Raise unless everything is as it was before."""
        self.wire.close()
        assert self._probe.call("plane.hello")["protocol"]
        self.echo()
        self._tidy()
        assert self._processes() == self._pids, "a process of the plane was replaced"
        for role, pid in self._pids.items():
            before = self._files[pid]

            def settled(pid: int = pid, before: int = before) -> bool:
                return count_files(pid) <= before

            wait_until(settled, SETTLE_S, f"{before} descriptors of the {role} again")
        assert self.defects() == []

    def echo(self) -> None:
        """Type a word at the bystander and wait until it comes back."""
        self._round += 1
        word = f"round {self._round} of the bystander\n".encode()
        ids = self.target.ids("terminal_id")
        start = self._read(0)["head"]
        self._probe.call_lane(self.target.lane_id, "terminal.input", {"data": word}, **ids)
        shown = word.rstrip()
        wait_until(lambda: shown in self._read(start)["data"], SETTLE_S, "echo of the bystander")

    def defects(self) -> list[str]:
        """Return the lines of all logs since the beginning that tell of a defect."""
        found: list[str] = []
        for path in self._log_files():
            text = path.read_bytes()[self._logs.get(path, 0) :].decode("utf-8", "replace")
            lines = text.splitlines()
            bad = [n for n, line in enumerate(lines) if "Traceback" in line or " INTERNAL" in line]
            found += [f"{path.name}: " + "\n".join(lines[n : n + 30]) for n in bad]
        return found

    def _tidy(self) -> None:
        """End what the test made beside the bystander: each has descriptors of its own."""
        mine = self.target
        for lane in self._probe.call("lane.list")["lanes"]:
            if lane["id"] != mine.lane_id:
                self._probe.call("lane.cleanup", {"grace_s": 0}, lane_id=lane["id"])
        ids = mine.ids("lane_id")
        for session in self._probe.call("session.list", **ids)["sessions"]:
            if session["id"] != mine.session_id:
                end = ids | {"session_id": session["id"]}
                self._probe.call("session.terminate", {"grace_s": 0}, **end)
        for terminal in self._probe.call("terminal.list", **ids)["terminals"]:
            if terminal["id"] != mine.terminal_id:
                end = ids | {"terminal_id": terminal["id"]}
                self._probe.call("terminal.close", {"grace_s": 0}, **end)

    def _read(self, offset: int) -> dict[str, Any]:
        body = {"offset": offset} if offset else {}
        ids = self.target.ids("terminal_id")
        return self._probe.call_lane(self.target.lane_id, "terminal.read", body, **ids)

    def _processes(self) -> dict[str, int]:
        pids = {
            str(entry["role"]): int(entry["pid"])
            for entry in self.plane.processes()
            if entry["role"] in ROLES
        }
        (worker,) = self.plane.pids("worker", LANE) or self.plane.pids(
            "worker", self.target.lane_id
        )
        return pids | {"keeper": self.plane.keeper.pid, "worker": worker}

    def _refilled(self) -> bool:
        """Whether the worker that the bystander's lane took is replaced, and all are connected."""
        workers = [entry for entry in self.plane.processes() if entry["role"] == "worker"]
        warm = sum(entry["state"] == "warm" for entry in workers)
        # A warm worker is on its way to the broker and the collector, where it needs descriptors;
        # so are these two, each to the other.
        arrived = min(_connections(self.plane.dir / name) for name in SOCKETS)
        return warm >= DEFAULT_WARM and arrived > len(workers)

    def _log_files(self) -> list[Path]:
        return sorted((self.plane.dir / "log").glob("*.log"))


def _connections(path: Path) -> int:
    """Return how many connections a listening socket has accepted."""
    table = Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()[1:]
    fields = [line.split() for line in table]
    # One that waits to be accepted has no inode yet.
    taken = [entry for entry in fields if entry[5] == _CONNECTED and entry[6] != "0"]
    return sum(entry[7:] == [str(path)] for entry in taken)


def make_target(wire: WireClient, name: str, argv: tuple[str, ...] = ("cat",)) -> Target:
    """Make a lane with a session and a terminal that runs `argv`; return their ids."""
    workspace = wire.call("workspace.create", {"name": "default", "ensure": True})["workspace"]
    made = wire.call("lane.create", {"name": name, "ensure": True}, workspace_id=workspace["id"])
    lane_id = made["lane"]["id"]
    return add_terminal(wire, workspace["id"], lane_id, "main", argv)


def add_terminal(
    wire: WireClient, workspace_id: str, lane_id: str, session: str, argv: tuple[str, ...]
) -> Target:
    """Make a session, unless it is there, with a new terminal; return all ids."""
    made = wire.call("session.create", {"name": session}, lane_id=lane_id)
    session_id = made["session"]["id"]
    ids = {"workspace_id": workspace_id, "lane_id": lane_id, "session_id": session_id}
    body = {"argv": list(argv), "env": {"PATH": "/usr/bin:/bin"}, "cwd": "/"}
    spawned = wire.call("terminal.spawn", body, **ids)
    return Target(terminal_id=spawned["terminal"]["id"], **ids)


def count_files(pid: int) -> int:
    """Return how many descriptors a process has, 0 when it is gone."""
    with contextlib.suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0
