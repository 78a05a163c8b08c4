"""The asyncio handle of a terminal's writer lease: the twin of `writers`.

Made by `AsyncTerminal.lease`; an async context manager that gives the lease back.
"""

from lanekeeper.client.aioshell import AsyncShell
from lanekeeper.client.closing import AsyncClosing
from lanekeeper.client.feeding import InputQueue
from lanekeeper.client.writers import Held
from lanekeeper.client.writing import Hold, give_back


class AsyncWriter(Held, AsyncClosing):
    """The writer lease of one terminal; the running loop keeps it."""

    def __init__(self, shell: AsyncShell, queue: InputQueue, hold: Hold) -> None:
        """Have the terminal's input go under the lease."""
        super().__init__(queue, hold)
        self._shell = shell

    async def close(self) -> None:
        """Give it back; closing twice is fine."""
        if not (self._given or self._shell.hub.closed):
            self._given = True
            await self._shell.perform(give_back(self._hold))
            self._unset()
