"""The runtime directory: where a plane's sockets, locks and logs live, and whether it is safe.

Owns the layout (one name per socket, in one place) and the checks of owner, mode and path length.
Refuses symbolic links, foreign owners, modes wider than 0700 and paths no unix socket can hold.
Called by every process of a plane and by the command line.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOCKET_PATH_MAX: Final = 107
"""Bytes of a unix socket's path on Linux, without the closing NUL (unix(7))."""

_LANE_ID_LENGTH: Final = len("lane_") + 16


class RundirError(Exception):
    """The runtime directory cannot be used; the message says why and what to do."""


class RundirMissingError(RundirError):
    """The runtime directory does not exist: no plane runs here."""


@dataclass(frozen=True, slots=True)
class Rundir:
    """The layout of one runtime directory; nothing is touched until `check` or `create`."""

    path: Path

    @property
    def lock(self) -> Path:
        """The file whose record lock makes one process the keeper."""
        return self.path / "keeper.lock"

    @property
    def wanted(self) -> Path:
        """Present while the user wants a plane here."""
        return self.path / "wanted"

    @property
    def keeper_sock(self) -> Path:
        """The keeper's SEQPACKET listener."""
        return self.path / "keeper.sock"

    @property
    def nursery_sock(self) -> Path:
        """The nursery's SEQPACKET listener."""
        return self.path / "nursery.sock"

    @property
    def broker_sock(self) -> Path:
        """The broker's ROUTER for clients."""
        return self.path / "broker.sock"

    @property
    def workers_sock(self) -> Path:
        """The broker's ROUTER for workers."""
        return self.path / "workers.sock"

    @property
    def events_sock(self) -> Path:
        """The broker's XPUB of lifecycle events."""
        return self.path / "events.sock"

    @property
    def collector_sock(self) -> Path:
        """The collector's PULL."""
        return self.path / "collector.sock"

    @property
    def lanes(self) -> Path:
        """The directory of the lanes' sockets."""
        return self.path / "lanes"

    @property
    def log(self) -> Path:
        """The directory of the logs, one file per role."""
        return self.path / "log"

    @property
    def metrics(self) -> Path:
        """The directory of what the collector keeps and tells: token, endpoint, totals."""
        return self.path / "metrics"

    @property
    def metrics_token(self) -> Path:
        """The bearer token of the metrics endpoint, mode 0600."""
        return self.metrics / "token"

    @property
    def metrics_endpoint(self) -> Path:
        """Where the metrics endpoint is, as one JSON object."""
        return self.metrics / "endpoint.json"

    @property
    def metrics_totals(self) -> Path:
        """What the collector has added up."""
        return self.metrics / "totals"

    def lane_out(self, lane_id: str) -> Path:
        """Return the path of a lane's XPUB output socket."""
        return self.lanes / f"{lane_id}.out"

    def lane_in(self, lane_id: str) -> Path:
        """Return the path of a lane's ROUTER hot path socket."""
        return self.lanes / f"{lane_id}.in"

    def sockets(self) -> tuple[Path, ...]:
        """Return the plane's own sockets, without the lanes'."""
        return (
            self.keeper_sock,
            self.nursery_sock,
            self.broker_sock,
            self.workers_sock,
            self.events_sock,
            self.collector_sock,
        )

    def sockets_of(self, role: str) -> tuple[Path, ...]:
        """Return the sockets that a process of this role binds; a worker's are its lane's."""
        return {
            "keeper": (self.keeper_sock,),
            "nursery": (self.nursery_sock,),
            "broker": (self.broker_sock, self.workers_sock, self.events_sock),
            "collector": (self.collector_sock,),
        }.get(role, ())

    def log_file(self, role: str) -> Path:
        """Return the log file of a role."""
        return self.log / f"{role}.log"

    def check(self) -> None:
        """Refuse a directory that others could read, write or replace.

        Raises:
            RundirMissingError: it does not exist.
            RundirError: it is unsafe or its socket paths would be too long.
        """
        self._check_length()
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            raise RundirMissingError(
                f"{self.path} does not exist; start a plane with `lane up`"
            ) from None
        except OSError as error:
            raise RundirError(f"{self.path} cannot be examined: {error.strerror}") from error
        if stat.S_ISLNK(status.st_mode):
            raise RundirError(f"{self.path} is a symbolic link; name the directory itself")
        if not stat.S_ISDIR(status.st_mode):
            raise RundirError(f"{self.path} is not a directory; choose another with --runtime-dir")
        if status.st_uid != os.getuid():
            raise RundirError(
                f"{self.path} belongs to uid {status.st_uid}, not to uid {os.getuid()}; "
                "choose another with --runtime-dir"
            )
        mode = stat.S_IMODE(status.st_mode)
        if mode & 0o077:
            raise RundirError(
                f"{self.path} has mode {mode:04o}, open to others; run `chmod 700 {self.path}`"
            )

    def create(self) -> None:
        """Make the directory (0700) with its subdirectories if need be, and check it.

        Raises:
            RundirError: it is unsafe, its paths would be too long, or it cannot be made.
        """
        self._check_length()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError:
            pass  # a file or a dangling link; `check` says which
        except OSError as error:
            raise RundirError(f"{self.path} cannot be made: {error.strerror}") from error
        self.check()
        self.ensure_subdirs()

    def ensure_subdirs(self) -> None:
        """Make `lanes/`, `log/` and `metrics/` (0700) if they are missing.

        Raises:
            RundirError: one of them cannot be made.
        """
        for directory in (self.lanes, self.log, self.metrics):
            try:
                directory.mkdir(mode=0o700, exist_ok=True)
            except OSError as error:
                raise RundirError(f"{directory} cannot be made: {error.strerror}") from error

    def _check_length(self) -> None:
        if not self.path.is_absolute():
            raise RundirError(f"{self.path} is not absolute; give a path that starts with /")
        longest = max((*self.sockets(), self.lane_out("x" * _LANE_ID_LENGTH)), key=_byte_length)
        excess = _byte_length(longest) - SOCKET_PATH_MAX
        if excess > 0:
            raise RundirError(
                f"{self.path} is {excess} bytes too long for the sockets in it (a socket path has "
                f"at most {SOCKET_PATH_MAX}); choose a shorter one with --runtime-dir"
            )


def resolve(explicit: str | None, environ: Mapping[str, str], uid: int) -> Rundir:
    """Return the runtime directory that applies; it need not exist.

    The order is: `explicit`, `$LANEKEEPER_DIR`, `$XDG_RUNTIME_DIR/lanekeeper`,
    `/tmp/lanekeeper-UID`. The path is made absolute; links are kept, so that `check` sees them.
    """
    chosen = explicit or environ.get("LANEKEEPER_DIR")
    if chosen:
        return Rundir(Path(chosen).absolute())
    base = environ.get("XDG_RUNTIME_DIR")
    if base:
        return Rundir(Path(base, "lanekeeper").absolute())
    return Rundir(Path("/", "tmp", f"lanekeeper-{uid}"))


def _byte_length(path: Path) -> int:
    return len(os.fsencode(path))
