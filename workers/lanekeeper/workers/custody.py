"""A lane's tie to the keeper: what is in its vault, the beat, and the way back to a new keeper.

Owns the channel, which comes and goes, and the list of what is deposited, which stays. Refuses
nothing: what the keeper says goes to the runner as it comes. A worker that was started by hand has
no keeper and no vault, and its custody is always complete.
"""

import logging
import math
from typing import Any, Final

from lanekeeper.keeper.channel import Channel, ChannelError, connect
from lanekeeper.keeper.deposits import Deposits
from lanekeeper.keeper.identity import Process
from lanekeeper.keeper.rundir import Rundir

RETRY_FIRST: Final = 0.02
RETRY_MOST: Final = 5.0
"""Seconds between attempts to reach a keeper that has gone, at first and at most."""

_LOG: Final = logging.getLogger(__name__)


class Custody:
    """The channel to the keeper and the deposits made through it."""

    def __init__(self, rundir: Rundir, me: Process, channel: Channel | None) -> None:
        """Use a channel on which hello was said, or none for ever."""
        self._rundir = rundir
        self._me = me
        self._channel = channel
        self._lane: dict[str, Any] = {}
        self._retry_at = math.inf
        self._retry = RETRY_FIRST
        self.deposits = Deposits()

    @property
    def channel(self) -> Channel | None:
        """The channel to poll, None while there is no keeper."""
        return self._channel

    @property
    def by_hand(self) -> bool:
        """Whether nobody started this worker but a person: there never was a keeper."""
        return not self._lane

    @property
    def deadline(self) -> float:
        """When `reconnect` is due (monotonic seconds)."""
        return self._retry_at

    def serve(self, lane: dict[str, Any]) -> None:
        """Deposit for this lane from now on; as it is told to a new keeper."""
        self._lane = lane
        if self._channel is not None:
            self.deposits.use(self._channel)

    def receive(self, now: float) -> list[dict[str, Any]]:
        """Return what the keeper said; answers to deposits are taken in on the way."""
        channel = self._channel
        if channel is None:
            return []
        messages: list[dict[str, Any]] = []
        try:
            channel.flush()
            for received in channel.receive():
                received.close()
                messages.append(received.message)
        except ChannelError:
            _LOG.exception("keeper broke the channel's rules")
            channel.closed = True
        if messages:
            self._retry = RETRY_FIRST
        if channel.closed:
            self._lost(now)
        return messages

    def beat(self, now: float) -> None:
        """Tell the keeper that the main loop turns, and how much it should hold."""
        self.deposits.again()
        self._send({"op": "beat", "held": self.deposits.held}, now)

    def leave(self) -> None:
        """Tell the keeper that the lane has ended: nothing is to be kept."""
        self._send({"op": "closed"}, math.inf)

    def reconnect(self, now: float) -> None:
        """Try to reach a keeper, if it is time to."""
        if self._channel is not None and self._channel.closed:
            self._lost(now)
        if now < self._retry_at:
            return
        try:
            channel = connect(self._rundir.keeper_sock)
        except (OSError, ChannelError):
            self._retry_at = now + self._retry
            self._retry = min(2 * self._retry, RETRY_MOST)
            return
        self._channel = channel
        self._retry_at, self._retry = math.inf, min(2 * self._retry, RETRY_MOST)
        identity = {"pid": self._me.pid, "start_time": self._me.start_time}
        told = {"lane": self._lane, "held": self.deposits.held}
        self._send({"op": "hello", "role": "worker", **identity, **told}, now)
        self.deposits.open(channel)
        _LOG.info("deposited %d descriptors with a new keeper", self.deposits.held)

    def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _send(self, message: dict[str, Any], now: float) -> None:
        if self._channel is None:
            return
        try:
            self._channel.send(message)
        except ChannelError as error:
            _LOG.warning("lost the keeper while sending: %s", error)
            self._lost(now)

    def _lost(self, now: float) -> None:
        _LOG.warning("keeper gone")
        self.close()
        self.deposits.close()
        # At once, but for a keeper that shuts the door before it has said a word.
        self._retry_at = now if self._retry == RETRY_FIRST else now + self._retry
