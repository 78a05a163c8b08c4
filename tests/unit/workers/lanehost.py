"""A lane's worker that can die after any step of its work, and what it leaves to the next one.

A turn is carried out as the runner does it: its records first, as one entry of the journal, then
each effect. Owns the journal and the answers that clients have got. Refuses a second answer to one
command that is another one.
"""

from typing import Any

import msgpack

from lanekeeper.wire.messages.lane import Endpoints
from lanekeeper.wire.states import TerminalState
from lanekeeper.workers import actions
from lanekeeper.workers.actions import Action, Moment, Stimulus
from lanekeeper.workers.core import LaneCore
from lanekeeper.workers.records import InputIs, Record, decode_records, encode_records
from lanekeeper.workers.resuming import Left
from lanekeeper.workers.state import LaneState
from lanekeeper.workers.turn import Surroundings

from .lanelife import Kernel, Stage, Typed
from .lanes import ASSIGNMENT, FakeLog

RUNNING = {TerminalState.SPAWNING, TerminalState.ACTIVE, TerminalState.THROTTLED}


class DiedError(Exception):
    """The worker was killed."""


class Host:
    """One lane: its worker, if one is alive, and what outlives it.

    Attributes:
        core: of the worker; None when it is dead.
        fuse: steps of work after which it dies; None to live.
        answers: what clients were told, by command id.
        refused: commands that got an error.
    """

    def __init__(self) -> None:
        """Start with an empty lane."""
        self.kernel = Kernel()
        self.journal: list[bytes] = []
        self.fuse: int | None = None
        self.answers: dict[str, Any] = {}
        self.refused: set[str] = set()
        self._logs: dict[str, FakeLog] = {}
        self._number = 0
        self._now = 100.0
        self.core: LaneCore | None = self._serve(LaneState(ASSIGNMENT))
        self._carry_out(self.core.first(self._moment()))

    def number(self) -> int:
        """Return a number that was never returned before."""
        self._number += 1
        return self._number

    def state(self) -> LaneState:
        """Return the state of the worker, or what its successor will begin with."""
        return self.replayed() if self.core is None else self.core.state

    def kill(self) -> None:
        """Kill the worker."""
        self.core = self.fuse = None

    def compact(self) -> None:
        """Write the journal anew."""
        self.journal = [encode_records([one]) for one in self.state().snapshot()]

    def _serve(self, state: LaneState) -> LaneCore:
        endpoints = Endpoints(output="ipc://out", control="ipc://in")
        return LaneCore(state, Surroundings(self._entropy, self._logs.get, endpoints))

    def _entropy(self, count: int) -> bytes:
        return self.number().to_bytes(count, "big")

    def _moment(self) -> Moment:
        self._now += 0.001
        return Moment(self._now, "2026-01-01T00:00:00.000Z", 1)

    def feed(self, *stimuli: Stimulus) -> None:
        """Give stimuli to the worker; a dead one hears nothing.

        Nothing is raised when it dies of them.
        """
        for stimulus in stimuli:
            if self.core is not None:
                self._carry_out(self.core.handle(stimulus, self._moment()))

    def _carry_out(self, done: list[Action]) -> None:
        try:
            records = [action.record for action in done if isinstance(action, actions.Journal)]
            if records:
                self._write(records)
            for action in done:
                if not isinstance(action, actions.Journal):
                    self._effect(action)
        except DiedError:
            self.core = self.fuse = None

    def _burn(self) -> None:
        """Die here if the time has come."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise DiedError

    def _write(self, records: list[Record]) -> None:
        self._burn()
        self.journal.append(encode_records(records))

    def _effect(self, action: Action) -> None:
        self._burn()
        match action:
            case actions.Reply(data=data):
                self._answered(msgpack.unpackb(data))
            case actions.Start(info=info):
                self._logs.setdefault(info.id, FakeLog(b"x" * 100))
                self.kernel.commands[info.id] = self.replayed().terminals[info.id].command_id
            case actions.Deliver():
                self._deliver(action.terminal_id, action.command_id, len(action.data))
            case actions.Reap(terminal_id=terminal_id):
                known = self.replayed().terminals.get(terminal_id)
                assert known is None or known.info.exit or known.info.state == TerminalState.ERRORED
        self.kernel.carry_out(action)

    def tell(self, terminal_id: str, size: int) -> None:
        """Answer a question of a program; nothing is raised when the worker dies of it."""
        try:
            self._deliver(terminal_id, "", size)
        except DiedError:
            self.core = self.fuse = None

    def _deliver(self, terminal_id: str, command_id: str, size: int) -> None:
        """Accept an input as the shell does: first the record, then the bytes."""
        assert self.core is not None
        end = self.kernel.head(terminal_id) + size
        cursor = self.kernel.cursor(terminal_id)
        accepted = InputIs(command_id, terminal_id, end, size, size, 0, cursor)
        self._write([accepted])
        self.core.state.apply(accepted, self._now)
        self._burn()
        self.kernel.accept(Typed(command_id, terminal_id, size))

    def _answered(self, response: dict[str, Any]) -> None:
        told = response["id"]
        if response["status"] == "error":
            assert told not in self.answers, f"{response['error']} after {self.answers[told]}"
            self.refused.add(told)
            return
        assert self.answers.setdefault(told, response["result"]) == response["result"]

    def replayed(self) -> LaneState:
        """Return the state that the journal gives."""
        state = LaneState(ASSIGNMENT)
        for payload in self.journal:
            for record in decode_records(payload):
                state.apply(record, self._now)
        return state

    def succeed(self) -> None:
        """Let a successor take over what there is."""
        state = self.replayed()
        self.kernel.endings.clear()
        self._go_home()
        left = self._left(state)
        self.core = self._serve(state)
        self._carry_out(self.core.resume(left, self._moment()))
        self._tell_again(state)

    def _left(self, state: LaneState) -> Left:
        """Return what became of inputs, by their places in the input logs as the shell does."""
        done: list[str] = []
        refused: list[str] = []
        running = {t for t, one in state.terminals.items() if one.info.state in RUNNING}
        for one in sorted(state.inputs.values(), key=lambda one: one.end):
            cursor = self.kernel.cursor(one.terminal_id)
            if one.terminal_id not in running:
                continue
            if one.end <= cursor:
                done += [one.command_id] if one.command_id else []
            elif one.end > self.kernel.head(one.terminal_id):
                refused.append(one.name)
                self.kernel.cut(one.terminal_id, max(one.end - one.length, cursor))
        return Left(done=tuple(done), refused=tuple(refused))

    def _go_home(self) -> None:
        """Send children home that wait at a gate nobody opens."""
        for child in self.kernel.children.values():
            if child.stage in {Stage.ASKED, Stage.GATE}:
                child.stage = Stage.HOME

    def _tell_again(self, state: LaneState) -> None:
        """Tell a successor what descriptors and the nursery tell anybody who asks."""
        for child in list(self.kernel.children.values()):
            known = state.terminals.get(child.terminal_id)
            if known is None:
                continue
            spawning = known.info.state == TerminalState.SPAWNING and known.info.pid == child.pid
            if child.stage is Stage.HOME and spawning:
                self.feed(actions.Ungated(child.terminal_id))
            elif child.stage is Stage.REFUSED and spawning:
                self.feed(actions.SpawnRefused(child.terminal_id, "exec: no such file"))
            elif child.stage is Stage.RUNS:
                child.told = not spawning
            elif child.stage is Stage.ENDED and known.info.state in RUNNING:
                for one in self.kernel.inputs:
                    one.told = one.told and one.command_id not in state.inputs
                started = [actions.Executed(child.terminal_id)] if spawning else []
                ended = self.kernel.ended(child.terminal_id)
                self.feed(*started, *ended, *self.kernel.undelivered(child.terminal_id))
