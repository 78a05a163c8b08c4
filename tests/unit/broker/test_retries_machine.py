"""One effect and one answer per command id, whatever is dropped, doubled, delayed or killed.

A seeded world around the core: clients that send again, a network that loses and repeats, workers
that die with their journal kept, a keeper that grants, and a broker that is killed between any two
stimuli and goes on with what it has journalled.
"""

from collections import Counter
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lanekeeper.broker.stimuli import FromClient
from lanekeeper.wire.codec import decode_command, encode
from lanekeeper.wire.envelope import Command
from unit.broker.bench import DEFAULT, Bench

WHICH = st.integers(min_value=0, max_value=1000)
ROUNDS = 40
"""Rounds in which everybody is well: then every command must have its answer."""

COPIES = {"arrives": 1, "doubled": 2, "lost": 0}


class Worker:
    """One lane's worker, and what its successors inherit."""

    def __init__(self, lane: dict[str, Any]) -> None:
        """Serve a lane."""
        self.lane = dict(lane)
        self.route = b""
        self.answers: dict[str, dict[str, Any]] = {}
        self.effects: Counter[str] = Counter()
        self.incarnation = 0
        self.ended = False

    def execute(self, command: Command) -> dict[str, Any]:
        """Do a command once, and give its answer as often as it comes."""
        if command.method == "lane.cleanup":
            self.ended = True
            return {"sessions": 0, "terminals": 0, "processes": 0, "killed": 0}
        if command.id not in self.answers:
            self.effects[command.id] += 1
            self.answers[command.id] = {"done": command.id}
        return self.answers[command.id]


