"""The main job of Lanekeeper on real programs, from an empty directory back to an empty machine.

Drives nothing but the `lane` command line, as a person or a script would: a plane in a private
runtime directory, a workspace, lanes with a colourful script, a Python prompt and a failing
program, attaching through a real terminal, worker, broker and keeper killed under a stream that
checks itself, the events, the end. It checks what it shows and fails if anything differs or is left
behind. Called by `make demo`.
"""

import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import unbroken

from lanekeeper.soak.stream import WrongByteError

LANE: Final = str(Path(sys.executable).with_name("lane"))
PATIENCE_S: Final = 15.0
MOVEMENT: Final = re.compile(r"\x1b(?:\[[0-9;?]*[@-~]|\][^\x07]*\x07|[()].|[78=>c])")
"""What moves the cursor, sets a mode or a title: of no use in a quoted screen."""

COLOURS: Final = r"""
for code in 31 32 33 34 35 36; do
    printf '\033[%sm  colour %s  \033[0m' "$code" "$code"
done
printf '\n\033[1mwhere:\033[0m %s, lane %s\n' "${PWD##*/}" "$LANEKEEPER_LANE"
"""
COUNTER: Final = r"""
n=0
while ! read -r -t 0.2 line; do n=$((n + 1)); echo "tick $n"; done
echo "told: $line"
exit 3
"""


class DemoError(Exception):
    """Something was not as it has to be; the message says what."""


