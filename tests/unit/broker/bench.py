"""A core on a bench: its clock, its randomness and everybody it talks to are the test's.

Collects what the core does and decodes it; `check` holds what must be true after every test: the
journal replays to the same state, and events are numbered without holes.
"""

from typing import Any

import msgspec

from lanekeeper.broker.core import Core
from lanekeeper.broker.records import decode_record, encode_record
from lanekeeper.broker.state import State
from lanekeeper.broker.stimuli import (
    Action,
    FromClient,
    FromKeeper,
    FromWorker,
    Instant,
    KeeperDown,
    KeeperUp,
    Look,
    NeedKeeper,
    Note,
    Publish,
    Reply,
    Stimulus,
    Subscription,
    Tick,
    Tidy,
    ToKeeper,
    ToWorker,
    Undelivered,
    Write,
)
from lanekeeper.wire.codec import decode_command, decode_response, encode
from lanekeeper.wire.envelope import Command, Event, Response, raw
from lanekeeper.wire.errors import ErrorInfo
from lanekeeper.wire.ids import DEFAULT_WORKSPACE_ID
from lanekeeper.wire.messages.events import Assignment, Happened, Registration
from lanekeeper.wire.messages.lane import Endpoints
from lanekeeper.wire.messages.session import SessionInfo
from lanekeeper.wire.messages.terminal import TerminalInfo

TS = "2026-01-01T00:00:00.000000Z"
DEFAULT = DEFAULT_WORKSPACE_ID
CLIENT = b"client-1"


class Randomness:
    """Bytes that are different each time and the same in every run."""

    def __init__(self) -> None:
        """Start at one."""
        self._count = 0

    def __call__(self, size: int) -> bytes:
        """Return the next number."""
        self._count += 1
        return self._count.to_bytes(size, "big")


