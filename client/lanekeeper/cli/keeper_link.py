"""The keeper's socket as the command line uses it: ask, wait for the answer, wait for the end.

Owns the hello and the deadlines. Called by `up`, `down`, `status` and `restart`, which must work
while the broker does not.
"""

import os
import select
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

from lanekeeper.cli.errors import CliError
from lanekeeper.keeper.channel import Channel, ChannelError, connect
from lanekeeper.keeper.identity import Process, current, start_time
from lanekeeper.keeper.rundir import Rundir

HELLO_SECONDS: Final = 3.0


class KeeperLink:
    """One connection to a keeper; use it in a `with`."""

    def __init__(self, channel: Channel) -> None:
        """Take over a connected channel."""
        self._channel = channel
        self._arrived: list[dict[str, Any]] = []
        self._asked = 0
        pid, _ = channel.peer()
        self.keeper = Process(pid, start_time(pid) or 0)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._channel.close()

    def ask(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send a request and return its answer.

        Raises:
            CliError: the keeper refuses it, goes away or does not answer in time.
        """
        self._asked += 1
        number = f"cli-{os.getpid()}-{self._asked}"
        self._channel.send({**message, "id": number})
        return self._answer(number, str(message["op"]), time.monotonic() + seconds)

    def status(self) -> dict[str, Any]:
        """Return the keeper's status, its pages put together."""
        return self._pages("status", "processes")

    def owners(self) -> list[str]:
        """Return who has something in the vault: each lane that has not ended, and the broker."""
        return [str(entry["owner"]) for entry in self._pages("vault", "entries")["entries"]]

    def wait_closed(self, seconds: float) -> bool:
        """Wait until the keeper has closed the connection and ended; return whether it did in time.

        It closes its channels a moment before its process is gone.
        """
        deadline = time.monotonic() + seconds
        while not self._channel.closed:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._wait(left)
        pidfd = self.keeper.open_pidfd()
        if pidfd is None:
            return True
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        try:
            return bool(poller.poll(max(0.0, deadline - time.monotonic()) * 1000))
        finally:
            os.close(pidfd)

    def hello(self) -> None:
        """Say who is there, and wait for the welcome."""
        me = current()
        self._channel.send(
            {"op": "hello", "role": "client", "pid": me.pid, "start_time": me.start_time}
        )
        deadline = time.monotonic() + HELLO_SECONDS
        for message in self._messages(deadline, "hello"):
            if message["op"] == "welcome":
                # The socket may still name a dead keeper, whose queue this one serves.
                pid = int(message.get("keeper_pid", self.keeper.pid))
                self.keeper = Process(pid, start_time(pid) or 0)
                return
            if message["op"] == "error":
                raise CliError("UNREACHABLE", f"the keeper refuses us: {message.get('message')}")

    def _pages(self, what: str, listed: str) -> dict[str, Any]:
        """Ask for something that comes in pages; return the last one, with the list of all."""
        self._asked += 1
        number = f"cli-{os.getpid()}-{self._asked}"
        self._channel.send({"op": what, "id": number})
        deadline = time.monotonic() + HELLO_SECONDS
        page = self._answer(number, what, deadline)
        found = list(page.get(listed, []))
        while page.get("more"):
            page = self._answer(number, what, deadline)
            found += page.get(listed, [])
        return {**page, listed: found}

    def _answer(self, number: str, what: str, deadline: float) -> dict[str, Any]:
        for message in self._messages(deadline, what):
            if message.get("id") != number:
                continue
            if message["op"] in {"error", "refused"}:
                code = str(message.get("code", "INTERNAL"))
                raise CliError(code, f"the keeper refuses {what}: {message.get('message')}")
            return message
        raise CliError("UNREACHABLE", f"the keeper went away during {what}")

    def _messages(self, deadline: float, what: str) -> Iterator[dict[str, Any]]:
        while True:
            while self._arrived:
                yield self._arrived.pop(0)
            if self._channel.closed:
                raise CliError("UNREACHABLE", f"the keeper went away during {what}", retryable=True)
            left = deadline - time.monotonic()
            if left <= 0:
                raise CliError(
                    "TIMEOUT",
                    f"the keeper (pid {self.keeper.pid}) does not answer {what}",
                    hint="`lane logs keeper` may say why",
                )
            self._wait(left)

    def _wait(self, seconds: float) -> None:
        poller = select.poll()
        wanted = select.POLLIN | (select.POLLOUT if self._channel.wants_write else 0)
        poller.register(self._channel.fileno(), wanted)
        poller.poll(seconds * 1000)
        try:
            self._channel.flush()
            self._arrived += [received.message for received in self._channel.receive()]
        except ChannelError as error:
            raise CliError("UNREACHABLE", f"the keeper: {error}") from error


def reach(rundir: Rundir) -> KeeperLink | None:
    """Return a connection to the keeper of `rundir`; None when there is no keeper.

    Raises:
        CliError: it is there and does not answer.
    """
    try:
        channel = connect(rundir.keeper_sock, HELLO_SECONDS)
    except BlockingIOError as error:
        raise CliError(
            "TIMEOUT", "the keeper accepts nobody", hint="`lane logs keeper` may say why"
        ) from error
    except OSError:
        return None
    link = KeeperLink(channel)
    try:
        link.hello()
    except BaseException:
        link.__exit__(None, None, None)
        raise
    return link


def demand(rundir: Rundir) -> KeeperLink:
    """Return a connection to the keeper of `rundir`.

    Raises:
        RundirError: the runtime directory is missing or unsafe.
        CliError: NO_PLANE, there is no keeper.
    """
    rundir.check()
    link = reach(rundir)
    if link is None:
        raise CliError(
            "NO_PLANE", f"no keeper runs in {rundir.path}", hint="`lane up` starts a plane"
        )
    return link
