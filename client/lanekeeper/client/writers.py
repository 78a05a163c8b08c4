"""The blocking handle of a terminal's writer lease; `aiowriters` has the one for asyncio.

While it is held, everything its `Terminal` sends goes under it. Made by `Terminal.lease`; a context
manager that gives the lease back.
"""

from lanekeeper.client.closing import Closing
from lanekeeper.client.errors import LaneError
from lanekeeper.client.feeding import InputQueue
from lanekeeper.client.shell import Shell
from lanekeeper.client.writing import Hold, give_back


class Held:
    """What both handles of a writer lease have in common."""

    def __init__(self, queue: InputQueue, hold: Hold) -> None:
        """Have the terminal's input go under the lease."""
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

    def _unset(self) -> None:
        """Let the terminal's input go as anybody's again, unless a newer lease is held."""
        if self._queue.writer_id == self._hold.writer_id:
            self._queue.writer_id = None


class Writer(Held, Closing):
    """The writer lease of one terminal; it lives while the plane is used or waited for."""

    def __init__(self, shell: Shell, queue: InputQueue, hold: Hold) -> None:
        """Have the terminal's input go under the lease."""
        super().__init__(queue, hold)
        self._shell = shell

    def close(self) -> None:
        """Give it back; closing twice is fine."""
        if not (self._given or self._shell.hub.closed):
            self._given = True
            self._shell.perform(give_back(self._hold))
            self._unset()
