"""The keeper's end of keeper.sock, in the hand of a test."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kit.waiting import wait_readable, wait_until
from lanekeeper.keeper.channel import Channel, Listener


class FakeKeeper:
    """Listens on keeper.sock and says what the test wants."""

    def __init__(self, directory: Path) -> None:
        """Listen."""
        self._listener = Listener(directory / "keeper.sock")
        self._channel: Channel | None = None
        self._heard: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close both ends."""
        self.hang_up()
        self._listener.close()

    def accept(self) -> None:
        """Take the connection of a daemon."""
        wait_readable(self._listener.fileno(), 10.0, "a daemon at keeper.sock")
        self._channel = wait_until(self._listener.accept, 10.0, "a channel")

    def hang_up(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def say(self, **message: Any) -> None:
        """Send a message."""
        assert self._channel is not None
        self._channel.send(message)

    def hear(self, op: str) -> dict[str, Any]:
        """Return the next message with that op; others before it are passed over."""
        assert self._channel is not None
        while True:
            while self._heard:
                message = self._heard.pop(0)
                if message["op"] == op:
                    return message
            wait_readable(self._channel.fileno(), 10.0, f"the message {op}")
            self._heard += [received.message for received in self._channel.receive()]
