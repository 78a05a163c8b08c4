"""The plane-wide log budget: what the logs of all terminals may take together, checked at a spawn.

A terminal whose program runs counts with its log's capacity, which bounds it; one that has ended
counts with the bytes that are kept, which only fall. A spawn on its way counts too, by its command
id, so that a retry is not counted twice nor refused after it was let pass. Sans-IO; called by
`routing` before a spawn is forwarded, and by it and the desk when it is on its way no longer.
"""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec
from msgspec import Struct

from lanekeeper.wire.envelope import Command
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import LOG_BUDGET, LOG_CAPACITY, MAX_LOG_CAPACITY
from lanekeeper.wire.messages.terminal import TerminalInfo
from lanekeeper.wire.states import TerminalState

ADMITTED_KEPT: Final = 4096
"""Spawns remembered after their answer, so that a late retry reaches the lane, which answers it."""
_SPAWN: Final = "terminal.spawn"
_RESPAWN: Final = "terminal.respawn"
_LIVE: Final = frozenset(
    {
        str(TerminalState.IDLE),
        str(TerminalState.SPAWNING),
        str(TerminalState.ACTIVE),
        str(TerminalState.THROTTLED),
    }
)


class _Capacity(Struct):
    """The one field of a spawn that counts here; the lane checks all of them."""

    capacity: int = LOG_CAPACITY


_DECODER: Final = msgspec.msgpack.Decoder(_Capacity)


def share(info: TerminalInfo) -> int:
    """Return the bytes that one terminal counts with."""
    kept = max(0, info.head - info.tail)
    return max(info.capacity, kept) if info.state in _LIVE else kept


class Budget:
    """What is spoken for.

    Attributes:
        limit: bytes that all logs may take together.
    """

    def __init__(self, limit: int = LOG_BUDGET, admitted: Collection[str] = ()) -> None:
        """Begin with no spawn on its way; the retries of those `admitted` pass, now and later."""
        self.limit = limit
        self._admitted = admitted
        self._pending: dict[str, int] = {}

    @staticmethod
    def counts(command: Command) -> bool:
        """Return whether a command starts a program."""
        return command.method in {_SPAWN, _RESPAWN}

    def used(self, terminals: Iterable[TerminalInfo]) -> int:
        """Return the bytes that are spoken for."""
        return sum(map(share, terminals)) + sum(self._pending.values())

    def admit(self, command: Command, terminals: Iterable[TerminalInfo]) -> None:
        """Let a command pass that starts a program, and count it until it is answered.

        Raises:
            WireError: LIMIT_EXCEEDED, the log would not fit into the budget.
        """
        if not self.counts(command) or command.id in self._pending or command.id in self._admitted:
            return
        known = {info.id: info for info in terminals}
        again = known.get(command.terminal_id or "")
        wanted = _capacity(command) if again is None else again.capacity - share(again)
        used = self.used(known.values())
        if used + max(0, wanted) > self.limit:
            raise WireError(
                "LIMIT_EXCEEDED",
                f"the plane's log budget is {self.limit} bytes, {used} of them spoken for by "
                f"{len(known)} terminals, and this one wants {wanted}: close some, give a "
                "smaller capacity, or start the plane with lane up --log-budget",
                limit=self.limit,
                used=used,
                wanted=wanted,
            )
        self._pending[command.id] = max(0, wanted)

    def settle(self, command_id: str) -> None:
        """Count a spawn no longer: it was not sent, or its terminal counts from now on."""
        self._pending.pop(command_id, None)


def _capacity(command: Command) -> int:
    """Return the capacity that a spawn asks for; a payload that is none is the lane's to refuse."""
    try:
        wanted = _DECODER.decode(command.payload).capacity
    except (msgspec.DecodeError, RecursionError):
        return LOG_CAPACITY
    return min(max(0, wanted), MAX_LOG_CAPACITY)
