"""A plane of its own for a benchmark, in a short private directory, gone afterwards."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import Final, Self

from lanekeeper.keeper.identity import Process, plane_processes
from lanekeeper.keeper.rundir import resolve

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 60.0
WARM: Final = 4
"""Workers that wait for a lane in a plane that nobody has tuned: the keeper's default."""


class PrivatePlane:
    """A context manager around a real keeper with everything it starts.

    Attributes:
        directory: the runtime directory.
        scratch: a directory for files of the benchmark.
    """

    def __init__(self) -> None:
        """Prepare; `with` starts it."""
        self.scratch = tempfile.mkdtemp(prefix="lkb-")
        self.directory = f"{self.scratch}/p"
        self._keeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the plane and wait until it is ready; OSError with the reason when it does not."""
        read, write = os.pipe()
        arguments = ["--runtime-dir", self.directory, "--ready-fd", str(write), "--ephemeral"]
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "lanekeeper.keeper", *arguments],
            pass_fds=(write,),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(write)
        try:
            ready = select.select([read], [], [], READY_SECONDS)[0]
            said = os.read(read, 4096) if ready else b"no answer in time"
        finally:
            os.close(read)
        if said != b"ready\n":
            self._stop()
            raise OSError(f"the plane did not start: {said.decode(errors='replace').strip()}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the plane."""
        self._stop()

    def processes(self) -> list[tuple[str, Process]]:
        """Return role and identity of every process of the plane."""
        return plane_processes(resolve(self.directory, os.environ, os.getuid()))

    def _stop(self) -> None:
        if self._keeper is not None:
            self._keeper.send_signal(signal.SIGTERM)
            self._keeper.wait(STOP_SECONDS)
        shutil.rmtree(self.scratch, ignore_errors=True)
