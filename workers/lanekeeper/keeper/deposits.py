"""What one process has in the keeper's vault: the depositor's side.

Owns the list of what is deposited, in what order it is said, and which of it is acknowledged; the
descriptors stay the caller's. A new keeper is given everything again. At most `WINDOW` messages
wait for an answer. Called by broker and workers, with their channel to the keeper.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lanekeeper.keeper.channel import Channel, ChannelError

LOG: Final = logging.getLogger(__name__)

WINDOW: Final = 64
"""Deposits and releases under way at once."""


class Deposits:
    """The entries of one process, by name and kind."""

    def __init__(self) -> None:
        """Start with nothing, and without a keeper."""
        self._channel: Channel | None = None
        self._entries: dict[str, dict[str, int]] = {}
        self._unsaid: OrderedDict[str, set[str]] = OrderedDict()
        self._waiting: dict[int, str] = {}
        self._released: dict[str, set[str]] = {}
        self._refused: set[str] = set()
        self._number = 0

    @property
    def held(self) -> int:
        """How many descriptors the vault has when everything is acknowledged."""
        return sum(len(entry) for entry in self._entries.values())

    @property
    def complete(self) -> bool:
        """Whether everything is acknowledged, or there is nobody to do so."""
        left = self._unsaid or self._waiting or self._released or self._refused
        return self._channel is None or not left

    def use(self, channel: Channel) -> None:
        """Use a channel to a keeper that has what `inherited` says, and nothing else."""
        self._channel = channel

    def open(self, channel: Channel) -> None:
        """Deposit everything there is with a new keeper."""
        self._channel = channel
        self._waiting.clear()
        self._released.clear()
        self._refused.clear()
        self._unsaid = OrderedDict((name, set(fds)) for name, fds in self._entries.items())
        self._say()

    def close(self) -> None:
        """The keeper has gone; what is deposited from now on waits for the next one."""
        self._channel = None
        self._waiting.clear()
        self._released.clear()

    def inherited(self, name: str, fds: Mapping[str, int]) -> None:
        """Note an entry that the vault has already."""
        self._entries[name] = dict(fds)

    def put(self, name: str, fds: Mapping[str, int]) -> None:
        """Deposit descriptors; they go out in this call unless `WINDOW` are on their way."""
        self._entries.setdefault(name, {}).update(fds)
        # Of an entry that was refused the vault has nothing, or not all.
        again = self._entries[name] if name in self._refused else fds
        self._refused.discard(name)
        self._unsaid.setdefault(name, set()).update(again)
        self._say()

    def drop(self, name: str, kinds: Iterable[str] | None = None) -> None:
        """Release an entry or some of its kinds; to be called before they are closed here."""
        entry = self._entries.get(name)
        if entry is None:
            return
        gone = set(entry) if kinds is None else set(entry).intersection(kinds)
        for kind in gone:
            del entry[kind]
        if not entry:
            del self._entries[name]
            self._refused.discard(name)
        unsaid = self._unsaid.get(name, set())
        unsaid -= gone
        if not unsaid:
            self._unsaid.pop(name, None)
        if self._channel is not None and gone:
            self._released.setdefault(name, set()).update(gone)
            self._say()

    def sure(self, name: str) -> bool:
        """Whether the vault has this entry as it is now, or there is no vault."""
        if self._channel is None:
            return True
        under_way = name in self._unsaid or name in self._waiting.values()
        return not (under_way or name in self._refused)

    def again(self) -> None:
        """Deposit what was refused once more: the keeper may have room for it now."""
        for name in sorted(self._refused):
            self._unsaid[name] = set(self._entries[name])
        self._refused.clear()
        self._say()

    def answered(self, message: Mapping[str, Any]) -> str | None:
        """Take in an answer, of whatever kind, and return the name of the entry it is about.

        What was refused is said again, all of it, when the entry grows.
        """
        number = message.get("id")
        name = self._waiting.pop(number, None) if isinstance(number, int) else None
        if name in self._entries and message["op"] == "error":
            self._refused.add(name)
        self._say()
        return name

    def _say(self) -> None:
        """Say what is to be said, as far as the window allows: releases first."""
        while self._channel is not None and len(self._waiting) < WINDOW:
            if self._released:
                name, gone = self._released.popitem()
                self._send({"op": "release", "name": name, "kinds": sorted(gone)}, name, ())
            elif self._unsaid:
                name, kinds = self._unsaid.popitem(last=False)
                entry = {kind: fd for kind, fd in self._entries[name].items() if kind in kinds}
                message = {"op": "deposit", "name": name, "kinds": list(entry)}
                self._send(message, name, tuple(entry.values()))
            else:
                break

    def _send(self, message: dict[str, Any], name: str, fds: tuple[int, ...]) -> None:
        self._number += 1
        self._waiting[self._number] = name
        if self._channel is None:
            return
        try:
            self._channel.send({**message, "id": self._number}, fds)
        except ChannelError as error:
            # Its owner sees that it is closed, and everything is said again to the next keeper.
            LOG.warning("lost the keeper while depositing %s: %s", name, error)
            self._channel.closed = True
            self._channel = None
