"""The vault: duplicates of the descriptors that must outlive the process which works on them.

Owns, for each owner (a lane, or the broker), named entries of descriptors by kind. Refuses what is
malformed and what would use up the keeper's descriptors. Sans-IO: descriptors are numbers here;
what is replaced or released comes out as `Discard`. Called by `supervisor` and `pool`.
"""

from collections.abc import Iterator
from typing import Final

from lanekeeper.keeper.events import (
    Action,
    Discard,
    Message,
    RequestError,
    Send,
    answer,
    require_text,
)

JOURNAL: Final = "journal"
"""The entry without which nothing can be inherited."""

BROKER_OWNER: Final = "broker"
NAME_MAX: Final = 128

Entry = dict[str, int]


class Vault:
    """All that is kept, by owner and name."""

    def __init__(self, limit: int) -> None:
        """Keep at most `limit` descriptors."""
        self._limit = limit
        self._owners: dict[str, dict[str, Entry]] = {}
        self._total = 0

    @property
    def total(self) -> int:
        """How many descriptors are kept."""
        return self._total

    @property
    def entries(self) -> int:
        """How many entries there are."""
        return sum(map(len, self._owners.values()))

    def __iter__(self) -> Iterator[str]:
        """Yield the owners."""
        return iter(self._owners)

    def held(self, owner: str) -> int:
        """Return how many descriptors are kept for an owner."""
        return sum(len(entry) for entry in self._owners.get(owner, {}).values())

    def holds(self, owner: str) -> bool:
        """Whether a successor could go on with what is kept for this owner."""
        return JOURNAL in self._owners.get(owner, {})

    def of_kind(self, kind: str) -> Iterator[tuple[str, int]]:
        """Yield owner and descriptor of every entry that has this kind."""
        for owner, entries in self._owners.items():
            for entry in entries.values():
                if kind in entry:
                    yield owner, entry[kind]

    def deposit(
        self, peer: int, owner: str, message: Message, fds: tuple[int, ...]
    ) -> list[Action]:
        """Keep the descriptors beside a message; those of the same kinds are replaced.

        Raises:
            RequestError: the message is wrong, or the vault is full; nothing was kept.
        """
        name, kinds = _name(message), _kinds(message)
        if len(kinds) != len(fds) or not fds:
            raise RequestError("INVALID_ARGUMENT", "a deposit has one kind for each descriptor")
        there = self._owners.get(owner, {}).get(name, {})
        more = sum(kind not in there for kind in kinds)
        if more and self._total + more > self._limit:
            raise RequestError(
                "LIMIT_EXCEEDED",
                f"the vault holds {self._total} descriptors, at most {self._limit}; "
                "raise the limit of open files (ulimit -n) or end some lanes",
            )
        entry = self._owners.setdefault(owner, {}).setdefault(name, {})
        replaced = tuple(entry[kind] for kind in kinds if kind in entry)
        entry.update(zip(kinds, fds, strict=True))
        self._total += more
        return [*_discard(replaced), Send(peer, answer(message, "deposited"))]

    def release(self, peer: int, owner: str, message: Message) -> list[Action]:
        """Let go of an entry, or of some of its kinds; what is not there is fine.

        Raises:
            RequestError: the message is wrong.
        """
        name = _name(message)
        kinds = _kinds(message) if "kinds" in message else None
        entries = self._owners.get(owner, {})
        entry = entries.get(name, {})
        released = tuple(entry.pop(kind) for kind in list(entry) if kinds is None or kind in kinds)
        if not entry:
            entries.pop(name, None)
        if not entries:
            self._owners.pop(owner, None)
        self._total -= len(released)
        return [*_discard(released), Send(peer, answer(message, "released"))]

    def drop(self, owner: str) -> list[Action]:
        """Let go of everything of an owner."""
        entries = self._owners.pop(owner, {})
        fds = tuple(fd for entry in entries.values() for fd in entry.values())
        self._total -= len(fds)
        return _discard(fds)

    def hand_over(self, owner: str, peer: int) -> list[Action]:
        """Give duplicates of everything of an owner to its successor, an entry a message."""
        return [
            Send(peer, {"op": "inherit", "name": name, "kinds": list(entry)}, tuple(entry.values()))
            for name, entry in self._owners.get(owner, {}).items()
        ]


def _name(message: Message) -> str:
    name = require_text(message, "name")
    if len(name) > NAME_MAX:
        raise RequestError("INVALID_ARGUMENT", f"a name has at most {NAME_MAX} characters")
    return name


def _kinds(message: Message) -> list[str]:
    kinds = message.get("kinds")
    if not isinstance(kinds, list) or len(set(map(str, kinds))) != len(kinds):
        raise RequestError("INVALID_ARGUMENT", "'kinds' must be a list of different names")
    if not all(isinstance(kind, str) and 0 < len(kind) <= NAME_MAX for kind in kinds):
        raise RequestError("INVALID_ARGUMENT", f"a kind is a name of 1 to {NAME_MAX} characters")
    return kinds


def _discard(fds: tuple[int, ...]) -> list[Action]:
    return [Discard(fds)] if fds else []
