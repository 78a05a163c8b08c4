"""A daemon's channel to the keeper: opened when there is a keeper, missed without complaint.

Owns hello, ready and beat, what the daemon has deposited in the vault (every new keeper gets all of
it), and what a predecessor has left there. Refuses nothing: messages go to the daemon as they come.
Called by broker and collector; one without a keeper has a closed link, and may try again.
"""

import logging
import select
import time
from collections.abc import Mapping
from typing import Any, Final

from lanekeeper.keeper import identity
from lanekeeper.keeper.channel import Channel, ChannelError, connect
from lanekeeper.keeper.deposits import Deposits
from lanekeeper.keeper.framing import Received, close_all
from lanekeeper.keeper.rundir import Rundir

BEAT_SECONDS: Final = 5.0
"""Between signs of life of the main loop, to the keeper."""

RETRY_FIRST: Final = 0.02
RETRY_MOST: Final = 5.0
"""Seconds between looks for the keeper that follows a lost one."""

WELCOME_SECONDS: Final = 5.0
"""For a keeper to answer a hello; it does so at once, or hangs."""

_OF_DEPOSITS: Final = frozenset({"deposited", "released"})

LOG: Final = logging.getLogger(__name__)


class SilentKeeperError(OSError):
    """There is a keeper, and it does not answer: what it holds for us is out of reach."""


class Link:
    """One end of keeper.sock, open or not."""

    def __init__(self, rundir: Rundir, role: str, *, serving: bool = True) -> None:
        """Start closed; a daemon that is not `serving` yet says `serve` when it is."""
        self._rundir = rundir
        self._role = role
        self._serving = serving
        self._channel: Channel | None = None
        self._early: list[dict[str, Any]] = []
        self.deposits = Deposits()
        self._beat_at = 0.0
        self._retry_at: float | None = None
        self._retry = RETRY_FIRST
        self._missed = False

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
        """Connect, say hello, deposit what there is, say ready; return whether there is a keeper.

        Its absence is logged once, however often it is looked for.

        Raises:
            SilentKeeperError: one is there and accepts nobody, at the first look.
        """
        if self._channel is not None:
            return True
        first = self._retry_at is None
        try:
            self._channel = connect(self._rundir.keeper_sock, WELCOME_SECONDS if first else 0.0)
        except BlockingIOError as error:
            if first:
                text = f"the keeper has accepted nobody for {WELCOME_SECONDS:.0f} s"
                raise SilentKeeperError(text) from error
            return False
        except (OSError, ChannelError) as error:
            if not self._missed:
                self._missed = True
                LOG.info("found no keeper: %s", error)
            return False
        self._missed = False
        self._retry_at, self._retry = None, RETRY_FIRST
        me = identity.current()
        hello = {"op": "hello", "role": self._role, "pid": me.pid, "start_time": me.start_time}
        self.send(hello | {"held": self.deposits.held})
        if self._channel is not None:
            self.deposits.open(self._channel)
        if self._serving:
            self.send({"op": "ready"})
        self._beat_at = now + BEAT_SECONDS
        return self.is_open

    def inherit(self, seconds: float = WELCOME_SECONDS) -> dict[str, dict[str, int]]:
        """Wait for the keeper's welcome and return what a predecessor left, by name and kind.

        The caller owns the descriptors. Without a keeper there is nothing.

        Raises:
            SilentKeeperError: no welcome within `seconds`.
        """
        found: dict[str, dict[str, int]] = {}
        deadline = time.monotonic() + seconds
        while self._channel is not None:
            left = deadline - time.monotonic()
            if left <= 0 or not _readable(self._channel.fileno(), left):
                for entry in found.values():
                    close_all(entry.values())
                raise SilentKeeperError(f"the keeper said nothing for {seconds:.0f} s")
            if self._take(self._receive(), found):
                break
        return found

    def deposit(self, name: str, entry: Mapping[str, int]) -> None:
        """Have the keeper, and each that follows it, hold duplicates; the caller keeps its own."""
        try:
            self.deposits.put(name, entry)
        except ChannelError as error:
            LOG.warning("lost the keeper while depositing: %s", error)
            self._lose()

    def serve(self) -> None:
        """Say that the daemon serves now, to this keeper and to each that follows it."""
        self._serving = True
        self.send({"op": "ready"})

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; a channel that cannot send is closed."""
        if self._channel is None:
            return
        try:
            self._channel.send(message)
        except ChannelError as error:
            LOG.warning("lost the keeper while sending: %s", error)
            self._lose()

    def beat(self, now: float) -> None:
        """Tell the keeper that the main loop turns, if it is time to."""
        if self._channel is not None and now >= self._beat_at:
            self._beat_at = now + BEAT_SECONDS
            self.deposits.again()
            self.send({"op": "beat", "held": self.deposits.held})

    def deadline(self) -> float | None:
        """Return when the next beat, or the next look for a keeper, is due."""
        return self._retry_at if self._channel is None else self._beat_at

    def retry(self, now: float) -> bool:
        """Look for the keeper that follows a lost one, if it is time to; return whether it came."""
        if self._retry_at is None or now < self._retry_at:
            return False
        if self.open(now):
            return True
        self._retry = min(self._retry * 2, RETRY_MOST)
        self._retry_at = now + self._retry
        return False

    def turn(self) -> list[dict[str, Any]]:
        """Send what waits, and return the messages that have come; closes a link that has ended."""
        messages, self._early = self._early, []
        for received in self._receive():
            received.close()
            message = received.message
            if message["op"] in _OF_DEPOSITS or isinstance(message.get("id"), int):
                self.deposits.answered(message)
            if message["op"] not in _OF_DEPOSITS:
                messages.append(message)
        return messages

    def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _receive(self) -> list[Received]:
        channel = self._channel
        batch: list[Received] = []
        if channel is None:
            return batch
        try:
            channel.flush()
            batch = channel.receive()
        except ChannelError as error:
            LOG.warning("lost the keeper: %s", error)
            self._lose()
        if channel.closed:
            self._lose()
        return batch

    def _take(self, batch: list[Received], found: dict[str, dict[str, int]]) -> bool:
        """Sort what came before and after the welcome; return whether it has come."""
        welcome = False
        for received in batch:
            message = received.message
            if message["op"] == "inherit" and not welcome:
                kinds = dict(zip(message.get("kinds", ()), received.fds, strict=False))
                found.setdefault(str(message.get("name")), {}).update(kinds)
                close_all(set(received.fds) - set(kinds.values()))
                continue
            received.close()
            welcome = welcome or message["op"] == "welcome"
            self._early.append(message)
        return welcome

    def _lose(self) -> None:
        self.close()
        self.deposits.close()
        self._retry_at = time.monotonic()


def _readable(fd: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