def say(text: str) -> None:
    """Print one line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def check(truth: object, what: str) -> None:
    """Fail unless `truth`.

    Raises:
        DemoError: it is not.
    """
    if not truth:
        raise DemoError(what)


class Demo:
    """One run of the demo in a private runtime directory."""

    def __init__(self, base: Path) -> None:
        """Prepare the environment of a user who has no plane yet."""
        self.dir = base / "plane"
        mine = {name: value for name, value in os.environ.items() if "LANEKEEPER" not in name}
        self.env = mine | {"LANEKEEPER_DIR": str(self.dir), "XDG_CONFIG_HOME": str(base)}

    def lane(self, *args: str, status: int = 0, show: bool = True) -> str:
        """Run `lane ARGS`, show its output as it comes, and return it.

        Raises:
            DemoError: it ended with another status than `status`.
        """
        if show:
            say(f"\n\033[2m$ lane {shown(args)}\033[0m")
        output = bytearray()
        with subprocess.Popen(
            [LANE, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=self.env,
            bufsize=0,
        ) as process:
            pipe = process.stdout
            while pipe is not None and (data := pipe.read(65536)):
                output += data
                if show:
                    sys.stdout.buffer.write(data)
                    sys.stdout.flush()
        check(
            process.returncode == status,
            f"lane {shown(args)} ended with {process.returncode}, not {status}",
        )
        return output.decode("utf-8", "replace")

    def attach(self, name: str, until: str, keys: bytes, status: int) -> None:
        """Attach with a real terminal, wait until it shows `until`, press `keys`, see the end.

        Raises:
            DemoError: the text did not come, or the status is another one.
        """
        say(f"\n\033[2m$ lane attach {name}\033[0m")
        master, slave = os.openpty()
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", LANE, "attach", name],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=self.env,
        )
        os.close(slave)
        try:
            seen = read_until(master, until)
            os.write(master, keys)
            seen += read_until(master, None)
        finally:
            os.close(master)
        lines = MOVEMENT.sub("", seen).replace("\r", "").splitlines()
        say("\n".join(f"  | {line.rstrip()}" for line in lines if line.strip()))
        found = process.wait(PATIENCE_S)
        check(found == status, f"lane attach {name} ended with {found}, not {status}")


def shown(args: Sequence[str]) -> str:
    """Return arguments as one would read them, long ones shortened."""
    return " ".join(arg if "\n" not in arg else "'...'" for arg in args)


def read_until(master: int, text: str | None) -> str:
    """Read from a terminal until a text appears, or without one until its end.

    Raises:
        DemoError: it does not come in time.
    """
    seen = b""
    deadline = time.monotonic() + PATIENCE_S
    while text is None or text.encode() not in seen:
        ready, _, _ = select.select([master], [], [], max(0.0, deadline - time.monotonic()))
        check(ready, f"the terminal does not show {text!r}: {seen!r}")
        try:
            seen += os.read(master, 65536)
        except OSError:  # EIO: the program at the other end has gone
            check(text is None, f"the terminal ended before {text!r}: {seen!r}")
            break
    return seen.decode("utf-8", "replace")


def start(demo: Demo) -> None:
    """Start the plane and open a workspace."""
    demo.lane("up", "--detach")
    demo.lane("workspace", "create", "demo")
    demo.lane("workspace", "open", "demo")
    demo.lane("status")


def run_programs(demo: Demo) -> None:
    """Run three real programs and see their true ends."""
    demo.lane("create", "demo/colours")
    output = demo.lane("run", "demo/colours", "--", "bash", "-c", COLOURS)
    check("\033[31m  colour 31" in output, "the colours did not arrive as they were written")

    demo.lane("run", "--detach", "demo/repl", "--", sys.executable, "-q", "-i")
    demo.lane("send", "demo/repl", "print('the answer is', 6 * 7)", "--enter")
    demo.lane("send", "demo/repl", "exit(5)", "--enter")
    ended = demo.lane("wait", "demo/repl", "--exit", "--timeout", "10")
    check("exit 5" in ended, "the prompt did not end with status 5")
    check("the answer is 42" in demo.lane("read", "demo/repl"), "the prompt gave no answer")

    demo.lane("run", "demo/fails", "--", "sh", "-c", "echo about to fail; exit 7", status=7)
    say("(exit status 7)")


def attach_twice(demo: Demo) -> None:
    """Attach, detach while the program goes on, attach again and end it by hand."""
    demo.lane("run", "--detach", "demo/counter", "--", "bash", "-c", COUNTER)
    demo.attach("demo/counter", "tick 3", b"\x1d", 0)
    say("(detached with ctrl-]; the program goes on)")
    demo.lane("ls")
    demo.attach("demo/counter", "tick 6", b"stop\r", 3)
    say("(attached again: all ticks are there; told to stop, it ended with status 3)")


def survive(demo: Demo) -> None:
    """Kill worker, broker and keeper under a stream that checks itself; nothing is missing."""
    demo.lane("run", "--detach", "demo/stream", "--", *unbroken.PROGRAM)
    before = demo.lane("terminal", "show", "demo/stream", "--json", show=False)
    say("(every block of its output has a number and bytes that follow from it)")
    try:
        judge = unbroken.kill_all(demo.lane, LANE, demo.env, lambda line: say(f"  {line}"))
    except (WrongByteError, TimeoutError) as error:
        raise DemoError(f"the stream broke: {error}") from error
    demo.lane("wait", "demo/stream", "--exit", "--timeout", "10")
    after = demo.lane("terminal", "show", "demo/stream", "--json", show=False)
    was, now = (json.loads(text)["terminal"] for text in (before, after))
    check(now["exit"]["code"] == unbroken.STATUS, "the program's own status got lost")
    check((was["pid"], was["runs"]) == (now["pid"], now["runs"]), "it is another program")
    size = judge.offset / 1e6
    say(f"({size:.1f} MB, nothing lost, doubled or moved; the same process, its own exit status)")


def look_back(demo: Demo) -> None:
    """Show the lanes and the events with their correlation ids."""
    demo.lane("ls")
    events = [json.loads(line) for line in demo.lane("events", "--json", show=False).splitlines()]
    check(events, "no events were kept")
    say("\n\033[2m$ lane events\033[0m")
    for event in events:
        say(f"  {event['seq']:>3}  {event['topic']:<26} {event['correlation_id']}")
    numbers = [event["seq"] for event in events]
    check(numbers == list(range(1, len(events) + 1)), "the events have holes")
    topics = {event["topic"] for event in events}
    for topic in ("workspace.created", "lane.created", "terminal.spawned"):
        check(topic in topics, f"no event {topic}")


def left_behind(directory: Path) -> list[str]:
    """Return what still belongs to the plane: processes by their environment, sockets."""
    marks = (f"LANEKEEPER_DIR={directory}".encode(), f"LANEKEEPER_PLANE={directory}".encode())
    found = [str(path) for path in directory.rglob("*") if path.is_socket()]
    for entry in Path("/proc").iterdir():
        try:
            environ = (entry / "environ").read_bytes() if entry.name.isdecimal() else b""
        except OSError:
            continue
        if any(mark in environ.split(b"\0") for mark in marks):
            found.append(f"process {entry.name}")
    return found


def main() -> int:
    """Run the demo; return 0 if all was as it has to be."""
    started = time.monotonic()
    base = Path(tempfile.mkdtemp(prefix="lane-demo-"))
    demo = Demo(base)
    try:
        start(demo)
        run_programs(demo)
        attach_twice(demo)
        survive(demo)
        look_back(demo)
        demo.lane("down", "--yes")
        remains = left_behind(demo.dir)
        check(not remains, f"left behind: {remains}")
    except DemoError as error:
        say(f"\ndemo failed: {error}")
        subprocess.run([LANE, "down", "--yes"], env=demo.env, capture_output=True, check=False)
        return 1
    finally:
        shutil.rmtree(base, ignore_errors=True)
    say(f"\ndone in {time.monotonic() - started:.1f} s; no process, socket or file is left")
    return 0


if __name__ == "__main__":
    sys.exit(main())
