"""A lane whose workers die at any moment: one effect and one answer per command, nothing undone.

A seeded world around the core. A worker may die after any step of a turn, its successor too, which
begins with the journal and with what the kernel has; callers ask again with the same id.
"""

from collections.abc import Set as AbstractSet
from typing import Any

import msgpack
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from lanekeeper.wire.methods import METHODS
from lanekeeper.wire.states import TerminalState
from lanekeeper.workers.actions import Frame
from lanekeeper.workers.terminal_commands import ENDED

from .lanehost import Host
from .lanes import LANE, WORKSPACE, as_data

WHICH = st.integers(min_value=0, max_value=1000)
ACTIVE = frozenset({TerminalState.ACTIVE})
ROUNDS = 3
"""Rounds for each command in which nobody dies: then all must have their answers."""


class World(RuleBasedStateMachine):
    """Clients, a lane, and somebody who kills its workers."""

    def __init__(self) -> None:
        """Start with an empty lane."""
        super().__init__()
        self.host = Host()
        self.frames: dict[str, bytes] = {}
        self.offsets: dict[str, int] = {}
        self.made_by: dict[str, str] = {}

    # clients

    def _give(self, method: str, payload: Any, **fields: Any) -> None:
        command = {
            "type": "command",
            "v": 1,
            "id": f"cmd-{self.host.number()}",
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
        self.host.feed(Frame(None if METHODS[method].by_broker else b"me", frame))

    @initialize()
    def begin(self) -> None:
        """Have a session with a lease, as most have that come."""
        self.ensure("main")
        self.attach(0)

    @rule(name=st.sampled_from(["main", "other"]))
    def ensure(self, name: str) -> None:
        """Ask for a session."""
        self._give("session.create", {"name": name})

    @precondition(lambda self: self.host.state().sessions)
    @rule(which=WHICH)
    def attach(self, which: int) -> None:
        """Attach to a session."""
        sessions = list(self.host.state().sessions)
        session = sessions[which % len(sessions)]
        self._give("session.attach", {}, session_id=session, workspace_id=WORKSPACE)

    @precondition(lambda self: self.host.state().leases)
    @rule(which=WHICH)
    def detach(self, which: int) -> None:
        """Give a lease back."""
        lease_id, lease = list(self.host.state().leases.items())[
            which % len(self.host.state().leases)
        ]
        self._give("session.detach", {"lease_id": lease_id}, session_id=lease.session_id)

    @precondition(lambda self: self.host.state().leases)
    @rule(which=WHICH, registers=st.booleans())
    def spawn(self, which: int, *, registers: bool) -> None:
        """Start a program, with a consumer or without."""
        lease_id, lease = list(self.host.state().leases.items())[
            which % len(self.host.state().leases)
        ]
        payload: dict[str, Any] = {"argv": ["prog"]}
        if registers:
            payload["consume"] = {"lease_id": lease_id, "policy": "forever"}
        self._give("terminal.spawn", payload, session_id=lease.session_id, workspace_id=WORKSPACE)

    @precondition(lambda self: self.host.core is not None and self.host.state().leases)
    @rule()
    def run(self) -> None:
        """Start a program and let it run."""
        self.spawn(0, registers=True)
        self.step()
        self.step()

    @precondition(lambda self: self._in(ACTIVE))
    @rule(which=WHICH)
    def type(self, which: int) -> None:
        """Type something into a program that runs."""
        terminal = self._in(ACTIVE)[which % len(self._in(ACTIVE))]
        held = self.host.state().writers.get(terminal)
        by = {} if held is None else {"writer_id": held.id}
        self._give("terminal.input", {"data": b"word\n", **by}, terminal_id=terminal)

    @precondition(lambda self: self.host.core is not None and self._in(ACTIVE))
    @rule(which=WHICH, size=st.integers(1, 9))
    def ask(self, which: int, size: int) -> None:
        """Let a program ask its terminal something, which is answered."""
        self.host.tell(self._in(ACTIVE)[which % len(self._in(ACTIVE))], size)

    @precondition(lambda self: self._in(ENDED))
    @rule(which=WHICH)
    def respawn(self, which: int) -> None:
        """Start the program of an ended terminal again."""
        terminal = self._in(ENDED)[which % len(self._in(ENDED))]
        self._give("terminal.respawn", {}, terminal_id=terminal)

    @precondition(lambda self: self.host.core is not None and self._in(ACTIVE))
    @rule(which=WHICH, size=st.integers(1, 9))
    def restart(self, which: int, size: int) -> None:
        """Let a program ask something and end, and start it again."""
        terminal = self._in(ACTIVE)[which % len(self._in(ACTIVE))]
        self.host.tell(terminal, size)
        self.host.feed(*self.host.kernel.end(terminal))
        if terminal in self._in(ENDED):
            self._give("terminal.respawn", {}, terminal_id=terminal)
            self.step()
            self.step()

    def _in(self, states: AbstractSet[TerminalState]) -> list[str]:
        terminals = self.host.state().terminals.items()
        return [name for name, one in terminals if one.info.state in states]

    @precondition(lambda self: self.host.state().terminals)
    @rule(which=WHICH, verb=st.sampled_from(["close", "resize", "write"]))
    def use(self, which: int, verb: str) -> None:
        """Ask a terminal for something."""
        state = self.host.state()
        terminal = list(state.terminals.values())[which % len(state.terminals)]
        leases = [
            i for i, one in state.leases.items() if one.session_id == terminal.info.session_id
        ]
        if verb == "write" and leases:
            payload = {"lease_id": leases[0], "takeover": True}
            self._give("terminal.lease", payload, terminal_id=terminal.info.id)
        elif verb != "write":
            held = state.writers.get(terminal.info.id)
            by = {} if held is None else {"writer_id": held.id}
            payloads: dict[str, dict[str, Any]] = {
                "close": {},
                "resize": {"cols": 90, "rows": 30, **by},
            }
            self._give(f"terminal.{verb}", payloads[verb], terminal_id=terminal.info.id)

    @precondition(lambda self: any(c.all() for c in self.host.state().consumers.values()))
    @rule(which=WHICH, offset=st.integers(0, 100))
    def acknowledge(self, which: int, offset: int) -> None:
        """Say what a consumer has processed."""
        consumers = self.host.state().consumers
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
        self.host.feed(Frame(None if by_broker else b"again", frame))

    # the world

    @precondition(lambda self: self.host.core is not None)
    @rule(fails=st.booleans())
    def step(self, *, fails: bool = False) -> None:
        """Let the nursery or a program go on; or a program fail to start."""
        told = self.host.kernel.step(fails=fails)
        if told is not None:
            self.host.feed(told)

    @precondition(lambda self: self.host.core is not None)
    @rule()
    def take(self) -> None:
        """Let a program read."""
        told = self.host.kernel.take()
        if told is not None:
            self.host.feed(told)

    @precondition(lambda self: self.host.core is not None and self.host.kernel.children)
    @rule(which=WHICH)
    def end(self, which: int) -> None:
        """Let a program end."""
        terminal = list(self.host.kernel.children)[which % len(self.host.kernel.children)]
        self.host.feed(*self.host.kernel.end(terminal))

    @precondition(lambda self: self.host.core is not None)
    @rule()
    def clear(self) -> None:
        """Let an ending be through."""
        self.host.feed(*self.host.kernel.clear())

    @precondition(lambda self: self.host.core is not None)
    @rule()
    def compact(self) -> None:
        """Write the journal anew."""
        self.host.compact()

    @precondition(lambda self: self.host.core is not None)
    @rule()
    def kill(self) -> None:
        """Kill the worker while it waits."""
        self.host.kill()

    @rule(steps=st.integers(0, 6))
    def doom(self, steps: int) -> None:
        """Have the worker, or the next one, die after that many steps of its work."""
        self.host.fuse = steps

    @precondition(lambda self: self.host.core is None)
    @rule()
    def succeed(self) -> None:
        """Let a successor take over what there is."""
        self.host.succeed()

    # what holds

    @invariant()
    def the_journal_is_the_state(self) -> None:
        """What a successor would begin with is what this worker has."""
        if self.host.core is not None:
            assert as_data(self.host.replayed().snapshot()) == as_data(
                self.host.core.state.snapshot()
            )

    @invariant()
    def inputs_lie_in_their_logs(self) -> None:
        """No input of a program is remembered whose bytes are not there: a successor would cut."""
        if self.host.core is not None:
            for one in self.host.state().inputs.values():
                if one.terminal_id in self._in(ACTIVE):
                    assert one.end <= self.host.kernel.head(one.terminal_id)

    @invariant()
    def nothing_goes_back(self) -> None:
        """What was granted stays, and no acknowledgement is undone."""
        state = self.host.state()
        for terminal_id, consumers in state.consumers.items():
            for one in consumers.all():
                assert one.offset >= self.offsets.get(one.id, 0), terminal_id
                self.offsets[one.id] = one.offset
        for terminal in state.terminals.values():
            made = self.made_by.setdefault(terminal.command_id, terminal.info.id)
            assert made == terminal.info.id, "one command made two terminals"
        for result in self.host.answers.values():
            if "created" in result:
                assert result["session"]["id"] in state.sessions

    def teardown(self) -> None:
        """Let everybody live: then every command has its answer."""
        self.host.fuse = None
        for _ in range(ROUNDS * len(self.frames)):
            if self.host.core is None:
                self.succeed()
            for command_id in self._waiting():
                self._again(command_id)
            self.step()
            self.take()
            self.clear()
            self.the_journal_is_the_state()
        assert not self._waiting(), [msgpack.unpackb(self.frames[one]) for one in self._waiting()]
        assert not self.host.core or not self.host.core.pending
        assert not any(one.command_id for one in self.host.state().inputs.values())

    def _waiting(self) -> list[str]:
        return [i for i in self.frames if i not in self.host.answers and i not in self.host.refused]


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=60, stateful_step_count=40)
