"""The screen of one terminal and the requests that wait for it; drawn by `screens`."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from lanekeeper.workers.actions import Draw, Locate
from lanekeeper.workers.picture import Picture, Shot

SLICE_FIRST: Final = 2048
"""Bytes drawn at once before anything is known of the time they take."""


@dataclass(slots=True)
class Asked:
    """A request that waits until everything before `target` is drawn."""

    action: Draw
    target: int
    shot: Shot | None = None


@dataclass(slots=True)
class Sought:
    """Questions that wait until the cursor behind each was seen."""

    action: Locate
    wanted: deque[int]
    places: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Shown:
    """The screen of one terminal.

    `begin` is where the output of the program begins that it is of, `reached` the offset up to
    which its output was looked at.
    """

    terminal_id: str
    used: float
    picture: Picture | None = None
    begin: int = 0
    reached: int = 0
    slice: int = SLICE_FIRST
    asked: list[Asked] = field(default_factory=list)
    sought: deque[Sought] = field(default_factory=deque)

    @property
    def wanted(self) -> bool:
        """Whether a request waits for it."""
        return bool(self.asked or self.sought)
