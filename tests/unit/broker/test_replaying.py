"""Whatever happens to a core, its journal gives the same state again: random lives, compared."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lanekeeper.broker.core import Core
from lanekeeper.broker.records import decode_record, encode_record
from lanekeeper.broker.state import State
from lanekeeper.broker.stimuli import Instant, KeeperDown, Publish
from lanekeeper.wire.errors import ErrorInfo, WireError
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.methods import METHODS
from unit.broker.bench import DEFAULT, Bench, Randomness, a_session, a_terminal, content, replayed

NAMES = st.sampled_from(["a", "b", "c"])
TERMINAL_STATES = st.sampled_from(["spawning", "active", "throttled", "stopped", "errored"])
TERMINAL_TOPICS = st.sampled_from(
    ["terminal.spawned", "terminal.state.changed", "terminal.closed", "terminal.spawn.started"]
)
SESSION_TOPICS = st.sampled_from(["session.created", "session.attached", "session.terminated"])
WHICH = st.integers(min_value=0, max_value=1000)


class Lives(RuleBasedStateMachine):
    """Everybody does anything in any order."""

    def __init__(self) -> None:
        """Start with a keeper."""
        super().__init__()
        self.bench = Bench()
        self.commands: list[Any] = []
        self.assignments: list[dict[str, Any]] = []

    def _send(self, method: str, payload: object = None, **fields: Any) -> None:
        command = self.bench.command(method, payload, **fields)
        self.commands.append(command)
        self.bench.send(command)
        for message in self.bench.asked:
            if message["op"] == "grant" and message["lane"] not in self.assignments:
                self.assignments.append(message["lane"])

    def _lane(self, which: int) -> str:
        lanes = list(self.bench.core.desk.registry.lanes)
        return lanes[which % len(lanes)] if lanes else "lane_no"

    def _route(self, which: int) -> tuple[str, bytes]:
        routes = sorted(self.bench.core.desk.routes.items())
        route, lane_id = routes[which % len(routes)] if routes else (b"nobody", "lane_no")
        return lane_id, route

    @rule(name=NAMES, options=st.sampled_from([{}, {"ensure": True}]), patient=st.booleans())
    def create(self, name: str, options: dict[str, bool], *, patient: bool) -> None:
        """Ask for a lane."""
        self._send(
            "lane.create",
            {"name": name, **options},
            workspace_id=DEFAULT,
            deadline_ms=60_000 if patient else 100,
        )

    @precondition(lambda self: self.assignments)
    @rule(which=WHICH, again=st.booleans())
    def register(self, which: int, *, again: bool) -> None:
        """Let a worker register, perhaps over a new connection."""
        assignment = self.assignments[which % len(self.assignments)]
        self.bench.register(assignment, b"again" + assignment["lane_id"].encode() if again else b"")

    @rule(which=WHICH, op=st.sampled_from(["refused", "error"]))
    def refuse(self, which: int, op: str) -> None:
        """Let the keeper refuse a lane."""
        self.bench.keeper(op=op, id=f"grant:{self._lane(which)}", code="SPAWN_FAILED", message="m")

    @rule(which=WHICH, number=st.sampled_from([None, 9]))
    def die(self, which: int, number: int | None) -> None:
        """Let a worker die."""
        self.bench.keeper(op="died", lane_id=self._lane(which), code=0, signal=number)

    @rule(which=WHICH, op=st.sampled_from(["fenced:fence", "swept:sweep", "error:sweep"]))
    def sweep(self, which: int, op: str) -> None:
        """Let the keeper answer something about ending a lane, asked for or not."""
        answer, _, asked = op.partition(":")
        self.bench.keeper(op=answer, id=f"{asked}:{self._lane(which)}", message="m")

    @rule(up=st.booleans())
    def keeper(self, *, up: bool) -> None:
        """Let the keeper come or go."""
        self.bench.keeper_can_be_reached = up
        if up:
            self.bench.keeper_comes()
        else:
            self.bench.feed(KeeperDown())

    @rule(
        which=WHICH,
        method=st.sampled_from(["lane.attach", "lane.cleanup", "session.create", "lease.renew"]),
    )
    def use(self, which: int, method: str) -> None:
        """Give a command for a lane."""
        payload = {"lease_id": "l"} if method == "lease.renew" else {}
        self._send(method, payload, lane_id=self._lane(which))

    @precondition(lambda self: self.commands)
    @rule(which=WHICH)
    def retry(self, which: int) -> None:
        """Send a command again."""
        self.bench.send(self.commands[which % len(self.commands)], b"client-2")

    @rule(which=WHICH, good=st.booleans())
    def respond(self, which: int, *, good: bool) -> None:
        """Answer a command that is in flight to a worker."""
        lane_id, route = self._route(which)
        lane = self.bench.core.desk.lanes.get(lane_id)
        ids = list(lane.pending) if lane else []
        error = None if good else ErrorInfo(code="INTERNAL", message="m")
        self.bench.respond(route, ids[which % len(ids)] if ids else "none", {}, error)

    @rule(which=WHICH, full=st.booleans())
    def fail_to_deliver(self, which: int, *, full: bool) -> None:
        """Say that something sent has not arrived."""
        if self.bench.sent:
            self.bench.undelivered(self.bench.sent[which % len(self.bench.sent)], full=full)

    @rule(which=WHICH, name=NAMES, topic=SESSION_TOPICS)
    def session(self, which: int, name: str, topic: str) -> None:
        """Report something about a session."""
        lane_id, route = self._route(which)
        session = a_session(lane_id, f"sess_{name}")
        self.bench.report(route, topic, Happened(session=session))

    @rule(which=WHICH, name=NAMES, topic=TERMINAL_TOPICS, state=TERMINAL_STATES)
    def terminal(self, which: int, name: str, topic: str, state: str) -> None:
        """Report something about a terminal."""
        lane_id, route = self._route(which)
        terminal = a_terminal(lane_id, "sess_a", f"term_{name}", state=state)
        self.bench.report(route, topic, Happened(terminal=terminal))

    @rule(name=NAMES, method=st.sampled_from(["workspace.create", "workspace.open"]))
    def workspace(self, name: str, method: str) -> None:
        """Make or open a workspace."""
        self._send(method, {"name": name})

    @rule(seconds=st.sampled_from([0.01, 0.3, 5.1, 11.0, 700.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.bench.wait(seconds)

    @invariant()
    def the_journal_gives_the_same_state(self) -> None:
        """Hold what every test of the core holds."""
        self.bench.check()

    def teardown(self) -> None:
        """A compacted journal gives the same state too, and a core can go on with it."""
        bench = self.bench
        compacted = [encode_record(record) for record in bench.state.snapshot()]
        assert replayed(compacted, bench.now) == content(bench.state, bench.now)
        state = State()
        for data in compacted:
            state.apply(decode_record(data))
        core = Core(state, Randomness())
        assert not [a for a in core.start(Instant(bench.now, 0)) if isinstance(a, Publish)]
        assert state.history.epoch == bench.state.history.epoch
        alive = {i for i, e in state.registry.lanes.items() if e.state != "failed"}
        assert core.desk.expected >= alive


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=60, stateful_step_count=40)


def test_every_answer_of_the_past_is_given_again_after_replay(bench: Bench) -> None:
    command = bench.command("workspace.create", {"name": "x"})
    (first,) = bench.send(command)
    state = State()
    for data in bench.journal:
        state.apply(decode_record(data))
    kept = state.answers.find(command.id, bench.now)
    assert kept is not None
    assert state.registry.workspace_named("x") is not None
    assert first.id == command.id


def test_a_replayed_event_of_another_version_is_refused() -> None:
    state = State()
    with pytest.raises(WireError):
        state.apply(decode_record(b"\x92\xa5event\xc4\x01\xc1"))


def test_every_method_the_broker_executes_has_a_handler(bench: Bench) -> None:
    for name, method in METHODS.items():
        if method.executor == "broker":
            fields = dict.fromkeys(method.requires, "x")
            (response,) = bench.send(bench.command(name, {"name": "y"}, **fields)) or (None,)
            assert response is None or response.error is None or response.error.code != "INTERNAL"
