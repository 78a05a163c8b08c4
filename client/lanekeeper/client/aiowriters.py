"""The asyncio handle of a terminal's writer lease: the twin of `writers`.

Made by `AsyncTerminal.lease`; an async context manager that gives the lease back.
"""

from types import TracebackType
from typing import Self

from lanekeeper.client.aioshell import AsyncShell
from lanekeeper.client.errors import LaneError
from lanekeeper.client.feeding import InputQueue
from lanekeeper.client.writers import unset
from lanekeeper.client.writing import Hold, give_back


class AsyncWriter:
    """The writer lease of one terminal; the running loop keeps it."""

    def __init__(self, shell: AsyncShell, queue: InputQueue, hold: Hold) -> None:
        """Have the terminal's input go under the lease."""
        self._shell = shell
        self._queue = queue
        self._hold = hold
        self._given = False
        queue.writer_id = hold.writer_id

    @property
    def writer_id(self) -> str:
        """The token of the lease."""
        return self._hold.writer_id

    @property
    def lost(self) -> LaneError | None:
        """Why it is no longer held: NOT_WRITER when another client has taken it over."""
        return self._hold.lost

    async def close(self) -> None:
        """Give it back; closing twice is fine."""
        if not (self._given or self._shell.hub.closed):
            self._given = True
            await self._shell.perform(give_back(self._hold))
            unset(self._queue, self._hold)

    async def __aenter__(self) -> Self:
        """Return the lease itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give it back."""
        await self.close()
