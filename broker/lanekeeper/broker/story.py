"""The story: the last stimuli in order, so that a defect is reported with what led to it.

Every stimulus gets a number; the number goes into the log and into the INTERNAL error a caller
sees. Bounded, and cheap enough for every message. Owned by the core.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

STORY_KEPT: Final = 64
"""Stimuli remembered: enough to see a lane being made, used and ended."""


@dataclass(slots=True)
class Chapter:
    """One stimulus: its number, its kind, and what has been found out about it."""

    number: int
    kind: str
    what: str = ""
    id: str = ""
    lane_id: str = ""

    def __str__(self) -> str:
        """Return it as one short phrase."""
        parts = (self.what, self.id, self.lane_id)
        return " ".join((f"{self.number}:{self.kind}", *(part for part in parts if part)))


class Story:
    """The bounded log."""

    def __init__(self, kept: int = STORY_KEPT) -> None:
        """Start empty."""
        self._chapters: deque[Chapter] = deque(maxlen=kept)
        self._number = 0

    @property
    def number(self) -> int:
        """The number of the present stimulus."""
        return self._number

    def begin(self, kind: str) -> Chapter:
        """Begin the chapter of a stimulus; its other fields are filled in as they become known."""
        self._number += 1
        chapter = Chapter(self._number, kind)
        self._chapters.append(chapter)
        return chapter

    def tell(self) -> str:
        """Return all of it as one line, oldest first."""
        return "; ".join(str(chapter) for chapter in self._chapters)
