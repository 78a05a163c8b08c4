"""The screens of a lane's terminals: made when first asked for, drawn from the log in small slices.

Owns when to draw: for a request a bounded time of every turn, until it has caught up with the head
as it was then; in idle turns for the terminals that were asked about lately. What was retired
before it was drawn makes a screen inexact. A terminal is not read while a request would lose output
by it. Refuses nothing; an emulator that fails is dropped and the request is told. Called by
`effects` and by the runner.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import MAX_CHUNK, MAX_SCREEN_CELLS
from lanekeeper.wire.messages.screen import Screen
from lanekeeper.workers.actions import Draw, Drawn, Locate, Located, Stimulus
from lanekeeper.workers.emulation import EmulatorError, Shielded
from lanekeeper.workers.knowledge import Knowledge
from lanekeeper.workers.picture import Picture
from lanekeeper.workers.sequences import HOLD, boundary, tidy
from lanekeeper.workers.shown import Asked, Shown, Sought
from lanekeeper.workers.state import LaneState
from lanekeeper.workers.turn import Log

TURN_SECONDS: Final = 0.002
"""Time of one turn for drawing: an echo of another terminal waits no longer for it."""
SLICE_SECONDS: Final = 0.0005
SLICE_MIN: Final = 64
SLICE_MAX: Final = 8192
"""Bytes drawn at once. They follow the time they take: what clears a large screen again and again
costs a thousand times more than text.
"""
WARM_SECONDS: Final = 300.0
WARM_MAX: Final = 16
"""How long, and for how many terminals, a screen that nobody asks for is kept up to date."""
ROOM: Final = 512 * 1024
"""Bytes that may still come in before output that was not drawn would be retired."""
_LOG: Final = logging.getLogger(__name__)


class KeptLog(Log, Protocol):
    """A log that keeps `capacity` bytes."""

    capacity: int


class Screens:
    """Draws what is asked for."""

    def __init__(
        self,
        log: Callable[[str], KeptLog | None],
        state: LaneState,
        until: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        """Draw from these logs; nothing is drawn before somebody asks.

        Nothing is drawn behind the offset `until` of a terminal: the place of the cursor there will
        be sought.
        """
        self._log = log
        self._state = state
        self._until = until
        self._shown: dict[str, Shown] = {}
        self._waiting = 0
        self.failures = 0

    def ask(self, action: Draw | Locate) -> list[Stimulus]:
        """Take a request; it is answered by a later turn, or refused at once."""
        log = self._log(action.terminal_id)
        drawn = self._state.assignment.screen
        if isinstance(action, Locate):
            return self._seek(action, log if drawn else None)
        if not drawn:
            text = "this lane was recovered without screens: read the output instead"
            return [_refused(action, WireError("INVALID_TRANSITION", text))]
        if log is None:
            return [_refused(action, WireError("INVALID_TRANSITION", "this terminal has no log"))]
        self._use(action.terminal_id).asked.append(Asked(action, log.head))
        return []

    def _seek(self, action: Locate, log: KeptLog | None) -> list[Stimulus]:
        if log is None:
            return [Located(action.terminal_id, action.run, action.questions, ())]
        wanted = deque(question.end for question in action.questions if question.seeks)
        self._use(action.terminal_id).sought.append(Sought(action, wanted))
        return []

    def _use(self, terminal_id: str) -> Shown:
        """Return the screen of a terminal for one more request."""
        now = time.monotonic()
        shown = self._shown.setdefault(terminal_id, Shown(terminal_id, now))
        shown.used = now
        self._waiting += 1
        return shown

    def forget(self, terminal_id: str) -> list[Stimulus]:
        """Drop the screen of a terminal that is no more."""
        shown = self._shown.pop(terminal_id, None)
        if shown is None:
            return []
        gone = WireError("TERMINAL_NOT_FOUND", "the terminal was closed meanwhile")
        return self._refuse(shown, gone)

    def holds(self, terminal_id: str) -> bool:
        """Whether reading more of a terminal now would retire what a request still needs."""
        if not self._waiting:
            return False
        shown, log = self._shown.get(terminal_id), self._log(terminal_id)
        if shown is None or log is None or not shown.wanted or shown.picture is None:
            return False
        return log.head - shown.picture.offset > max(0, log.capacity - ROOM)

    @property
    def behind(self) -> bool:
        """Whether there is something to draw now."""
        return bool(self._shown) and any(
            shown.wanted or shown.reached < self._head(shown) for shown in self._shown.values()
        )

    def turn(self, *, idle: bool) -> list[Stimulus]:
        """Draw for a bounded time: for requests, and when there is nothing else to do for all.

        Returns:
            The answers that are ready.
        """
        if not self._shown:
            return []
        stimuli: list[Stimulus] = []
        until = time.monotonic() + TURN_SECONDS
        work = deque(s for s in self._shown.values() if s.wanted or (idle and not self._waiting))
        while work and (now := time.monotonic()) < until:
            shown = work.popleft()
            stimuli += self._step(shown, now)
            if shown.wanted or shown.reached < self._head(shown):
                work.append(shown)
            if self._shown.pop(shown.terminal_id, None) is not None:
                self._shown[shown.terminal_id] = shown  # the others come first in the next turn
        self._drop_cold(time.monotonic())
        return stimuli

    def _step(self, shown: Shown, now: float) -> list[Stimulus]:
        """Draw one slice of a terminal and answer whoever waited for it."""
        log = self._log(shown.terminal_id)
        if log is None:
            return self.forget(shown.terminal_id)
        try:
            self._draw(shown, log)
            return self._answer(shown, now)
        except EmulatorError as error:
            self.failures += 1
            _LOG.warning("%s", error, extra={"stimulus": shown.terminal_id})
            shown.picture = None
            shown.reached = log.head  # nothing is drawn until it is asked for again
            return self._refuse(shown, WireError("INTERNAL", f"{error}; ask again"))

    def _draw(self, shown: Shown, log: KeptLog) -> None:
        picture = shown.picture
        begin = self._state.terminals[shown.terminal_id].begin
        if picture is None or picture.offset < log.tail or shown.begin != begin:
            picture = shown.picture = self._start(shown, log, begin)
            shown.begin = begin
        size = self._size(shown.terminal_id, picture.offset)
        if size != (picture.cols, picture.rows):
            picture.resize(*size)
        limit = self._next_size(shown.terminal_id, picture.offset, log.head)
        stop = min([limit, *(at for at in self._stops(shown) if at >= picture.offset)])
        data = log.read(picture.offset, min(shown.slice, stop - picture.offset))
        # At a change of size the output is cut wherever it is, as the terminal was.
        whole = picture.offset + len(data) == limit < log.head
        cut = len(data) if whole else boundary(data)
        if not cut and data:
            data = log.read(picture.offset, min(2 * HOLD, stop - picture.offset))
            cut = boundary(data)
        shown.reached = picture.offset + len(data)
        if cut:
            began = time.perf_counter()
            picture.feed(data[:cut])
            self._pace(shown, time.perf_counter() - began)

    def _stops(self, shown: Shown) -> list[int]:
        """Return where the cursor is or will be sought next."""
        sought = [one.wanted[0] for one in shown.sought if one.wanted][:1]
        later = self._until(shown.terminal_id)
        return sought if later is None else [*sought, later]

    def _found(self, shown: Shown, now: float) -> list[Stimulus]:
        """Answer the questions about the cursor up to where the output was looked at."""
        stimuli: list[Stimulus] = []
        while shown.sought and shown.picture is not None:
            one = shown.sought[0]
            while one.wanted and shown.reached >= one.wanted[0]:
                one.wanted.popleft()
                one.places.append(shown.picture.place())
            if one.wanted and now < one.action.deadline:
                break
            stimuli.append(self._told(shown))
        return stimuli

    def _told(self, shown: Shown) -> Stimulus:
        """Give up the first of the questions about the cursor with what is known of it."""
        self._waiting -= 1
        one = shown.sought.popleft()
        action = one.action
        return Located(action.terminal_id, action.run, action.questions, tuple(one.places))

    def _answer(self, shown: Shown, now: float) -> list[Stimulus]:
        stimuli = self._found(shown, now)
        for one in list(shown.asked):
            if one.shot is None and shown.picture is not None and shown.reached >= one.target:
                epoch = self._state.assignment.generation
                one.shot = shown.picture.show(one.action.asked, epoch)
            if one.shot is not None and one.shot.develop():
                stimuli.append(self._done(shown, one, one.shot.screen))
            elif now >= one.action.deadline:
                late = WireError("TIMEOUT", "the screen is not drawn yet; ask again")
                stimuli.append(self._done(shown, one, late))
        return stimuli

    def _done(self, shown: Shown, one: Asked, result: Screen | WireError) -> Stimulus:
        shown.asked.remove(one)
        self._waiting -= 1
        if isinstance(result, WireError):
            return _refused(one.action, result)
        return Drawn(one.action.command_id, result, None)

    def _refuse(self, shown: Shown, error: WireError) -> list[Stimulus]:
        told = [self._told(shown) for _ in range(len(shown.sought))]
        return [*told, *(self._done(shown, one, error) for one in list(shown.asked))]

    def _start(self, shown: Shown, log: KeptLog, begin: int) -> Picture:
        """Return a fresh picture, where drawing it is quickest if it can be known from there."""
        if begin >= log.tail:
            # A program finds an empty screen, whatever the one before it has left.
            return Picture(*self._size(shown.terminal_id, begin), begin)
        start = log.tail
        recent = max(start, log.head - MAX_CHUNK)
        size = self._size(shown.terminal_id, recent)
        knowledge = Knowledge(size[1])
        with Shielded():
            knowledge.feed(tidy(log.read(recent, MAX_CHUNK)))
        same = self._next_size(shown.terminal_id, recent, log.head) == log.head
        if knowledge.complete and same:
            start = recent
        before = shown.picture if shown.begin == begin else None
        return Picture(*self._size(shown.terminal_id, start), start, before, hole=True)

    def _sizes(self, terminal_id: str) -> list[tuple[int, int, int]]:
        """Return from which offset on a terminal has which columns and rows."""
        spec = self._state.terminals[terminal_id].spec
        later = self._state.sizes.get(terminal_id, ())
        return [(0, spec.cols, spec.rows), *((one.offset, one.cols, one.rows) for one in later)]

    def _size(self, terminal_id: str, offset: int) -> tuple[int, int]:
        cols, rows = next(
            (cols, rows) for at, cols, rows in reversed(self._sizes(terminal_id)) if at <= offset
        )
        return cols, min(rows, MAX_SCREEN_CELLS // cols)

    def _next_size(self, terminal_id: str, offset: int, head: int) -> int:
        """Return the offset after `offset` at which the size changes, else the head."""
        later = (at for at, _, _ in self._sizes(terminal_id) if at > offset)
        return min(next(later, head), head)

    def _head(self, shown: Shown) -> int:
        log = self._log(shown.terminal_id)
        return 0 if log is None else log.head

    def _pace(self, shown: Shown, took: float) -> None:
        wanted = shown.slice * SLICE_SECONDS / max(took, 1e-6)
        shown.slice = int(min(max(wanted, SLICE_MIN), 2 * shown.slice, SLICE_MAX))

    def _drop_cold(self, now: float) -> None:
        idle = sorted((s for s in self._shown.values() if not s.wanted), key=lambda s: s.used)
        for index, shown in enumerate(idle):
            if now - shown.used > WARM_SECONDS or index < len(idle) - WARM_MAX:
                del self._shown[shown.terminal_id]


def _refused(action: Draw, error: WireError) -> Drawn:
    return Drawn(action.command_id, None, error)
