"""A client in plain ZeroMQ and MessagePack, as lean as docs/protocol.md lets a program be.

It is the counterpart of the bare loop that drives tmux: what it measures is the plane, not a client
library.
"""

import os
from itertools import count
from types import TracebackType
from typing import Final, Self

import msgpack
import zmq

from lanekeeper.bench.tmux import DEADLINE

STAMP: Final = "2026-01-01T00:00:00Z"


class PlainClient:
    """One terminal's input and output by two sockets."""

    def __init__(self, output: str, control: str, terminal_id: str) -> None:
        """Connect, subscribe, and wait until the subscription is in force."""
        self._context = zmq.Context()
        self._control = self._context.socket(zmq.DEALER)
        self._output = self._context.socket(zmq.SUB)
        self._control.connect(control)
        token = b"tok_" + os.urandom(8).hex().encode()
        self._output.subscribe(terminal_id)
        self._output.subscribe(token)
        self._output.connect(output)
        self._terminal = terminal_id
        self._ids = (f"bench-{os.getpid()}-{number}" for number in count())
        self._await(token)

    def key(self, data: bytes) -> None:
        """Send input."""
        command = {
            "type": "command",
            "v": 1,
            "id": next(self._ids),
            "ts": STAMP,
            "method": "terminal.input",
            "terminal_id": self._terminal,
            "payload": {"data": data},
        }
        self._control.send(msgpack.packb(command))

    def echo(self) -> bytes:
        """Return the next output bytes; TimeoutError when there are none for long."""
        while True:
            if not self._output.poll(int(DEADLINE * 1000)):
                raise TimeoutError("no output came")
            frames = self._output.recv_multipart()
            if frames[2]:
                return frames[2]

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
        """Close both sockets."""
        self._control.close(0)
        self._output.close(0)
        self._context.term()

    def _await(self, token: bytes) -> None:
        while self._output.recv_multipart()[0] != token:
            pass
