"""A lane whose workers die at any moment: one effect and one answer per command, nothing undone.

A seeded world around the core. A turn is carried out as the runner does it (its records first, as
one entry, then each effect), and a worker may die after any of these steps, its successor too. The
successor begins with the journal and with what the kernel has; callers ask again with the same id.
"""

from typing import Any

import msgpack
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lanekeeper.wire.messages.lane import Endpoints
from lanekeeper.wire.methods import METHODS
from lanekeeper.wire.states import TerminalState
from lanekeeper.workers import actions
from lanekeeper.workers.actions import Action, Frame, Moment, Stimulus
from lanekeeper.workers.core import LaneCore
from lanekeeper.workers.records import InputIs, Record, decode_records, encode_records
from lanekeeper.workers.resuming import Left
from lanekeeper.workers.state import LaneState
from lanekeeper.workers.turn import Surroundings

from .lanelife import Kernel, Stage, Typed
from .lanes import ASSIGNMENT, LANE, WORKSPACE, FakeLog, as_data

WHICH = st.integers(min_value=0, max_value=1000)
ROUNDS = 30
"""Rounds in which nobody dies: then every command must have its answer."""


class DiedError(Exception):
    """The worker was killed."""


class World(RuleBasedStateMachine):
    """Clients, a lane, and somebody who kills its workers."""

    def __init__(self) -> None:
        """Start with an empty lane."""
        super().__init__()
        self.kernel = Kernel()
        self.journal: list[bytes] = []
        self.logs: dict[str, FakeLog] = {}
        self.number = 0
        self.now = 100.0
        self.fuse: int | None = None
        self.frames: dict[str, bytes] = {}
        self.answers: dict[str, Any] = {}
        self.refused: set[str] = set()
        self.offsets: dict[str, int] = {}
        self.made_by: dict[str, str] = {}
        self.core: LaneCore | None = self._serve(LaneState(ASSIGNMENT))
        self._carry_out(self.core.first(self._moment()))

    def _serve(self, state: LaneState) -> LaneCore:
        endpoints = Endpoints(output="ipc://out", control="ipc://in")
        return LaneCore(state, Surroundings(self._entropy, self.logs.get, endpoints))

    def _entropy(self, count: int) -> bytes:
        self.number += 1
        return self.number.to_bytes(count, "big")

    def _moment(self) -> Moment:
        self.now += 0.001
        return Moment(self.now, "2026-01-01T00:00:00.000Z", 1)

    # the runner

    def _feed(self, *stimuli: Stimulus) -> None:
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
                self.logs.setdefault(info.id, FakeLog(b"x" * 100))
            case actions.Deliver():
                self._deliver(action)
            case actions.Reap(terminal_id=terminal_id):
                known = self._replayed().terminals.get(terminal_id)
                assert known is None or known.info.exit or known.info.state == TerminalState.ERRORED
        self.kernel.carry_out(action)

    def _deliver(self, action: actions.Deliver) -> None:
        """Accept an input as the shell does: first the record, then the bytes."""
        assert self.core is not None
        size = len(action.data)
        end = sum(one.size for one in self.kernel.inputs if one.terminal_id == action.terminal_id)
        accepted = InputIs(action.command_id, action.terminal_id, end + size, size, size, 0, 0)
        self._write([accepted])
        self.core.state.apply(accepted, self.now)
        self._burn()
        self.kernel.accept(Typed(action.command_id, action.terminal_id, size))

    def _answered(self, response: dict[str, Any]) -> None:
        told = response["id"]
        if response["status"] == "error":
            assert told not in self.answers, f"{response['error']} after {self.answers[told]}"
            self.refused.add(told)
            return
        assert self.answers.setdefault(told, response["result"]) == response["result"]

    def _replayed(self) -> LaneState:
        state = LaneState(ASSIGNMENT)
        for payload in self.journal:
            for record in decode_records(payload):
                state.apply(record, self.now)
        return state

    # clients

    def _give(self, method: str, payload: Any, **fields: Any) -> None:
        self.number += 1
        command = {
            "type": "command",
            "v": 1,
            "id": f"cmd-{self.number}",
            "ts": "2026-01-01T00:00:00Z",
            "method": method,
            "payload": payload,
            "correlation_id": "corr-1",
            "lane_id": LANE,
            **fields,
        }
        frame = msgpack.packb(command)
        if method != "terminal.ack":
            self.frames[str(command["id"])] = frame
        self._feed(Frame(None if METHODS[method].by_broker else b"me", frame))

    def _state(self) -> LaneState:
        return self._replayed() if self.core is None else self.core.state

    @rule(name=st.sampled_from(["main", "other"]))
    def ensure(self, name: str) -> None:
        """Ask for a session."""
        self._give("session.create", {"name": name})

    @precondition(lambda self: self._state().sessions)
    @rule(which=WHICH)
    def attach(self, which: int) -> None:
        """Attach to a session."""
        sessions = list(self._state().sessions)
        session = sessions[which % len(sessions)]
        self._give("session.attach", {}, session_id=session, workspace_id=WORKSPACE)

    @precondition(lambda self: self._state().leases)
    @rule(which=WHICH)
    def detach(self, which: int) -> None:
        """Give a lease back."""
        lease_id, lease = list(self._state().leases.items())[which % len(self._state().leases)]
        self._give("session.detach", {"lease_id": lease_id}, session_id=lease.session_id)

    @precondition(lambda self: self._state().leases)
    @rule(which=WHICH, registers=st.booleans())
    def spawn(self, which: int, *, registers: bool) -> None:
        """Start a program, with a consumer or without."""
        lease_id, lease = list(self._state().leases.items())[which % len(self._state().leases)]
        payload: dict[str, Any] = {"argv": ["prog"]}
        if registers:
            payload["consume"] = {"lease_id": lease_id, "policy": "forever"}
        self._give(
            "terminal.spawn", payload, session_id=lease.session_id, workspace_id=WORKSPACE
        )

    @precondition(lambda self: self._state().terminals)
    @rule(which=WHICH, verb=st.sampled_from(["input", "input", "close", "resize", "write"]))
    def use(self, which: int, verb: str) -> None:
        """Ask a terminal for something."""
        state = self._state()
        terminal = list(state.terminals.values())[which % len(state.terminals)]
        leases = [i for i, one in state.leases.items() if one.session_id == terminal.info.session_id]
        if verb == "write" and leases:
            payload = {"lease_id": leases[0], "takeover": True}
            self._give("terminal.lease", payload, terminal_id=terminal.info.id)
        elif verb != "write":
            held = state.writers.get(terminal.info.id)
            by = {} if held is None else {"writer_id": held.id}
            payloads: dict[str, dict[str, Any]] = {
                "input": {"data": b"word\n", **by},
                "close": {},
                "resize": {"cols": 90, "rows": 30, **by},
            }
            self._give(f"terminal.{verb}", payloads[verb], terminal_id=terminal.info.id)

    @precondition(lambda self: any(c.all() for c in self._state().consumers.values()))
    @rule(which=WHICH, offset=st.integers(0, 100))
    def acknowledge(self, which: int, offset: int) -> None:
        """Say what a consumer has processed."""
        consumers = self._state().consumers
        all_ = [(t, one.id) for t, of in consumers.items() for one in of.all()]
        terminal_id, consumer_id = all_[which % len(all_)]
        payload = {"consumer_id": consumer_id, "offset": offset}
        self._give("terminal.ack", payload, terminal_id=terminal_id)

    @precondition(lambda self: self.frames)
    @rule(which=WHICH)
    def retry(self, which: int) -> None:
        """Send a command again."""
        self._again(list(self.frames)[which % len(self.frames)])

    def _again(self, command_id: str) -> None:
        frame = self.frames[command_id]
        by_broker = METHODS[msgpack.unpackb(frame)["method"]].by_broker
        self._feed(Frame(None if by_broker else b"again", frame))

    # the world

    @precondition(lambda self: self.core is not None)
    @rule(fails=st.booleans())
    def step(self, *, fails: bool = False) -> None:
        """Let the nursery or a program go on; or a program fail to start."""
        told = self.kernel.step(fails=fails)
        if told is not None:
            self._feed(told)

    @precondition(lambda self: self.core is not None)
    @rule()
    def take(self) -> None:
        """Let a program read."""
        told = self.kernel.take()
        if told is not None:
            self._feed(told)

    @precondition(lambda self: self.core is not None and self.kernel.children)
    @rule(which=WHICH)
    def end(self, which: int) -> None:
        """Let a program end."""
        children = list(self.kernel.children)
        self._feed(*self.kernel.end(children[which % len(children)]))

    @precondition(lambda self: self.core is not None)
    @rule()
    def clear(self) -> None:
        """Let an ending be through."""
        self._feed(*self.kernel.clear())

    @precondition(lambda self: self.core is not None)
    @rule()
    def compact(self) -> None:
        """Write the journal anew."""
        assert self.core is not None
        self.journal = [encode_records([one]) for one in self.core.state.snapshot()]

    @precondition(lambda self: self.core is not None)
    @rule()
    def kill(self) -> None:
        """Kill the worker while it waits."""
        self.core = self.fuse = None

    @rule(steps=st.integers(0, 6))
    def doom(self, steps: int) -> None:
        """Have the worker, or the next one, die after that many steps of its work."""
        self.fuse = steps

    @precondition(lambda self: self.core is None)
    @rule()
    def succeed(self) -> None:
        """Let a successor take over what there is."""
        state = self._replayed()
        self.kernel.endings.clear()
        self._go_home()
        waiting = {one.command_id for one in state.inputs.values() if one.command_id}
        accepted = {one.command_id: one for one in self.kernel.inputs}
        left = Left(
            done=tuple(i for i in waiting if i in accepted and accepted[i].taken),
            refused=tuple(i for i in waiting if i not in accepted),
        )
        self.core = self._serve(state)
        self._carry_out(self.core.resume(left, self._moment()))
        self._tell_again(state)

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
                self._feed(actions.Ungated(child.terminal_id))
            elif child.stage is Stage.REFUSED and spawning:
                self._feed(actions.SpawnRefused(child.terminal_id, "exec: no such file"))
            elif child.stage is Stage.RUNS:
                child.told = not spawning
            elif child.stage is Stage.ENDED:
                for one in self.kernel.inputs:
                    one.told = one.told and one.command_id not in state.inputs
                started = [actions.Executed(child.terminal_id)] if spawning else []
                alive = known.info.state in {"spawning", "active", "throttled"}
                again = self.kernel.ended(child.terminal_id) if alive else []
                self._feed(*started, *self.kernel.undelivered(child.terminal_id), *again)

    # what holds

    @invariant()
    def the_journal_is_the_state(self) -> None:
        """What a successor would begin with is what this worker has."""
        if self.core is not None:
            assert as_data(self._replayed().snapshot()) == as_data(self.core.state.snapshot())

    @invariant()
    def nothing_goes_back(self) -> None:
        """What was granted stays, and no acknowledgement is undone."""
        state = self._state()
        for terminal_id, consumers in state.consumers.items():
            for one in consumers.all():
                assert one.offset >= self.offsets.get(one.id, 0), terminal_id
                self.offsets[one.id] = one.offset
        for terminal in state.terminals.values():
            made = self.made_by.setdefault(terminal.command_id, terminal.info.id)
            assert made == terminal.info.id, "one command made two terminals"
        for result in self.answers.values():
            if "created" in result:
                assert result["session"]["id"] in state.sessions

    def teardown(self) -> None:
        """Let everybody live: then every command has its answer."""
        self.fuse = None
        for _ in range(ROUNDS):
            if self.core is None:
                self.succeed()
            for command_id in self._waiting():
                self._again(command_id)
            self.step()
            self.take()
            self.clear()
            self.the_journal_is_the_state()
        left = self._waiting()
        assert not left, [msgpack.unpackb(self.frames[one]) for one in left]
        assert not self.core or not self.core.pending
        assert not self._state().inputs

    def _waiting(self) -> list[str]:
        return [i for i in self.frames if i not in self.answers and i not in self.refused]


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=100, stateful_step_count=50)
