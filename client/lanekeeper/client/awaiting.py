"""Waiting for what a terminal's output says, written once for both shells.

The place in the output where a search begins is settled first, so that nothing is missed when a
wait has to be asked again. Called by the handles of a terminal.
"""

from typing import Final, TypedDict

from msgspec import convert
from msgspec.structs import replace

from lanekeeper.client.effects import Call, Ids, Operation, ask
from lanekeeper.client.errors import TimedOutError, error_for
from lanekeeper.wire.limits import MAX_DEADLINE_MS
from lanekeeper.wire.messages.plane import Nothing
from lanekeeper.wire.messages.terminal import Gap, TerminalResult
from lanekeeper.wire.messages.waiting import Wait, WaitResult

WAIT_SLICE: Final = 3600.0
"""Seconds of one `terminal.wait` of a caller who waits for longer."""
SEARCH_SLICE: Final = 30.0
"""Of one that searches: the search of a client that was killed ends by then, and makes room."""
LONGEST_SLICE: Final = MAX_DEADLINE_MS / 1000


class Until(TypedDict, total=False):
    """What ends a wait, whichever comes first; the end of the program always does.

    Attributes:
        match: an RE2 pattern on the bytes of the output; `^` and `$` match at line borders.
        offset: where the search begins (the head of the log without one).
        idle: seconds of silence, counted from the call at the earliest.
        echo: let `match` match the echo of what was typed too.
    """

    match: str
    offset: int | None
    idle: float
    echo: bool


class Patient(Until, total=False):
    """What ends a wait, and how many seconds it may take (None: for ever)."""

    timeout: float | None


def wait_for(
    terminal_id: str, link: str | None, until: Until, timeout: float | None
) -> Operation[WaitResult]:
    """Return what ended the wait; `timeout` in seconds (None: for ever)."""
    ids = Ids(terminal_id=terminal_id)
    body = Wait(
        until="match" if "match" in until else "idle" if "idle" in until else "exit",
        pattern=until.get("match"),
        offset=until.get("offset"),
        idle_s=until.get("idle"),
        echo=until.get("echo", False),
    )
    if body.pattern is not None and body.offset is None:
        call = Call("terminal.get", TerminalResult, Nothing(), ids, link)
        body.offset = (yield from ask(call)).terminal.head
    idle, left, lost = until.get("idle", 0.0), timeout, None
    # Every wait counts silence anew: what is asked for must fit into one.
    least = WAIT_SLICE if body.pattern is None else SEARCH_SLICE
    slice_s = min(max(least, 2 * idle), LONGEST_SLICE)
    while True:
        whole = body.pattern is None or idle > 0
        seconds = slice_s if left is None else left if whole else min(left, slice_s)
        try:
            wait = Call("terminal.wait", WaitResult, body, ids, link, seconds)
            return _with_gap((yield from ask(wait)), lost)
        except TimedOutError as error:
            searched, gap = error.details.get("searched"), error.details.get("gap")
            left = None if left is None else left - seconds
            if left is not None and left <= 0:
                raise error_for(
                    "TIMEOUT",
                    f"terminal {terminal_id}: nothing of it within {timeout:g} s; wait again "
                    "or look at it",
                    retryable=True,
                    details=error.details,
                ) from error
            if isinstance(searched, int):
                body.offset = searched
                lost = lost if gap is None else _joined(lost, convert(gap, Gap))


def _with_gap(result: WaitResult, lost: Gap | None) -> WaitResult:
    """Return a result with what was gone in the turns before it, too."""
    if lost is None:
        return result
    return replace(result, gap=lost if result.gap is None else _joined(lost, result.gap))


def _joined(first: Gap | None, gap: Gap) -> Gap:
    return Gap(start=gap.start if first is None else first.start, end=gap.end)
