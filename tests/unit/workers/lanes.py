"""A lane's core in a test: commands and stimuli in, answers, events and actions out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgpack
from msgspec import to_builtins

from lanekeeper.wire.messages.events import Assignment
from lanekeeper.wire.messages.lane import Endpoints
from lanekeeper.wire.methods import METHODS
from lanekeeper.workers import actions
from lanekeeper.workers.actions import Action, Frame, Moment, Stimulus
from lanekeeper.workers.core import LaneCore
from lanekeeper.workers.records import Record, decode_records, encode_records
from lanekeeper.workers.state import LaneState
from lanekeeper.workers.tally import Tally
from lanekeeper.workers.turn import Log, Surroundings

LANE, WORKSPACE = "lane_a", "ws_a"
ASSIGNMENT = Assignment(
    lane_id=LANE,
    workspace_id=WORKSPACE,
    workspace="default",
    name="build",
    generation=3,
    created="2026-01-01T00:00:00Z",
)


@dataclass
class FakeLog:
    """A log that holds what a test puts into it."""

    content: bytes = b""
    tail: int = 0
    head: int = field(default=0, init=False)

    def __setattr__(self, name: str, value: object) -> None:
        """Let the head follow the content."""
        object.__setattr__(self, name, value)
        if name == "content":
            object.__setattr__(self, "head", len(self.content))

    def read(self, offset: int, count: int) -> bytes:
        """Return a range."""
        return self.content[offset : offset + count]


@dataclass
class Lane:
    """Drives one core; time moves only when a test moves it."""

    now: float = 100.0
    logs: dict[str, FakeLog] = field(default_factory=dict)
    journal: list[bytes] = field(default_factory=list)
    log: list[Action] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 10**6)))

    def __post_init__(self) -> None:
        """Make the core."""
        endpoints = Endpoints(output="ipc://out", control="ipc://in")
        around = Surroundings(self._entropy, self._log, endpoints, tally=self.tally)
        self.core = LaneCore(LaneState(ASSIGNMENT), around)

    def _entropy(self, count: int) -> bytes:
        return next(self._numbers).to_bytes(count, "big")

    def _log(self, terminal_id: str) -> Log | None:
        return self.logs.get(terminal_id)

    def give(self, stimulus: Stimulus) -> list[Action]:
        """Give one stimulus and return the actions, journalling as the runner would."""
        done = self.core.handle(stimulus, self.moment())
        self.log += done
        self.journal += [encode_records([a.record]) for a in done if isinstance(a, actions.Journal)]
        return done

    def moment(self) -> Moment:
        """The time of the test."""
        return Moment(self.now, "2026-01-01T00:00:00.000Z", 1)

    def command(self, method: str, payload: Any = None, **envelope: Any) -> list[Action]:
        """Send a command as a client in another language would."""
        message = {
            "type": "command",
            "v": 1,
            "id": f"cmd-{next(self._numbers)}",
            "ts": "2026-01-01T00:00:00Z",
            "method": method,
            "payload": payload or {},
            "correlation_id": "corr-1",
            "lane_id": LANE,
            **envelope,
        }
        by_broker = method in METHODS and METHODS[method].by_broker
        route = message.pop("route", None if by_broker else b"me")
        return self.give(Frame(route, msgpack.packb({k: v for k, v in message.items() if v})))

    def call(self, method: str, payload: Any = None, **envelope: Any) -> Any:
        """Send a command that is answered at once; return its result, or its error."""
        return answer(self.command(method, payload, **envelope))

    def session(self, name: str = "main") -> str:
        """Ensure a session and return its id."""
        result = self.call("session.create", {"name": name})
        return str(result["session"]["id"])

    def start(self, session: str, **spawn: Any) -> str:
        """Ask for a program and return the new terminal's id; it waits to be forked."""
        done = self.command(
            "terminal.spawn",
            {"argv": ["prog"], **spawn},
            session_id=session,
            workspace_id=WORKSPACE,
        )
        started = only(done, actions.Start)
        self.logs[started.info.id] = FakeLog()
        return str(started.info.id)

    def run(self, session: str, **spawn: Any) -> str:
        """Start a program, and let it run."""
        terminal = self.start(session, **spawn)
        self.give(actions.Forked(terminal, 42, 4242))
        self.give(actions.Executed(terminal))
        return terminal

    def replayed(self) -> LaneState:
        """Return the state that the journal gives back."""
        state = LaneState(ASSIGNMENT)
        for record in self.journal:
            for one in decode_records(record):
                state.apply(one, self.now)
        return state


def answer(done: list[Action]) -> Any:
    """Return the result or the error of the only reply there is."""
    reply = msgpack.unpackb(only(done, actions.Reply).data)
    return reply["result"] if reply["status"] == "ok" else reply["error"]


def only(done: list[Action], kind: type[Any]) -> Any:
    """Return the one action of a kind."""
    found = [a for a in done if isinstance(a, kind)]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} of {kind.__name__} in {done}")
    return found[0]


def topics(done: list[Action]) -> list[str]:
    """Return the topics of the events that were reported, in order."""
    return [event["topic"] for event in events(done)]


def events(done: list[Action]) -> list[Any]:
    """Return the events that were reported, in order."""
    return [msgpack.unpackb(a.data) for a in done if isinstance(a, actions.Report)]


def as_data(records: Iterator[Record]) -> list[Any]:
    """Return records as plain data, for comparing."""
    return [to_builtins(r) for r in records]
