"""`terminal.wait`: until the program has ended, its output matches, or it is silent.

A wait is no state: a caller asks again with the same command id. Searching is done in turns of
bounded work, round and round over all waits, so that a hard pattern or a flood delays the answer
and never the lane. Refuses more waits than stated. Called by the core's one door.
"""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import DEFAULT_DEADLINE_MS, MAX_SEARCHES, MAX_WAITERS
from lanekeeper.wire.messages.terminal import Gap, TerminalInfo
from lanekeeper.wire.messages.waiting import Wait, WaitResult
from lanekeeper.workers.echo import Verdict
from lanekeeper.workers.search import STEP_WORK, Hit, Search, matched
from lanekeeper.workers.terminal_commands import ENDED
from lanekeeper.workers.turn import Log, Pending, Surroundings, Turn

if TYPE_CHECKING:
    from lanekeeper.workers.core import LaneCore

TURN_WORK: Final = STEP_WORK
"""Work of one turn on all searches of the lane."""
JUDGE_WORK: Final = STEP_WORK // 4
"""What it takes to tell whether one match is an echo."""
SKIPS: Final = 4
"""Echoes that one step passes over; the rest is for the next one."""
UNDECIDED_SECONDS: Final = 0.25
"""How long the rest of what may be an echo is waited for."""


@dataclass(slots=True)
class Waiting:
    """One wait: the first of its conditions answers it.

    Attributes:
        seen: the head when output was last noticed, at `since` (monotonic seconds).
        held: when a match was first found that may become an echo.
        over: the program has ended; what is left of its output is still searched.
    """

    pending: Pending
    deadline: float
    search: Search | None
    idle_s: float | None
    echo: bool
    seen: int
    since: float
    held: float | None = None
    over: bool = False

    def due(self) -> float:
        """When time alone ends or advances this wait."""
        times = [self.deadline]
        if self.idle_s is not None:
            times.append(self.since + self.idle_s)
        if self.held is not None:
            times.append(self.held + UNDECIDED_SECONDS)
        return min(times)

    def behind(self, head: int) -> bool:
        """Whether there is output that this wait has not taken note of."""
        if self.over or (self.search is not None and self.search.behind(head)):
            return True
        return self.idle_s is not None and self.seen != head


class Waits:
    """The waits of one lane."""

    def __init__(self, around: Surroundings) -> None:
        """Make a lane without waits."""
        self._around = around
        self._all: deque[tuple[str, Waiting]] = deque()
        self._left = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._all)

    def terminals(self) -> set[str]:
        """Return the terminals of which somebody waits for something."""
        return {terminal_id for terminal_id, _ in self._all}

    def searches(self) -> int:
        """How many of them have a pattern."""
        return sum(waiting.search is not None for _, waiting in self._all)

    def put(self, terminal_id: str, waiting: Waiting) -> None:
        """Let one wait."""
        self._all.append((terminal_id, waiting))

    def drop(self, terminal_id: str) -> None:
        """Forget the waits of a terminal; somebody else answers them."""
        self._all = deque(each for each in self._all if each[0] != terminal_id)

    def deadline(self) -> float | None:
        """When time alone makes something due (monotonic seconds), None for never."""
        return min((waiting.due() for _, waiting in self._all), default=None)

    def behind(self) -> bool:
        """Whether there is output to look at; asked once a turn."""
        for terminal_id, waiting in self._all:
            log = self._around.log(terminal_id)
            if log is None or waiting.behind(log.head):
                return True
        return False

    def look(self, lane: "LaneCore", turn: Turn) -> None:
        """Look at new output, as far as one turn may; answer what has come true or is too late."""
        self._left = TURN_WORK
        for _ in range(len(self._all)):
            terminal_id, waiting = self._all.popleft()
            log = turn.around.log(terminal_id)
            result = None
            if log is None:
                _gone(lane, turn, terminal_id, waiting)
                continue
            if self._left > 0 and _searchable(waiting, log, turn.moment.now):
                self._left -= 0 if waiting.search is None else waiting.search.cost
                result = self._found(terminal_id, waiting, log, turn.moment.now)
            result = result or _silent(waiting, log, turn.moment.now)
            result = result or _over(turn, terminal_id, waiting, log)
            if result is not None:
                _answer(lane, turn, waiting, result)
            elif waiting.deadline <= turn.moment.now:
                _late(lane, turn, waiting)
            else:
                self._all.append((terminal_id, waiting))
        if self._left <= 0:
            self._all.rotate(-1)

    def end(self, lane: "LaneCore", turn: Turn, info: TerminalInfo) -> None:
        """Answer the waits of a terminal whose program has ended; searches see the rest first."""
        for terminal_id, waiting in list(self._all):
            if terminal_id != info.id:
                continue
            if waiting.search is not None:
                waiting.over = True
                continue
            self._all.remove((terminal_id, waiting))
            _answer(lane, turn, waiting, ended(info))

    def _found(self, terminal_id: str, waiting: Waiting, log: Log, now: float) -> WaitResult | None:
        search = waiting.search
        if search is None:
            return None
        for _ in range(SKIPS):
            hit = search.step(log)
            if hit is None:
                waiting.held = None
                return None
            verdict, until = self._judge(terminal_id, waiting, log, hit)
            if verdict is Verdict.ECHO:
                search.skip(max(until, hit.start + 1))
                continue
            if verdict is Verdict.UNDECIDED:
                waiting.held = now if waiting.held is None else waiting.held
                if now - waiting.held < UNDECIDED_SECONDS and not waiting.over:
                    search.seen = log.head
                    return None
            return WaitResult(
                reason="match", match=matched(log, hit), head=log.head, gap=search.gap
            )
        return None

    def _judge(self, terminal_id: str, waiting: Waiting, log: Log, hit: Hit) -> tuple[Verdict, int]:
        typed = None if waiting.echo else self._around.typed(terminal_id)
        if typed is None:
            return Verdict.OUTPUT, hit.end
        self._left -= JUDGE_WORK
        return typed.judge(log, hit.start, hit.end)