class Bench:
    """One core, with or without a keeper."""

    def __init__(self, *, keeper: bool = True) -> None:
        """Start a core, and tell it of a keeper if there is one."""
        self.state = State()
        self.randomness = Randomness()
        self.core = Core(self.state, self.randomness, "/run/plane")
        self.now = 100.0
        self.journal: list[bytes] = []
        self.events: list[Event] = []
        self.replies: list[tuple[bytes, Response]] = []
        self.sent: list[ToWorker] = []
        self.asked: list[dict[str, Any]] = []
        self.joined: list[tuple[bytes, Any]] = []
        self.notes: list[str] = []
        self.looks: list[Look | Tidy] = []
        self.keeper_can_be_reached = keeper
        self._commands = 0
        self._do(self.core.start(self._instant()))
        if keeper:
            self.keeper_comes()

    def _instant(self) -> Instant:
        return Instant(self.now, int(self.now * 1_000_000_000))

    def feed(self, stimulus: Stimulus) -> None:
        """Give the core a stimulus and carry out what it says."""
        self._do(self.core.handle(stimulus, self._instant()))

    def rescue(self) -> None:
        """Have the core go on after a stimulus that raised."""
        self._do(self.core.rescue())

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Reply(route=route, data=data):
                    self.replies.append((route, decode_response(data)))
                case ToWorker():
                    self.sent.append(action)
                case Write(record=record):
                    self.journal.append(record)
                case Look() | Tidy():
                    self.looks.append(action)
                case Publish(topic=topic, data=data):
                    self._published(topic, data)
                case ToKeeper(message=message):
                    self.asked.append(message)
                case NeedKeeper():
                    if self.keeper_can_be_reached:
                        self.keeper_comes()
                    else:
                        self.feed(KeeperDown())
                case _:
                    self.notes += [action.text] if isinstance(action, Note) else []

    def _published(self, topic: bytes, data: bytes) -> None:
        value = msgspec.msgpack.decode(data)
        if isinstance(value, list):
            self.joined.append((topic, value))
            return
        event = msgspec.msgpack.decode(data, type=Event)
        assert event.topic.encode() == topic
        self.events.append(event)

    # What clients do.

    def command(self, method: str, payload: object = None, **fields: Any) -> Command:
        """Make a command with a new id, a correlation id, and the fields given."""
        self._commands += 1
        fields = {"id": f"c{self._commands}", "correlation_id": "corr_test", **fields}
        return Command(v=1, ts=TS, method=method, payload=raw(payload or {}), **fields)

    def send(self, command: Command, route: bytes = CLIENT) -> list[Response]:
        """Send a command and return the responses that were sent at once."""
        before = len(self.replies)
        self.feed(FromClient(route, [encode(command)]))
        return [response for _, response in self.replies[before:]]

    def call(self, method: str, payload: object = None, **fields: Any) -> Any:
        """Send a command that is answered at once with success; return its result."""
        (response,) = self.send(self.command(method, payload, **fields))
        assert response.error is None, response.error
        return msgspec.msgpack.decode(response.result)

    def refusal(self, method: str, payload: object = None, **fields: Any) -> ErrorInfo:
        """Send a command that is refused at once; return the error."""
        (response,) = self.send(self.command(method, payload, **fields))
        assert response.error is not None, response
        return response.error

    def raw_bytes(self, *frames: bytes) -> Response:
        """Send frames that are no command; return the answer."""
        before = len(self.replies)
        self.feed(FromClient(CLIENT, list(frames)))
        ((route, response),) = self.replies[before:]
        assert route == CLIENT
        return response

    # What workers do.

    def grant(self, name: str = "build", **fields: Any) -> dict[str, Any]:
        """Ask for a lane; return the assignment that the keeper is asked to grant."""
        fields = {"workspace_id": DEFAULT, **fields}
        assert not self.send(self.command("lane.create", {"name": name}, **fields))
        assert self.asked[-1]["op"] == "grant"
        lane: dict[str, Any] = self.asked[-1]["lane"]
        return lane

    def register(self, lane: dict[str, Any], route: bytes = b"", **fields: Any) -> bytes:
        """Register a worker for an assignment; return its route."""
        route = route or b"worker-" + lane["lane_id"].encode()
        registration = Registration(
            assignment=msgspec.convert(lane, Assignment),
            **{
                "pid": 42,
                "start_time": 7,
                "endpoints": Endpoints(output="ipc://o", control="ipc://c"),
                **fields,
            },
        )
        self.report(route, "worker.registered", registration)
        return route

    def report(self, route: bytes, topic: str, payload: object, **fields: Any) -> None:
        """Send a worker's event."""
        fields = {"correlation_id": "corr_worker", **fields}
        event = Event(v=1, id="e", ts=TS, topic=topic, payload=raw(payload), **fields)
        self.feed(FromWorker(route, [encode(event)]))

    def respond(
        self, route: bytes, command_id: str, result: object = None, error: ErrorInfo | None = None
    ) -> None:
        """Send a worker's answer."""
        response = Response(
            v=1,
            id=command_id,
            ts=TS,
            status="error" if error else "ok",
            result=raw(result),
            error=error,
        )
        self.feed(FromWorker(route, [encode(response)]))

    def lane(self, name: str = "build", **fields: Any) -> tuple[str, bytes]:
        """Make a lane that is ready; return its id and its worker's route."""
        assignment = self.grant(name, **fields)
        route = self.register(assignment)
        return assignment["lane_id"], route

    def spawned(self, lane_id: str, route: bytes, name: str = "term") -> None:
        """Report a session `sess_NAME` and a terminal `term_NAME` that runs."""
        session = a_session(lane_id, f"sess_{name}")
        terminal = a_terminal(lane_id, session.id, f"term_{name}")
        self.report(route, "session.created", Happened(session=session))
        self.report(route, "terminal.spawned", Happened(terminal=terminal))

    # What others do.

    def keeper(self, **message: Any) -> None:
        """Send a message of the keeper."""
        self.feed(FromKeeper(message))

    def keeper_comes(self, *lanes: dict[str, Any]) -> None:
        """Open the keeper's channel; it lists the lanes that live at once."""
        self.feed(KeeperUp())
        self.keeper(op="workers", lanes=[{"lane": lane} for lane in lanes], more=False)

    def restart(self, *lanes: dict[str, Any]) -> None:
        """Kill the core, and start another on the journal; a keeper lists the lanes that live."""
        self.state = State()
        for data in self.journal:
            self.state.apply(decode_record(data))
        self.core = Core(self.state, self.randomness, "/run/plane")
        self.sent.clear()
        self.asked.clear()
        self._do(self.core.start(self._instant()))
        if self.keeper_can_be_reached:
            self.keeper_comes(*lanes)

    def subscribe(self, topic: bytes) -> None:
        """Subscribe to the events."""
        self.feed(Subscription(topic))

    def undelivered(self, action: ToWorker, *, full: bool = False) -> None:
        """Say that a message could not be sent."""
        self.feed(Undelivered(action.route, action.lane_id, action.command_id, full))

    def wait(self, seconds: float) -> None:
        """Let time pass, and ring when a deadline has."""
        self.now += seconds
        deadline = self.core.next_deadline()
        if deadline is not None and deadline <= self.now:
            self.feed(Tick())

    # What a test asks.

    def topics(self, since: int = 0) -> list[str]:
        """Return the topics published after an event."""
        return [event.topic for event in self.events if event.seq > since]

    def happened(self, topic: str) -> Happened:
        """Return what the newest event of a topic carries."""
        event = next(e for e in reversed(self.events) if e.topic == topic)
        return msgspec.msgpack.decode(event.payload, type=Happened)

    def last_sent(self) -> Command:
        """Return the command that was sent last to a worker."""
        return decode_command(self.sent[-1].data)

    def status(self, lane_id: str) -> str:
        """Return the status of a lane."""
        return self.core.desk.registry.lanes[lane_id].info.status

    def check(self) -> None:
        """Hold what is always true."""
        assert replayed(self.journal, self.now) == content(self.state, self.now)
        assert [event.seq for event in self.events] == list(range(1, len(self.events) + 1))
        desk = self.core.desk
        assert set(desk.lanes) == set(desk.registry.lanes)
        assert {lane.route: lane.id for lane in desk.lanes.values() if lane.route} == desk.routes
        waiting = sum(len(lane.pending) + len(lane.waiting) for lane in desk.lanes.values())
        waiting += len(desk.diagnosis.waiting) + len(desk.awaiting_keeper)
        watch = 2  # the next look for orphans, and the keeper's answer to the last
        waiting += len(desk.expected - desk.lanes.keys())
        assert len(desk.deadlines) <= waiting + 3 * len(desk.lanes) + watch


