"""The asyncio way to wait: turn the hub whenever a socket's descriptor or a timer says so.

Works on any event loop with `add_reader`. ZeroMQ's descriptors are edge-triggered and an edge can
be eaten by a send, so every turn that moved something is followed by another, and a turn happens
every `SAFETY_SECONDS` at the latest. Called by `aio`.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeVar

from lanekeeper.client.effects import Operation
from lanekeeper.client.errors import error_for
from lanekeeper.client.hub import Hub
from lanekeeper.client.tasks import Task

R = TypeVar("R")

SAFETY_SECONDS: Final = 5.0
"""The longest time between two turns; what an idle process may wake."""


class AsyncShell:
    """Drives one hub from one event loop."""

    def __init__(self, hub: Hub) -> None:
        """Wrap a hub; must be called with the loop running."""
        self.hub = hub
        self._loop = asyncio.get_running_loop()
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[bool]]] = []
        self._watched: set[int] = set()
        self._version = -1
        self._timer: asyncio.TimerHandle | None = None
        self._soon: asyncio.Handle | None = None

    async def perform(self, operation: Operation[R], limit: float | None = None) -> R:
        """Return the result of an operation, interrupted after `limit` seconds.

        A cancelled one tidies up in the background.
        """
        task = self.begin(operation, limit)
        try:
            await self.until(lambda: task.done, None)
        except asyncio.CancelledError:
            if not (task.done or self.hub.closed):
                self.hub.interrupt(task, error_for("CLOSED", "cancelled by the caller"))
                self.kick()
            raise
        return task.result()

    def begin(self, operation: Operation[R], timeout: float | None = None) -> Task[R]:
        """Start an operation without waiting for it."""
        task = self.hub.start(operation, timeout)
        self.kick()
        return task

    async def until(self, ready: Callable[[], bool], limit: float | None) -> bool:
        """Wait at most `limit` seconds (None: for ever) until `ready`; return whether it is."""
        if ready():
            return True
        if self.hub.closed:
            raise error_for("CLOSED", "this plane was closed; connect again")
        future: asyncio.Future[bool] = self._loop.create_future()
        waiter = (ready, future)
        self._waiters.append(waiter)
        self.kick()
        try:
            async with asyncio.timeout(limit):
                return await future
        except TimeoutError:
            return ready()
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def kick(self) -> None:
        """Have the hub turned as soon as the loop is free."""
        if self._soon is None and not self.hub.closed:
            self._soon = self._loop.call_soon(self._turn)

    def close(self) -> None:
        """Stop watching and close the hub; everybody who waits gets a ClosedError."""
        if self.hub.closed:
            return
        for handle in (self._timer, self._soon):
            if handle is not None:
                handle.cancel()
        for descriptor in self._watched:
            self._loop.remove_reader(descriptor)
        self._watched.clear()
        self.hub.close()
        for ready, future in self._waiters:
            if not future.done():
                if ready():
                    future.set_result(True)
                else:
                    future.set_exception(error_for("CLOSED", "the plane was closed meanwhile"))

    def _turn(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        moved = self.hub.turn()
        self._watch()
        for ready, future in self._waiters:
            if not future.done() and ready():
                future.set_result(True)
        if moved:
            self.kick()
        self._schedule()

    def _watch(self) -> None:
        if self._version == self.hub.sockets.version:
            return
        self._version = self.hub.sockets.version
        wanted = set(self.hub.sockets.descriptors())
        for descriptor in self._watched - wanted:
            self._loop.remove_reader(descriptor)
        for descriptor in wanted - self._watched:
            self._loop.add_reader(descriptor, self._turn)
        self._watched = wanted

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self.hub.next_deadline()
        delay = SAFETY_SECONDS
        if due is not None:
            delay = min(max(due - time.monotonic(), 0.0), SAFETY_SECONDS)
        self._timer = self._loop.call_later(delay, self._turn)