class World(RuleBasedStateMachine):
    """Everybody does anything, and anything may fail."""

    def __init__(self) -> None:
        """Start with a broker, a keeper and nobody else."""
        super().__init__()
        self.bench = Bench()
        self.commands: dict[str, Command] = {}
        self.network: list[tuple[bytes, bytes]] = []
        self.workers: dict[str, Worker] = {}
        self.seen = 0
        self.answers: dict[str, set[bytes]] = {}

    def _give(self, method: str, payload: object, **fields: Any) -> None:
        command = self.bench.command(method, payload, deadline_ms=3_600_000, **fields)
        self.commands[command.id] = command
        self._transmit(command, b"client")

    def _transmit(self, command: Command, route: bytes) -> None:
        self.network.append((route, encode(command)))

    def _keeper(self) -> None:
        """Grant what is asked for; a lane has one worker however often it is asked."""
        asked, self.bench.asked[:] = list(self.bench.asked), []
        for message in asked:
            lane_id, number = message["lane_id"], message["id"]
            worker = self.workers.get(lane_id)
            if message["op"] == "grant" and worker is None:
                self.workers[lane_id] = Worker(message["lane"])
            elif message["op"] == "grant":
                self.bench.keeper(op="refused", id=number, code="ALREADY_EXISTS")
            else:
                if worker is not None:
                    worker.ended = True
                fencing = message["op"] == "fence"
                self.bench.keeper(op="fenced" if fencing else "swept", id=number)
        if self.bench.asked:
            self._keeper()

    def _alive(self) -> list[Worker]:
        return [worker for worker in self.workers.values() if not worker.ended]

    def _register(self, worker: Worker) -> None:
        worker.incarnation += 1
        worker.route = f"{worker.lane['lane_id']}-{worker.incarnation}".encode()
        self.bench.register(worker.lane, worker.route, pid=worker.lane["generation"])

    @rule(number=st.integers(0, 5))
    def workspace(self, number: int) -> None:
        """Ask for a workspace, of a name that others may have asked for."""
        self._give("workspace.create", {"name": f"w{number}", "ensure": True})

    @rule(number=st.integers(0, 3))
    def lane(self, number: int) -> None:
        """Ask for a lane."""
        self._give("lane.create", {"name": f"l{number}", "ensure": True}, workspace_id=DEFAULT)

    @precondition(lambda self: self.workers)
    @rule(which=WHICH, method=st.sampled_from(["session.create", "session.create", "lane.cleanup"]))
    def use(self, which: int, method: str) -> None:
        """Ask a lane for something."""
        lane_id = list(self.workers)[which % len(self.workers)]
        self._give(method, {}, lane_id=lane_id)

    @precondition(lambda self: self.commands)
    @rule(which=WHICH)
    def retry(self, which: int) -> None:
        """Send a command again, over another connection."""
        command = list(self.commands.values())[which % len(self.commands)]
        self._transmit(command, b"again")

    @precondition(lambda self: self.network)
    @rule(which=WHICH, fate=st.sampled_from(["arrives", "arrives", "doubled", "lost"]))
    def carry(self, which: int, fate: str) -> None:
        """Let one of the messages on their way arrive, twice, or not at all."""
        route, data = self.network.pop(which % len(self.network))
        for _ in range(COPIES[fate]):
            self.bench.feed(FromClient(route, [data]))
        self._keeper()

    @precondition(lambda self: self._alive())
    @rule(which=WHICH)
    def register(self, which: int) -> None:
        """Let a worker register, over a new connection."""
        alive = self._alive()
        self._register(alive[which % len(alive)])
        self._keeper()

    @precondition(lambda self: self.bench.sent)
    @rule(which=WHICH, heard=st.booleans(), answered=st.booleans())
    def work(self, which: int, *, heard: bool, answered: bool) -> None:
        """Let a worker take a command; it or its answer may get lost."""
        action = self.bench.sent.pop(which % len(self.bench.sent))
        worker = self.workers.get(action.lane_id)
        if worker is None:
            return  # the refusal of a registration
        if not heard or worker.ended or action.route != worker.route:
            return
        result = worker.execute(decode_command(action.data))
        if answered:
            self.bench.respond(worker.route, action.command_id, result)
        elif not self._alive().count(worker):
            self._bury(worker)
        self._keeper()

    def _bury(self, worker: Worker) -> None:
        who = {"lane_id": worker.lane["lane_id"], "generation": worker.lane["generation"]}
        self.bench.keeper(op="died", recovering=False, **who)
        self.bench.wait(0.3)

    @rule()
    def kill_broker(self) -> None:
        """Kill the broker; workers notice nothing, and have not registered with the next one."""
        for worker in self.workers.values():
            worker.route = b""
        self.bench.restart(*(worker.lane for worker in self._alive()))
        self._keeper()

    @precondition(lambda self: self._alive())
    @rule(which=WHICH, told=st.booleans())
    def kill_worker(self, which: int, *, told: bool) -> None:
        """Kill a worker; the broker may hear of its successor first."""
        alive = self._alive()
        worker = alive[which % len(alive)]
        dead, worker.lane = worker.lane, worker.lane | {"generation": worker.lane["generation"] + 1}
        worker.route = b""
        if told:
            who = {"lane_id": dead["lane_id"], "generation": dead["generation"]}
            self.bench.keeper(op="died", recovering=True, **who)
        self._keeper()

    @rule(seconds=st.sampled_from([0.01, 0.3, 2.1]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.bench.wait(seconds)
        self._keeper()

    @invariant()
    def answers_never_change(self) -> None:
        """Note new answers: one id has one, whoever asks and however often."""
        for _, response in self.bench.replies[self.seen :]:
            if response.error is not None and response.error.code != "SPAWN_FAILED":
                continue
            told = msgspec.msgpack.encode((response.status, response.result, response.error))
            self.answers.setdefault(response.id, set()).add(told)
        self.seen = len(self.bench.replies)
        assert all(len(told) == 1 for told in self.answers.values()), self.answers

    @invariant()
    def effects_are_single(self) -> None:
        """Look at what was done: nothing twice, and never two of one name."""
        for worker in self.workers.values():
            assert all(count == 1 for count in worker.effects.values())
        registry = self.bench.core.desk.registry
        for names in (
            [info.name for info in registry.workspaces.values()],
            [entry.info.name for entry in registry.lanes.values()],
        ):
            assert len(names) == len(set(names))
        made = Counter(
            event.lane_id for event in self.bench.events if event.topic == "lane.created"
        )
        assert all(count == 1 for count in made.values())
        self.bench.check()

    def teardown(self) -> None:
        """Let everybody be well: then everything that was asked for is answered, once."""
        for _ in range(ROUNDS):
            waiting = [one for one in self.commands.values() if one.id not in self.answers]
            if not waiting:
                break
            for command in waiting:
                self._transmit(command, b"again")
            while self.network:
                self.carry(0, "arrives")
            for worker in self._alive():
                if self.bench.core.desk.routes.get(worker.route) is None:
                    self._register(worker)
            while self.bench.sent:
                self.work(0, heard=True, answered=True)
            self.wait(0.3)
            self.answers_never_change()
            self._give_up_what_is_gone()
        unanswered = [one.method for one in self.commands.values() if one.id not in self.answers]
        assert not unanswered
        self.effects_are_single()

    def _give_up_what_is_gone(self) -> None:
        """Forget commands for lanes that have ended meanwhile: they are refused for good."""
        for command in list(self.commands.values()):
            known = command.lane_id is None or command.lane_id in self.bench.core.desk.lanes
            if not known and command.id not in self.answers:
                del self.commands[command.id]


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=60, stateful_step_count=40)
