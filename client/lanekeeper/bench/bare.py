"""`python -m lanekeeper.bench.bare DIR PROGRAM`: a terminal over ZeroMQ and nothing else.

What an echo costs when there is no plane: the same sockets as a lane's (ROUTER for input, XPUB for
output, over ipc), the same program on a PTY, and the shortest loop that joins them, in a process of
its own. No envelope, no log, no journal. The difference to `PlainClient` is the plane's, the
difference to tmux ZeroMQ's. Started by `Bare`, and ended by the end of its standard input.
"""

import os
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import Final, Self

import zmq

from lanekeeper.bench.tmux import DEADLINE

TOPIC: Final = b"bare"
CHUNK: Final = 65536


def serve(directory: str, program: str) -> None:
    """Join the sockets and a program's PTY until standard input ends."""
    master, slave = os.openpty()
    child = subprocess.Popen(
        ["sh", "-c", program], stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    stdin = sys.stdin.fileno()
    with zmq.Context() as context:
        control, output = context.socket(zmq.ROUTER), context.socket(zmq.XPUB)
        control.bind(f"ipc://{directory}/in")
        output.bind(f"ipc://{directory}/out")
        poller = zmq.Poller()
        for each in (control, output, master, stdin):
            poller.register(each, zmq.POLLIN)
        while stdin not in (ready := dict(poller.poll())):
            if control in ready:
                route, data = control.recv_multipart()
                os.write(master, data)
                control.send_multipart((route, b""))
            if master in ready:
                output.send_multipart((TOPIC, os.read(master, CHUNK)))
            if output in ready:
                output.recv()
                output.send_multipart((TOPIC, b""))
        control.close(0)
        output.close(0)
    child.kill()
    child.wait()
    os.close(master)


class Bare:
    """Such a process and a client of it."""

    def __init__(self, program: str) -> None:
        """Start the process, connect, and wait until the subscription is in force."""
        self._directory = tempfile.TemporaryDirectory(prefix="lkbench-")
        at = self._directory.name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lanekeeper.bench.bare", at, program], stdin=subprocess.PIPE
        )
        self._context = zmq.Context()
        self._control = self._context.socket(zmq.DEALER)
        self._output = self._context.socket(zmq.SUB)
        self._output.subscribe(TOPIC)
        self._control.connect(f"ipc://{at}/in")
        self._output.connect(f"ipc://{at}/out")
        self._message()

    def key(self, data: bytes) -> bytes:
        """Send input and return the output that comes back."""
        self._control.send(data)
        while not (echo := self._message()):
            pass
        return echo

    def answers(self) -> None:
        """Take in the answers to what was sent."""
        while self._control.poll(0):
            self._control.recv()

    def __enter__(self) -> Self:
        """Use it in a `with`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process, and close both sockets."""
        self._control.close(0)
        self._output.close(0)
        self._context.term()
        self._process.communicate()
        self._directory.cleanup()

    def _message(self) -> bytes:
        if not self._output.poll(int(DEADLINE * 1000)):
            raise TimeoutError("no output came")
        return self._output.recv_multipart()[1]


if __name__ == "__main__":
    serve(*sys.argv[1:])
