"""Listings, a page at a time, in order of creation.

The `next` of a page is the place in that order where the next one begins, not an entry, so a page
can be continued after its last entry has gone. A page is bounded by count and by bytes, since an
answer must fit into one frame. Sans-IO.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from lanekeeper.broker.replay import PAGE_BYTES

_ENCODE: Final = msgspec.msgpack.Encoder().encode


class Listed(Protocol):
    """What an entry of a listing has."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def created(self) -> str:
        """When it was made."""


L = TypeVar("L", bound=Listed)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[L]):
    """Entries, and the `next` if there are more."""

    entries: list[L]
    next: str | None


def page(entries: Iterable[L], after: str | None, limit: int) -> Page[L]:
    """Return the entries behind `after`, at most `limit` and at most what an answer can hold."""
    ordered = sorted((e for e in entries if after is None or _place(e) > after), key=_place)
    chosen = fit(ordered[:limit])
    more = len(chosen) < len(ordered)
    return Page(chosen, _place(chosen[-1]) if more and chosen else None)


def fit(entries: list[T], size: int = PAGE_BYTES) -> list[T]:
    """Return as many of the first entries as have at most `size` bytes, but one at least."""
    total = 0
    for count, entry in enumerate(entries):
        total += len(_ENCODE(entry))
        if count and total > size:
            return entries[:count]
    return entries


def _place(entry: Listed) -> str:
    return f"{entry.created}|{entry.id}"
