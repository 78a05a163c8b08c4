"""A shell that runs what documents tell a reader to type.

Owns one real bash per document, with a private runtime directory and no configuration, and the
comparison with what the document says is printed. Refuses commands that fail: a document shows a
status with `echo $?`. Called by tests/docs.
"""

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kit import places
from kit.cluster import clean_environment
from kit.waiting import remaining, wait_readable

COMMAND_S: Final = 60.0


class CommandFailedError(AssertionError):
    """A command of a document ended with another status than 0."""


class Shell:
    """One bash, fed with one command at a time; a context manager."""

    def __init__(self) -> None:
        """Start the shell in an empty private directory."""
        self.base = places.private_directory()
        self._work = self.base / "work"
        self._work.mkdir()
        environ = clean_environment(self.base)
        environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ.get('PATH', '')}"
        environ |= {"NO_COLOR": "1", "TERM": "dumb", "HOME": str(self.base), "COLUMNS": "100"}
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environ,
            cwd=self._work,
            bufsize=0,
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the shell and what a broken document left running."""
        self._bash.kill()
        self._bash.communicate()
        if error is not None:
            lane = Path(sys.executable).with_name("lane")
            environ = clean_environment(self.base)
            subprocess.run([lane, "down", "--yes"], env=environ, capture_output=True, check=False)
        places.remove(self.base)

    def run(self, command: str) -> str:
        """Run one command and return what it printed on both streams.

        Raises:
            CommandFailedError: its status is not 0.
        """
        script = self.base / "command.sh"
        script.write_text(command + "\n", "utf-8")
        token = secrets.token_hex(8)
        # Sourced, so that `cd` and variables last; without the pipe that carries the commands.
        line = f". '{script}' </dev/null; printf '\\n{token} %s\\n' $?\n"
        stream = self._bash.stdin
        if stream is None:
            raise CommandFailedError("the shell has no standard input")
        stream.write(line.encode())
        output, status = self._until(token)
        if status:
            raise CommandFailedError(f"$ {command}\nended with status {status}:\n{output}")
        return output

    def run_program(self, source: str) -> str:
        """Run a Python program and return what it printed; raises as `run` does."""
        path = self.base / "program.py"
        path.write_text(source, "utf-8")
        return self.run(f"'{sys.executable}' '{path}'")

    def _until(self, token: str) -> tuple[str, int]:
        stream = self._bash.stdout
        if stream is None:
            raise CommandFailedError("the shell has no standard output")
        deadline = time.monotonic() + COMMAND_S
        seen = b""
        closing = re.compile(rb"\n%s (\d+)\n" % token.encode())
        while not (found := closing.search(seen)):
            wait_readable(stream.fileno(), remaining(deadline), f"end of the command; {seen!r}")
            data = os.read(stream.fileno(), 65536)
            if not data:
                raise CommandFailedError(f"the shell ended: {seen!r}")
            seen += data
        return seen[: found.start()].decode("utf-8", "replace"), int(found.group(1))


def console_commands(block: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with the output printed below it."""
    command: list[str] = []
    output: list[str] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield "\n".join(command), "\n".join(output)
            command, output = [line[2:]], []
        elif line.startswith("> ") and not output:
            command.append(line[2:])
        else:
            output.append(line)
    if command:
        yield "\n".join(command), "\n".join(output)


def matches(wanted: str, seen: str) -> bool:
    """Return whether `seen` is what a document prints; `...` stands for any text, also of lines."""
    parts = _trimmed(wanted).split("...")
    return re.fullmatch(".*".join(map(re.escape, parts)), _trimmed(seen), re.DOTALL) is not None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
