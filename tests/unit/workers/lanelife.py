"""The kernel and the nursery around a lane's core: what outlives a worker, as plain values.

Programs go from their fork through the gate to their end whoever serves the lane; inputs that were
accepted stay accepted. Refuses what the real ones would never do: a program that passes its gate
twice, a child that is reaped before its status is in the journal.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.terminal import ExitStatus
from lanekeeper.workers import actions
from lanekeeper.workers.actions import Stimulus

SEVEN = ExitStatus(kind="exited", code=7)


class Stage(StrEnum):
    """Where a child is."""

    ASKED = "asked"
    GATE = "gate"
    HOME = "home"
    """Its gate closed before it could run; what it said is read by whoever comes."""
    RUNS = "runs"
    REFUSED = "refused"
    """It passed the gate and could not run; that is read by whoever comes, too."""
    ENDED = "ended"


@dataclass
class Child:
    """One child of the nursery; `told` is whether the worker has heard of its present stage."""

    terminal_id: str
    pid: int
    stage: Stage = Stage.ASKED
    told: bool = False
    reaped: bool = False


@dataclass
class Typed:
    """One input that was accepted; without a command it is an answer to the program."""

    command_id: str
    terminal_id: str
    size: int
    taken: bool = False
    told: bool = False


@dataclass
class Kernel:
    """Everything that a worker's death leaves as it is."""

    children: dict[str, Child] = field(default_factory=dict)
    runs: Counter[str] = field(default_factory=Counter)
    """How often the program ran that a command started."""
    commands: dict[str, str] = field(default_factory=dict)
    """The command that started the program of each terminal."""
    accepted: set[str] = field(default_factory=set)
    inputs: list[Typed] = field(default_factory=list)
    endings: list[actions.End] = field(default_factory=list)
    _pids: int = 1000

    def carry_out(self, action: actions.Action) -> None:
        """Do what reaches beyond the worker."""
        match action:
            case actions.Start(info=info):
                self._pids += 1
                self.children[info.id] = Child(info.id, self._pids)
                # A new program has a new input log.
                self.inputs = [one for one in self.inputs if one.terminal_id != info.id]
            case actions.OpenGate(terminal_id=terminal_id):
                child = self.children[terminal_id]
                assert child.stage is Stage.GATE
                child.stage, child.told = Stage.RUNS, False
                command_id = self.commands[terminal_id]
                self.runs[command_id] += 1
                assert self.runs[command_id] == 1, "a program ran twice"
            case actions.Reap(terminal_id=terminal_id):
                self.children[terminal_id].reaped = True
            case actions.End():
                self.endings.append(action)

    def accept(self, typed: Typed) -> None:
        """Take bytes into the input log; for good."""
        assert typed.command_id not in self.accepted, "typed twice"
        self.accepted |= {typed.command_id} - {""}
        self.inputs.append(typed)

    def cursor(self, terminal_id: str) -> int:
        """Return how much of a terminal's input log has left."""
        return sum(one.size for one in self.inputs if one.terminal_id == terminal_id and one.taken)

    def head(self, terminal_id: str) -> int:
        """Return where a terminal's input log ends."""
        return sum(one.size for one in self.inputs if one.terminal_id == terminal_id)

    def cut(self, terminal_id: str, end: int) -> None:
        """Give up a terminal's input log from `end` on."""
        place = 0
        for one in [one for one in self.inputs if one.terminal_id == terminal_id]:
            place += one.size
            if place > end:
                self.inputs.remove(one)

    def step(self, *, fails: bool = False) -> Stimulus | None:
        """Let the first child that can go one step further do so; what the worker hears of it."""
        for child in self.children.values():
            if child.stage is Stage.ASKED:
                child.stage = Stage.GATE
                return actions.Forked(child.terminal_id, child.pid, child.pid)
            if child.stage is Stage.RUNS and not child.told:
                child.told = True
                if not fails:
                    return actions.Executed(child.terminal_id)
                child.stage = Stage.REFUSED
                return actions.SpawnRefused(child.terminal_id, "exec: no such file")
        return None

    def take(self) -> Stimulus | None:
        """Let a program read its first input; what the worker hears of it."""
        for one in self.inputs:
            child = self.children.get(one.terminal_id)
            if not one.taken and child is not None and child.stage is Stage.RUNS:
                one.taken = one.told = True
                return actions.Delivered(one.command_id, one.size)
        return None

    def end(self, terminal_id: str) -> list[Stimulus]:
        """End a program; what the worker hears of it, one after the other."""
        child = self.children.get(terminal_id)
        if child is None or child.stage is not Stage.RUNS:
            return []
        started = [] if child.told else [actions.Executed(terminal_id)]
        child.stage, child.told = Stage.ENDED, True
        return [*started, *self.ended(terminal_id), *self.undelivered(terminal_id)]

    def undelivered(self, terminal_id: str) -> list[Stimulus]:
        """Return what is told of the inputs that an ended program left."""
        error = WireError("INVALID_TRANSITION", "the program has ended")
        left = [one for one in self.inputs if one.terminal_id == terminal_id and not one.told]
        for one in left:
            one.told = True
        return [actions.Undelivered(one.command_id, error) for one in left]

    def ended(self, terminal_id: str) -> list[Stimulus]:
        """Return what is told of a program that ended."""
        return [actions.Exited(terminal_id, SEVEN), actions.Drained(terminal_id)]

    def clear(self) -> list[Stimulus]:
        """Finish the first ending: nobody of it is left."""
        if not self.endings:
            return []
        ending = self.endings.pop(0)
        told: list[Stimulus] = []
        for terminal_id in ending.terminal_ids:
            told += self.end(terminal_id)
        return [*told, actions.Cleared(ending.ending_id, len(ending.terminal_ids), 0)]
