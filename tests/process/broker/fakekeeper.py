"""The keeper's end of keeper.sock, in the hand of a test."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kit.waiting import wait_readable, wait_until
from lanekeeper.keeper.channel import Channel, Listener, Received
from lanekeeper.keeper.framing import close_all


class FakeKeeper:
    """Listens on keeper.sock and says what the test wants."""

    def __init__(self, directory: Path) -> None:
        """Listen."""
        self._listener = Listener(directory / "keeper.sock")
        self._channel: Channel | None = None
        self._heard: list[dict[str, Any]] = []
        self._vault: dict[str, dict[str, int]] = {}

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
        self.forget()
        self._listener.close()

    def accept(self) -> None:
        """Take the connection of a daemon."""
        self.hang_up()
        wait_readable(self._listener.fileno(), 10.0, "a daemon at keeper.sock")
        self._channel = wait_until(self._listener.accept, 10.0, "a channel")

    def greet(self, *lanes: dict[str, Any]) -> dict[str, Any]:
        """Take a connection, hand over what was deposited, list lanes, and return the hello."""
        self.accept()
        hello = self.hear("hello")
        assert self._channel is not None
        for name, entry in self._vault.items():
            told = {"op": "inherit", "name": name, "kinds": list(entry)}
            self._channel.send(told, tuple(entry.values()))
        self.say(op="welcome", plane="plane_x", keeper_pid=1)
        self.say(op="workers", lanes=[{"lane": lane} for lane in lanes], more=False)
        return hello

    @property
    def deposited(self) -> dict[str, list[str]]:
        """The kinds that were deposited, by name."""
        return {name: list(entry) for name, entry in self._vault.items()}

    def forget(self) -> None:
        """Close everything that was deposited, as a keeper that dies does."""
        for entry in self._vault.values():
            close_all(entry.values())
        self._vault.clear()

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
            for received in self._channel.receive():
                self._heard.append(received.message)
                self._keep(received)

    def _keep(self, received: Received) -> None:
        message = received.message
        if message["op"] == "deposit":
            entry = self._vault.setdefault(message["name"], {})
            fds = dict(zip(message["kinds"], received.fds, strict=True))
            close_all(entry[kind] for kind in fds if kind in entry)
            entry |= fds
            self.say(op="deposited", id=message["id"])
        elif message["op"] == "release":
            close_all(self._vault.pop(message["name"], {}).values())
            self.say(op="released", id=message["id"])
        else:
            received.close()
