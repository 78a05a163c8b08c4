"""What leads a process to a named moment, and what its asker must be told in the end.

Owns the questions: each is asked beside the reading thread, outlives the fault and judges its own
answer: done once and whole, or refused and nothing left. Called by `faults`.
"""

from collections.abc import Callable
from typing import Final

from lanekeeper.client import Lane, LaneError, Plane, Terminal
from lanekeeper.soak import proc
from lanekeeper.soak.asker import until
from lanekeeper.soak.oracle import Finding
from lanekeeper.soak.plan import Provoke
from lanekeeper.soak.subject import Subject
from lanekeeper.wire.messages.terminal import TerminalList

SETTLE_SECONDS: Final = 2.0
"""How long what was refused or ended may take to be gone."""
ANSWER_SECONDS: Final = 10.0
STATUS: Final = 7
JUDGES: Final = ("I1", "I3", "I5", "I6")
"""Invariants against which an answer is held."""
_SILENCE: Final = frozenset({"TIMEOUT", "UNREACHABLE", "INDETERMINATE", "WORKER_LOST"})

Question = Callable[[Plane, Subject], list[Finding]]


def spawn(plane: Plane, subject: Subject) -> list[Finding]:
    """Start a second program; it runs, or it was refused and nothing of it is there."""
    lane = _lane(plane, subject)
    findings: list[Finding] = []
    try:
        terminal = lane.spawn(["sleep", "1000"])
    except LaneError as error:
        findings += _refused("spawn", error)
    else:
        findings += _runs(terminal)
    findings += _strangers(plane, lane)
    return findings


def resize(plane: Plane, subject: Subject) -> list[Finding]:
    """Give the child another size; it sees that size."""
    terminal = plane.terminal(subject.address)
    wanted = ((terminal.info.cols + 1) % 900 + 20, (terminal.info.rows + 1) % 900 + 20)
    try:
        terminal.resize(*wanted)
    except LaneError as error:
        return [Finding("I1", f"the resize was refused: {error}")]
    if until(lambda: subject.judge.size == wanted, SETTLE_SECONDS) is None:
        return [Finding("I6", f"resized to {wanted}, the program sees {subject.judge.size}")]
    return []


def end(plane: Plane, subject: Subject) -> list[Finding]:
    """Run a program that ends by itself; its status is told as it was."""
    lane = _lane(plane, subject)
    try:
        terminal = lane.spawn(["sh", "-c", f"exit {STATUS}"])
        told = terminal.wait(ANSWER_SECONDS)
    except LaneError as error:
        return [Finding("I1", f"no end of a program that ends at once: {error}")]
    if (told.kind, told.code) != ("exited", STATUS):
        return [Finding("I6", f"a program exited with {STATUS}; told was {told}")]
    return _strangers(plane, lane)


def command(plane: Plane, subject: Subject) -> list[Finding]:
    """Give a command through the broker; it has one effect and one answer."""
    lane = _lane(plane, subject)
    try:
        first = lane.session("asked")
        second = lane.session("asked")
    except LaneError as error:
        return [Finding("I1", f"a command was not answered: {error}")]
    if first.id != second.id:
        return [Finding("I3", "one command made two sessions")]
    return []


QUESTIONS: Final[dict[Provoke, Question]] = {
    Provoke.SPAWN: spawn,
    Provoke.RESIZE: resize,
    Provoke.EXIT: end,
    Provoke.COMMAND: command,
}


def _lane(plane: Plane, subject: Subject) -> Lane:
    return plane.lane(subject.lane.info.name, create=False)


def _refused(what: str, error: LaneError) -> list[Finding]:
    if error.code in _SILENCE:
        return [Finding("I1", f"{what} was not answered: {error}")]
    return []


def _runs(terminal: Terminal) -> list[Finding]:
    info = terminal.info
    try:
        if until(lambda: terminal.refresh().state == "active", SETTLE_SECONDS) is None:
            return [Finding("I6", f"a started program is {terminal.info.state}")]
        alive = proc.lives(proc.Seen(info.pid or 0, info.start_time or 0))
        found = [] if alive else [Finding("I1", f"a started program is gone: {info.pid}")]
        terminal.close(0.0)
    except LaneError as error:
        return [Finding("I1", f"a started program cannot be reached: {error}")]
    return found


def _strangers(plane: Plane, lane: Lane) -> list[Finding]:
    """Find programs of the lane that no terminal knows, once what is going has gone."""
    left: set[int] = set()

    def clean() -> bool:
        listed = plane.call("terminal.list", result=TerminalList, lane_id=lane.id).terminals
        known = {one.pid for one in listed if one.exit is None}
        left.clear()
        left.update(set(proc.of_lane(lane.id)) - known)
        return not left

    if until(clean, SETTLE_SECONDS) is None:
        return [Finding("I5", f"programs that no terminal knows: {sorted(left)}")]
    return []
