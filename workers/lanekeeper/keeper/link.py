"""A daemon's channel to the keeper: opened when there is a keeper, missed without complaint.

Owns hello, ready, beat and the way back to a new keeper after the old one's death. Refuses nothing:
messages go to the daemon as they come. Called by broker and collector; one that never had a keeper
has a closed link, and may try again.
"""

import logging
from typing import Any, Final

from lanekeeper.keeper import identity
from lanekeeper.keeper.channel import Channel, ChannelError, connect
from lanekeeper.keeper.rundir import Rundir

BEAT_SECONDS: Final = 5.0
"""Between signs of life of the main loop, to the keeper."""

RETRY_FIRST: Final = 0.02
RETRY_MOST: Final = 5.0
"""Seconds between attempts to reach a keeper that was there and has gone, at first and at most."""

LOG: Final = logging.getLogger(__name__)


class Link:
    """One end of keeper.sock, open or not."""

    def __init__(self, rundir: Rundir, role: str) -> None:
        """Start closed."""
        self._rundir = rundir
        self._role = role
        self._channel: Channel | None = None
        self._beat_at = 0.0
        self._missed = False
        self._retry_at: float | None = None
        self._retry = RETRY_FIRST

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._channel is not None

    @property
    def wants_write(self) -> bool:
        """Whether messages wait for the keeper to read."""
        return self._channel is not None and self._channel.wants_write

    def fileno(self) -> int:
        """Return the descriptor to poll; only while it is open."""
        return -1 if self._channel is None else self._channel.fileno()

    def open(self, now: float) -> bool:
        """Connect, say hello and ready; return whether there is a keeper.

        Its absence is logged once, however often it is looked for.
        """
        if self._channel is not None:
            return True
        try:
            self._channel = connect(self._rundir.keeper_sock)
        except (OSError, ChannelError) as error:
            if not self._missed:
                self._missed = True
                LOG.info("found no keeper: %s", error)
            return False
        self._missed = False
        self._retry_at, self._retry = None, RETRY_FIRST
        me = identity.current()
        self.send({"op": "hello", "role": self._role, "pid": me.pid, "start_time": me.start_time})
        self.send({"op": "ready"})
        self._beat_at = now + BEAT_SECONDS
        return self.is_open

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; a channel that cannot send is closed."""
        if self._channel is None:
            return
        try:
            self._channel.send(message)
        except ChannelError as error:
            LOG.warning("lost the keeper while sending: %s", error)
            self.close()

    def beat(self, now: float) -> None:
        """Tell the keeper that the main loop turns, if it is time to."""
        if self._channel is not None and now >= self._beat_at:
            self._beat_at = now + BEAT_SECONDS
            self.send({"op": "beat"})

    def returns(self, now: float) -> bool:
        """Look for a keeper in place of one that has gone, if it is time to; True: there is one.

        It may not serve yet: a dead keeper's socket listens on, and what is said waits there.
        """
        if self._retry_at is None or now < self._retry_at:
            return False
        if self.open(now):
            return True
        self._retry_at = now + self._retry
        self._retry = min(2 * self._retry, RETRY_MOST)
        return False

    def next_beat(self) -> float | None:
        """Return when the next beat, or the next attempt to find a keeper, is due."""
        return self._retry_at if self._channel is None else self._beat_at

    def turn(self) -> list[dict[str, Any]]:
        """Send what waits, and return the messages that have come; closes a link that has ended."""
        channel = self._channel
        if channel is None:
            return []
        messages: list[dict[str, Any]] = []
        try:
            channel.flush()
            for received in channel.receive():
                received.close()
                messages.append(received.message)
        except ChannelError as error:
            LOG.warning("lost the keeper: %s", error)
            self.close()
        if channel.closed:
            self.close()
        return messages

    def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
            self._retry_at = 0.0
