"""The epoll loop under keeper and nursery: channels, pidfds, signals, nothing that blocks.

Owns registration, writability and the end of channels, and the pipe through which signals wake
the loop. Refuses to die by a peer: a channel that breaks the rules is closed and logged. Called by
the two shells, each with its own handlers; it knows no operation.
"""

import contextlib
import logging
import selectors
import signal
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lanekeeper.keeper.channel import Channel, ChannelError, Listener, Received
from lanekeeper.keeper.shortage import SCARCE

PAUSE: Final = 0.2
"""Seconds before a peer is accepted for whom there was no descriptor."""

_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Handlers:
    """What to call for a channel."""

    message: Callable[[Channel, Received], None]
    """For each message; the callee closes its descriptors."""

    gone: Callable[[Channel], None]
    """Once, after the channel has been closed."""


class Loop:
    """One selector and what is registered with it; every callback runs in `turn`."""

    def __init__(self, limit: int) -> None:
        """Open the selector and the wake-up pipe; of peers that connect, `limit` are served.

        The limit is well below that of descriptors: a listener that cannot accept would spin.
        """
        self._limit = limit
        self._selector = selectors.EpollSelector()
        self._wake, self._waker = socket.socketpair(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._channels: dict[Channel, Handlers] = {}
        self._served: list[Channel] = []
        self._paused: dict[int, Callable[[], None]] = {}

    def watch(self, fd: int, call: Callable[[], None]) -> None:
        """Call `call` while `fd` is readable, until `forget`."""
        self._selector.register(fd, selectors.EVENT_READ, call)

    def forget(self, fd: int) -> None:
        """Stop watching `fd`; before it is closed."""
        if self._paused.pop(fd, None) is None:
            self._selector.unregister(fd)

    def listen(self, listener: Listener, joined: Callable[[Channel], None]) -> None:
        """Call `joined` with every peer that connects; those of other uids are refused."""

        def accept() -> None:
            try:
                channel = listener.accept()
            except ChannelError as error:
                _LOGGER.warning("refused a peer: %s", error)
                if isinstance(error.__cause__, OSError) and error.__cause__.errno in SCARCE:
                    self._pause(listener.fileno())
                return
            if channel is not None and len(self._channels) >= self._limit:
                _LOGGER.warning("refused a peer: %d channels are open", self._limit)
                channel.close()
            elif channel is not None:
                joined(channel)

        self.watch(listener.fileno(), accept)

    def _pause(self, fd: int) -> None:
        """Look away from a listener whose peers cannot be accepted now; they wait in its queue."""
        self._paused[fd] = self._selector.get_key(fd).data
        self._selector.unregister(fd)

    def _resume(self) -> None:
        for fd, call in self._paused.items():
            self.watch(fd, call)
        self._paused.clear()

    def on_signals(self, numbers: Iterable[int], call: Callable[[int], None]) -> None:
        """Call `call` in the loop for each of these signals; several of one kind may be one."""
        for number in numbers:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)

        def woken() -> None:
            with contextlib.suppress(BlockingIOError):
                for number in self._wake.recv(4096):
                    call(number)

        self.watch(self._wake.fileno(), woken)

    def join(self, channel: Channel, handlers: Handlers) -> None:
        """Serve a channel until it is closed or dropped."""
        self._channels[channel] = handlers
        channel.lenient = True

        def serve() -> None:
            self._serve(channel, handlers)

        self._selector.register(channel, selectors.EVENT_READ, serve)

    def send(self, channel: Channel, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send or queue a message; a peer that does not read is dropped, one that left ignored."""
        if channel not in self._channels:
            return
        try:
            channel.send(message, fds)
        except ChannelError as error:
            _LOGGER.warning("closed a channel: %s", error)
            channel.closed = True
        # One that left is served to its last word first: an answer to the others must not end it.
        if channel not in self._served:
            self._settle(channel)

    def hear(self, channel: Channel) -> None:
        """Read what has come on a channel now, before it is its turn."""
        handlers = self._channels.get(channel)
        if handlers is not None:
            self._serve(channel, handlers)

    def drop(self, channel: Channel) -> None:
        """Close a channel and tell its handler; once."""
        handlers = self._channels.pop(channel, None)
        if handlers is None:
            return
        self._selector.unregister(channel)
        channel.close()
        handlers.gone(channel)

    def turn(self, timeout: float | None) -> None:
        """Wait for something to happen, at most `timeout` seconds, and call its handlers."""
        if self._paused:
            timeout = PAUSE if timeout is None else min(timeout, PAUSE)
        # Who was stopped in its wait until the time was over is told of nothing: it looks again,
        # or it would take for silent whoever has spoken meanwhile.
        found = self._selector.select(timeout) or self._selector.select(0)
        self._resume()
        for key, _ in found:
            # An earlier callback of this turn may have closed it and reused its number.
            if self._selector.get_map().get(key.fd) is key:
                key.data()

    def release(self) -> None:
        """Close everything without a word to anybody: at the end, and in a forked child."""
        for channel in self._channels:
            channel.close()
        self._channels.clear()
        self._selector.close()
        self._wake.close()
        self._waker.close()

    def _serve(self, channel: Channel, handlers: Handlers) -> None:
        try:
            channel.flush()
            batch = channel.receive()
        except ChannelError as error:
            channel.fault = error
            batch = []
            channel.closed = True
        self._served.append(channel)
        for received in batch:
            if channel in self._channels:
                handlers.message(channel, received)
            else:
                received.close()
        self._served.pop()
        if channel.fault is not None:
            _LOGGER.warning("closed a channel: %s", channel.fault)
        self._settle(channel)

    def _settle(self, channel: Channel) -> None:
        if channel.closed:
            self.drop(channel)
        elif channel in self._channels:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.wants_write else 0)
            key = self._selector.get_key(channel)
            if key.events != events:
                self._selector.modify(channel, events, key.data)