def content(state: State, now: float) -> list[bytes]:
    """Return everything of a state, with what is too old at `now` treated as such."""
    state.answers.find("never used", now)
    return [encode_record(record) for record in state.snapshot()]


def replayed(journal: list[bytes], now: float) -> list[bytes]:
    """Return everything of the state that a journal gives."""
    state = State()
    for data in journal:
        state.apply(decode_record(data))
    return content(state, now)


def a_session(lane_id: str, session_id: str, **fields: Any) -> SessionInfo:
    """Return a session as its worker describes it."""
    usual = {
        "name": session_id.removeprefix("sess_"),
        "status": "detached",
        "workspace_id": DEFAULT,
        "created": TS,
        "updated": TS,
    }
    return SessionInfo(id=session_id, lane_id=lane_id, **(usual | fields))


def a_terminal(lane_id: str, session_id: str, terminal_id: str, **fields: Any) -> TerminalInfo:
    """Return a terminal as its worker describes it."""
    fields = {"name": terminal_id.removeprefix("term_"), "state": "active", **fields}
    return TerminalInfo(
        id=terminal_id,
        lane_id=lane_id,
        session_id=session_id,
        workspace_id=DEFAULT,
        argv=["sh"],
        cols=80,
        rows=24,
        created=TS,
        updated=TS,
        **fields,
    )
