"""A loop that was stopped in its wait hears what was said meanwhile, before it judges anybody."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kit.waiting import wait_until

WAIT = 0.5
WAITER = f"""
import socket, sys
from lanekeeper.keeper.channel import Channel
from lanekeeper.keeper.loop import Handlers, Loop

loop = Loop(10)
channel = Channel(socket.socket(fileno=int(sys.argv[1])))
heard = []
loop.join(channel, Handlers(lambda _, received: heard.append(received.message["op"]), print))
print("waits", flush=True)
loop.turn({WAIT})
print(*heard, flush=True)
"""


def state(pid: int) -> str:
    """Return whether a process runs, sleeps or is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_what_came_while_it_was_stopped_is_heard() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with (
        ours,
        theirs,
        subprocess.Popen(
            [sys.executable, "-c", WAITER, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            text=True,
        ) as waiter,
    ):
        assert waiter.stdout is not None
        assert waiter.stdout.readline() == "waits\n"
        wait_until(lambda: state(waiter.pid) == "S", 5, "its wait")
        os.kill(waiter.pid, signal.SIGSTOP)
        wait_until(lambda: state(waiter.pid) == "T", 5, "its stop")
        ours.settimeout(2 * WAIT)
        ours.send(b'{"op": "beat"}')
        with pytest.raises(TimeoutError):
            ours.recv(1)  # nobody answers: this is the time that passes
        os.kill(waiter.pid, signal.SIGCONT)
        assert waiter.stdout.readline() == "beat\n"
