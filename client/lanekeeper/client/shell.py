"""The blocking way to wait: turn the hub, poll its sockets, until something holds.

Owns no thread: leases are renewed inside every wait. Refuses use after close. Called by the
blocking handles; `wait` lets a program that owns its loop add its own descriptors.
"""

import time
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import zmq

from lanekeeper.client.effects import Operation
from lanekeeper.client.errors import error_for
from lanekeeper.client.hub import Hub

R = TypeVar("R")

TIDY_SECONDS: Final = 2.0
"""How long an operation that was interrupted may take to tidy up."""


class Shell:
    """Drives one hub from one thread."""

    def __init__(self, hub: Hub) -> None:
        """Wrap a hub."""
        self.hub = hub

    def perform(self, operation: Operation[R], timeout: float | None = None) -> R:
        """Return the result of an operation.

        After `timeout` seconds it is interrupted with a TimedOutError. An exception of the caller
        (Ctrl-C) interrupts it too and lets it tidy up before it goes on.
        """
        task = self.hub.start(operation, timeout)
        try:
            self.until(lambda: task.done, None)
        except BaseException:
            if not (task.done or self.hub.closed):
                self.hub.interrupt(task, error_for("CLOSED", "interrupted by the caller"))
                self.until(lambda: task.done, TIDY_SECONDS)
            raise
        return task.result()

    def until(self, ready: Callable[[], bool], timeout: float | None) -> bool:
        """Wait at most `timeout` seconds (None: for ever) until `ready`; return whether it is."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self.hub.turn()
            if ready():
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False
            self._poll(deadline, (), ())

    def wait(
        self, readers: Iterable[int], writers: Iterable[int], timeout: float | None
    ) -> frozenset[int]:
        """Wait until a descriptor is ready or something of the plane has moved.

        Returns the ready descriptors; none when the plane moved, or nothing did in `timeout`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        moved = self.hub.turn()
        while True:
            ready = self._poll(0.0 if moved else deadline, readers, writers)
            moved = self.hub.turn() or moved
            if ready or moved or (deadline is not None and time.monotonic() >= deadline):
                return ready

    def _poll(
        self, deadline: float | None, readers: Iterable[int], writers: Iterable[int]
    ) -> frozenset[int]:
        """Poll everything once, at most until `deadline` or until the hub is due."""
        poller = zmq.Poller()
        for socket, flags in self.hub.sockets.interests():
            poller.register(socket, flags)
        for descriptor in readers:
            poller.register(descriptor, zmq.POLLIN | zmq.POLLERR)
        for descriptor in writers:
            poller.register(descriptor, zmq.POLLOUT | zmq.POLLERR)
        times = [moment for moment in (deadline, self.hub.next_deadline()) if moment is not None]
        milliseconds = None
        if times:
            milliseconds = max(0, int((min(times) - time.monotonic()) * 1000) + 1)
        if deadline == 0.0:
            milliseconds = 0
        return frozenset(found for found, _ in poller.poll(milliseconds) if isinstance(found, int))
