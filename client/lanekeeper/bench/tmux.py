"""The peer: tmux in control mode, driven as a program would drive it."""

import os
import re
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

_OUTPUT: Final = re.compile(rb"^%output %\d+ (.*)$")
_OCTAL: Final = re.compile(rb"\\([0-7]{3})")
DEADLINE: Final = 120.0


def available() -> str | None:
    """Return tmux's version, None when it is not installed."""
    if shutil.which("tmux") is None:
        return None
    done = subprocess.run(["tmux", "-V"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Tmux:
    """One tmux server with one control-mode client, in a private directory."""

    def __init__(self, command: str) -> None:
        """Start a server whose one pane runs `command` by the shell, and attach to it."""
        self._dir = tempfile.mkdtemp(prefix="lkbench-")
        self._socket = str(Path(self._dir) / "s")
        server = ["tmux", "-S", self._socket]
        self._process = subprocess.Popen(
            [*server, "-f", "/dev/null", "-C", "new-session", "-x", "80", "-y", "24", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if self._process.stdout is None or self._process.stdin is None:
            raise OSError("tmux has no pipes")
        self._out = self._process.stdout.fileno()
        self._in = self._process.stdin.fileno()
        self._rest = b""
        # The server ends with its client, and its client with us: also when we are killed.
        self.command("set-option -s exit-unattached on")

    def keys(self, text: str) -> None:
        """Type `text` literally."""
        os.write(self._in, b"send-keys -l " + text.encode() + b"\n")

    def command(self, line: str) -> None:
        """Give tmux a command."""
        os.write(self._in, line.encode() + b"\n")

    def output(self, timeout: float = DEADLINE) -> bytes | None:
        """Return the next output of the pane, b"" for other lines; None when tmux has ended.

        Raises:
            TimeoutError: nothing came in time.
        """
        while b"\n" not in self._rest:
            if not select.select([self._out], [], [], timeout)[0]:
                raise TimeoutError("tmux said nothing")
            data = os.read(self._out, 1 << 20)
            if not data:
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        found = _OUTPUT.match(line)
        if found is None:
            return None if line.startswith(b"%exit") else b""
        return _OCTAL.sub(lambda m: bytes([int(m[1], 8)]), found[1])

    def wait_for(self, marker: bytes, timeout: float = DEADLINE) -> float:
        """Read until `marker` was printed; return when (monotonic seconds)."""
        seen = b""
        while marker not in seen:
            data = self.output(timeout)
            if data is None:
                break
            seen = (seen + data)[-4096:]
        return time.perf_counter()

    def drain(self) -> int:
        """Read to the end; return the bytes of raw control-mode output."""
        count = len(self._rest)
        while True:
            if not select.select([self._out], [], [], DEADLINE)[0]:
                raise TimeoutError("tmux said nothing")
            data = os.read(self._out, 1 << 20)
            if not data:
                return count
            count += len(data)

    def close(self) -> None:
        """End the server."""
        subprocess.run(
            ["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False
        )
        self._process.terminate()
        self._process.communicate()
        shutil.rmtree(self._dir, ignore_errors=True)
