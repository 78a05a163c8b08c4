"""What `lane top` knows: the lanes of the last look with their figures, sorted, filtered, selected.

Nothing is selected for good until a key moves: the first row is, whichever lane it is, so that the
top of the list stays in sight. Then it is that lane, wherever it goes. Pure: times are arguments.
Called by `keyboard` with what a person wants, by `dashboard` with what the plane says.
"""

from collections.abc import Callable
from datetime import datetime

from lanekeeper.cli.columns import BY_NAME, Column, ordered
from lanekeeper.cli.looks import Listing, Row, rows
from lanekeeper.cli.summary import Load, load
from lanekeeper.cli.text import safe
from lanekeeper.wire.messages.diagnostics import Diagnostics

Matcher = Callable[[str], bool]


class Board:
    """The rows to show and the one that is selected.

    Attributes:
        by: the column that sorts.
        reverse: whether its order is turned round.
        pattern: what the addresses are filtered by; empty for all.
        rows: the lanes to show, in order.
        everything: all lanes.
        index: the selected one of `rows`.
        load: what the plane's processes take.
        diagnostics: the last ones; None while there are none, for the reason in `missing`.
        silent: why the plane does not answer; empty while it does.
        listed_at: when the lanes were as they are shown.
        complete: whether all lanes were known then.
    """

    def __init__(self, sort: str = "cpu", *, reverse: bool = False) -> None:
        """Start empty, sorted by the column of that name."""
        self.by: Column = BY_NAME[sort]
        self.reverse = reverse
        self.pattern = ""
        self.rows: list[Row] = []
        self.everything: list[Row] = []
        self.index = 0
        self.load = Load()
        self.diagnostics: Diagnostics | None = None
        self.missing = ""
        self.silent = ""
        self.listed_at: datetime | None = None
        self.complete = True
        self._listing: Listing | None = None
        self._matches: Matcher | None = None
        self._pinned: str | None = None

    @property
    def selected(self) -> Row | None:
        """The lane that is selected; None without any."""
        return self.rows[self.index] if self.rows else None

    def listed(self, found: Listing, now: datetime) -> None:
        """Take a listing of the lanes."""
        self._listing, self.listed_at = found, now
        self.complete, self.silent = found.complete, ""
        self._join(now)

    def unlisted(self, why: str) -> None:
        """Note that the plane does not answer; the lanes stay as they were last seen."""
        self.silent = safe(why)

    def diagnosed(self, found: Diagnostics, now: datetime) -> None:
        """Take the diagnostics."""
        self.diagnostics, self.missing = found, ""
        self.load = load(found.processes)
        self._join(now)

    def undiagnosed(self, why: str, now: datetime) -> None:
        """Note why there are no figures: old ones are not shown as if they were new."""
        self.diagnostics, self.missing, self.load = None, safe(why), Load()
        self._join(now)

    def filter(self, pattern: str, matches: Matcher | None) -> None:
        """Show only lanes whose address matches; all with None."""
        self.pattern, self._matches = pattern, matches
        self._arrange()

    def sort(self, by: Column) -> None:
        """Sort by another column, or by the same one again."""
        self.by = by
        self._arrange()

    def turn_round(self) -> None:
        """Turn the order round."""
        self.reverse = not self.reverse
        self._arrange()

    def select(self, index: int) -> None:
        """Select the lane in that row, or the nearest one, and stay with it."""
        self.index = self._bounded(index)
        self._pinned = self.rows[self.index].lane_id if self.rows else None

    def release(self) -> None:
        """Select whichever lane comes first."""
        self._pinned = None
        self._arrange()

    def _join(self, now: datetime) -> None:
        if self._listing is not None:
            figures = [] if self.diagnostics is None else self.diagnostics.lanes
            self.everything = rows(self._listing, figures, now)
            self._arrange()

    def _arrange(self) -> None:
        matches = self._matches
        chosen = [one for one in self.everything if matches is None or matches(one.address)]
        self.rows = ordered(chosen, self.by, reverse=self.reverse)
        if self._pinned is None:
            self.index = 0
            return
        for index, row in enumerate(self.rows):
            if row.lane_id == self._pinned:
                self.index = index
                return
        self.index = self._bounded(self.index)

    def _bounded(self, index: int) -> int:
        return max(0, min(index, len(self.rows) - 1))
