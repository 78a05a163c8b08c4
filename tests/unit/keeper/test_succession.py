"""Any history of grants, deposits and deaths: no lane is lost, served twice, or half inherited.

A model of the world around the supervisor: workers are forked, say hello, deposit, are killed at
any moment; their deaths and what the nursery says of them arrive in any order. Descriptors are
numbers that may be closed once.
"""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lanekeeper.keeper import events
from lanekeeper.keeper.events import Action
from unit.keeper.supervised import Run, sent

KINDS = ("journal", "log", "master")


@dataclass
class Worker:
    """One process of the model."""

    pid: int
    peer: int = 0
    alive: bool = True
    seen: bool = False
    told: bool = False
    lane: str = ""
    generation: int = 0
    inherited: dict[str, tuple[int, ...]] = field(default_factory=dict)


class Succession(RuleBasedStateMachine):
    """The rules are what may happen next."""

    @initialize()
    def start(self) -> None:
        """Bring a plane up."""
        self.run = Run(warm=2)
        self.pids = 500
        self.fds = 0
        self.open: set[int] = set()
        self.workers: dict[int, Worker] = {}
        self.forks: list[str] = []
        self.deposited: dict[str, dict[str, int]] = {}
        self.served: dict[str, int] = {}
        self.ended: set[str] = set()
        self.crashed: set[str] = set()
        self.peers: dict[str, int] = {}
        self.note(self.run.do(events.Started()))
        for role, pid in (("nursery", 100), ("broker", 200), ("collector", 300)):
            peer, actions = self.run.serve(role, pid)
            self.peers[role] = peer
            self.note(actions)

    def note(self, actions: list[Action]) -> None:
        """Let the world hear what the supervisor does."""
        for action in actions:
            match action:
                case events.Discard(fds=fds):
                    assert self.open.issuperset(fds), "closed twice"
                    self.open -= set(fds)
                case events.Kill(pid=pid):
                    if pid in self.workers:
                        self.workers[pid].alive = False
                case events.Send(peer=peer, message=message, fds=fds):
                    self.hear(peer, dict(message), fds)
                case _:
                    pass

    def hear(self, peer: int, message: dict[str, object], fds: tuple[int, ...]) -> None:
        """Let a peer hear a message."""
        if message["op"] == "fork":
            self.forks.append(str(message["id"]))
        if message["op"] == "died" and "crash loop" in str(message.get("reason")):
            self.crashed.add(str(message["lane_id"]))
        worker = next((one for one in self.workers.values() if one.peer == peer), None)
        if worker is None:
            return
        if message["op"] == "inherit":
            assert self.open.issuperset(fds), "handed over what is closed"
            worker.inherited[str(message["name"])] = fds
        if message["op"] == "assign":
            self.assigned(worker, message)

    def assigned(self, worker: Worker, message: dict[str, object]) -> None:
        """Check what a worker gets with its lane."""
        lane = message["lane"]
        assert isinstance(lane, dict)
        lane_id, generation = str(lane["lane_id"]), int(lane["generation"])
        others = [one for one in self.workers.values() if one.lane == lane_id and not one.seen]
        assert not others, "two workers for one lane"
        assert generation == self.served.get(lane_id, 0) + 1
        assert worker.inherited == {
            name: (fd,) for name, fd in self.deposited.get(lane_id, {}).items()
        }
        worker.lane, worker.generation = lane_id, generation
        self.served[lane_id] = generation

    def some(self, **wanted: object) -> list[Worker]:
        """Return the workers with these attributes."""
        return [
            one
            for one in self.workers.values()
            if all(getattr(one, name) == value for name, value in wanted.items())
        ]

    @precondition(lambda self: bool(self.forks))
    @rule()
    def fork(self) -> None:
        """The nursery forks a worker, which connects."""
        self.pids += 1
        worker = self.workers[self.pids] = Worker(self.pids)
        nursery, number = self.peers["nursery"], self.forks.pop(0)
        self.note(self.run.say(nursery, "forked", id=number, pid=worker.pid, start_time=worker.pid))
        self.run.peers += 1
        worker.peer = self.run.peers
        self.note(self.run.do(events.PeerOpened(worker.peer)))
        hello = {"role": "worker", "pid": worker.pid, "start_time": worker.pid}
        self.note(self.run.say(worker.peer, "hello", **hello))

    @precondition(lambda self: len(self.served) < 6)
    @rule(number=st.integers(0, 5))
    def grant(self, number: int) -> None:
        """The broker asks for a lane, perhaps for one that it has."""
        lane = {"lane_id": f"lane_{number}", "generation": 1}
        if f"lane_{number}" in self.ended:
            return
        asked = self.run.say(self.peers["broker"], "grant", id="g", lane=lane)
        if f"lane_{number}" in self.served:
            assert sent(asked, "refused")
        self.note(asked)

    @precondition(lambda self: bool(self.some(alive=True)))
    @rule(data=st.data(), kind=st.sampled_from(KINDS))
    def deposit(self, data: st.DataObject, kind: str) -> None:
        """A worker deposits, the journal first."""
        worker = data.draw(st.sampled_from(self.some(alive=True)))
        entries = self.deposited.get(worker.lane, {})
        name = kind if "journal" in entries else "journal"
        self.fds += 1
        self.open.add(self.fds)
        message = {"op": "deposit", "id": 1, "name": name, "kinds": [name]}
        actions = self.run.do(events.PeerSaid(worker.peer, message, (self.fds,)))
        if sent(actions, "deposited"):
            self.deposited.setdefault(worker.lane, {})[name] = self.fds
        else:
            assert not worker.lane or worker.lane in self.ended
        self.note(actions)

    @precondition(lambda self: bool(self.some(alive=True)))
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        """Anybody kills a worker; nobody knows yet."""
        data.draw(st.sampled_from(self.some(alive=True))).alive = False

    @precondition(lambda self: bool(self.some(alive=False, seen=False)))
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """The keeper's pidfd of a dead worker becomes readable."""
        worker = data.draw(st.sampled_from(self.some(alive=False, seen=False)))
        self.bury(worker)
        self.note(self.run.do(events.Ended(worker.pid, known=False)))

    @precondition(lambda self: bool(self.some(alive=False, told=False)))
    @rule(data=st.data())
    def tell(self, data: st.DataObject) -> None:
        """The nursery says how a worker ended, before or after the pidfd."""
        worker = data.draw(st.sampled_from(self.some(alive=False, told=False)))
        self.bury(worker)
        worker.told = True
        status = {"pid": worker.pid, "code": None, "signal": 9}
        self.note(self.run.say(self.peers["nursery"], "worker-exited", **status))

    def bury(self, worker: Worker) -> None:
        """Forget what a lane without a journal had."""
        if worker.lane and not worker.seen and "journal" not in self.deposited.get(worker.lane, {}):
            self.ended.add(worker.lane)
        worker.seen = True

    @precondition(lambda self: bool([w for w in self.some(alive=True) if w.lane]))
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        """A worker has ended its lane, says so and leaves."""
        worker = data.draw(st.sampled_from([w for w in self.some(alive=True) if w.lane]))
        self.note(self.run.say(worker.peer, "closed"))
        self.ended.add(worker.lane)
        self.deposited.pop(worker.lane, None)
        worker.alive = False

    @precondition(lambda self: bool(self.crashed))
    @rule()
    def recover(self) -> None:
        """The operator wants a given-up lane back."""
        lane = min(self.crashed)
        self.crashed.discard(lane)
        self.note(self.run.say(self.peers["broker"], "recover", id="r", lane_id=lane))

    @rule()
    def tick(self) -> None:
        """Time passes to the next deadline."""
        if self.run.core.next_deadline() is not None:
            self.note(self.run.wait())

    @invariant()
    def nothing_leaks(self) -> None:
        """Every descriptor is in the vault or closed."""
        if not hasattr(self, "run"):
            return
        kept = {
            fd
            for lane, entries in self.deposited.items()
            if lane not in self.ended
            for fd in entries.values()
        }
        assert self.open == kept

    @rule()
    def broker_returns(self) -> None:
        """A broker that comes back hears of every lane that is served, or will be."""
        peer, actions = self.run.join("broker", 200)
        self.peers["broker"] = peer
        self.note(actions)  # what was given up since the last word on it is known by these
        listed = {
            str(lane["lane"]["lane_id"])
            for _, message in sent(actions, "workers")
            for lane in message["lanes"]
        }
        alive = {lane for lane in self.served if lane not in self.ended | self.crashed}
        assert listed == alive
        given_up = {
            str(message["lane_id"]): message["generation"]
            for _, message in sent(actions, "died")
            if message["kept"] and not message["recovering"]
        }
        assert given_up == {lane: self.served[lane] for lane in self.crashed}


TestSuccession = Succession.TestCase
TestSuccession.settings = settings(max_examples=80, stateful_step_count=60)