def wait(lane: "LaneCore", turn: Turn, pending: Pending, body: Wait) -> WaitResult | None:
    """Wait until the program has ended, its output matches, or it is silent."""
    info = turn.current(turn.state.terminal(pending.command.terminal_id).info)
    _check(lane, info, body)
    start = info.head if body.offset is None else body.offset
    milliseconds = pending.command.deadline_ms or DEFAULT_DEADLINE_MS
    waiting = Waiting(
        pending=pending,
        deadline=turn.moment.now + milliseconds / 1000,
        search=None if body.pattern is None else Search(body.pattern, start),
        idle_s=body.idle_s,
        echo=body.echo,
        seen=info.head,
        since=turn.moment.now,
    )
    if info.state in ENDED:
        if waiting.search is None:
            return ended(info)
        waiting.over = True
    lane.waits.put(info.id, waiting)
    return None


def ended(info: TerminalInfo, gap: Gap | None = None) -> WaitResult:
    """Return the answer to a wait that the end of the program ends."""
    return WaitResult(reason="exit", exit=info.exit, end=info.head, gap=gap)


def _check(lane: "LaneCore", info: TerminalInfo, body: Wait) -> None:
    if (body.until == "match") != (body.pattern is not None):
        raise WireError("INVALID_ARGUMENT", "until=match and pattern belong together")
    if body.until == "idle" and body.idle_s is None:
        raise WireError("INVALID_ARGUMENT", "until=idle needs idle_s, the seconds of silence")
    if body.until == "exit" and body.idle_s is not None:
        raise WireError("INVALID_ARGUMENT", "idle_s goes with until=idle or until=match")
    if body.offset is not None and body.pattern is None:
        raise WireError("INVALID_ARGUMENT", "offset goes with pattern")
    if body.offset is not None and body.offset > info.head:
        raise WireError("INVALID_ARGUMENT", f"offset {body.offset} is after the end, {info.head}")
    if len(lane.waits) >= MAX_WAITERS:
        raise WireError(
            "LIMIT_EXCEEDED", f"{MAX_WAITERS} waits are pending in this lane", limit=MAX_WAITERS
        )
    if body.pattern is not None and lane.waits.searches() >= MAX_SEARCHES:
        raise WireError(
            "LIMIT_EXCEEDED",
            f"{MAX_SEARCHES} waits with a pattern are pending in this lane",
            limit=MAX_SEARCHES,
        )


def _searchable(waiting: Waiting, log: Log, now: float) -> bool:
    if waiting.search is None:
        return False
    decided = waiting.held is not None and (waiting.over or now - waiting.held >= UNDECIDED_SECONDS)
    return decided or waiting.search.behind(log.head)


def _over(turn: Turn, terminal_id: str, waiting: Waiting, log: Log) -> WaitResult | None:
    if not waiting.over or waiting.search is None or waiting.search.behind(log.head):
        return None
    terminal = turn.state.terminals.get(terminal_id)
    if terminal is None or waiting.held is not None:
        return None
    return ended(turn.current(terminal.info), waiting.search.gap)


def _silent(waiting: Waiting, log: Log, now: float) -> WaitResult | None:
    if waiting.idle_s is None:
        return None
    if waiting.seen != log.head:
        waiting.seen, waiting.since = log.head, now
    if now - waiting.since < waiting.idle_s:
        return None
    gap = waiting.search.gap if waiting.search is not None else None
    return WaitResult(reason="idle", head=log.head, gap=gap)


def _gone(lane: "LaneCore", turn: Turn, terminal_id: str, waiting: Waiting) -> None:
    """Answer a wait on a terminal without a log: lost with its program, or forgotten."""
    terminal = turn.state.terminals.get(terminal_id)
    if terminal is not None and terminal.info.state in ENDED:
        _answer(lane, turn, waiting, ended(terminal.info))
        return
    lane.pending.pop(waiting.pending.command.id, None)
    error = WireError("TERMINAL_NOT_FOUND", "the terminal and its output are gone")
    turn.refuse(waiting.pending, error.info)


def _answer(lane: "LaneCore", turn: Turn, waiting: Waiting, result: WaitResult) -> None:
    lane.pending.pop(waiting.pending.command.id, None)
    turn.answer(waiting.pending, result)


def _late(lane: "LaneCore", turn: Turn, waiting: Waiting) -> None:
    lane.pending.pop(waiting.pending.command.id, None)
    what = "the program still runs"
    if waiting.search is not None:
        what = f"nothing up to offset {max(0, waiting.search.seen)} matches"
    elif waiting.idle_s is not None:
        what = "the program was never silent for so long"
    error = WireError("TIMEOUT", f"{what}; wait again or look at it", **_searched(waiting.search))
    turn.refuse(waiting.pending, error.info)


def _searched(search: Search | None) -> dict[str, object]:
    """Return from where a search that is asked again goes on, and what it will not see."""
    if search is None:
        return {}
    gap = search.gap
    gone = {} if gap is None else {"gap": {"start": gap.start, "end": gap.end}}
    return {"searched": search.position, **gone}


HANDLERS: Final[dict[str, Any]] = {"terminal.wait": wait}
