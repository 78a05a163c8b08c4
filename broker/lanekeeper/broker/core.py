"""The broker's core: one door, stimuli in, actions out.

Theory. The durable state changes only by records (`desk.record`, `desk.publish`), each written to
the journal before the answer or event it stands for; everything else (callers, routes, deadlines)
dies with the process, and clients and workers bring it back by retrying and registering. Every
refusal is a `WireError`, raised before anything has changed. An exception of another kind is our
defect: the shell logs it and calls `rescue`, which answers INTERNAL with the story's number; the
actions made so far are carried out, since their records are.

Rules. No clock, no randomness, no sockets in here. One lane never waits for another: there is no
queue but a lane's own.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from lanekeeper.broker import (
    diagnostics,
    door,
    keepers,
    lanes,
    orphans,
    plane,
    recovery,
    returning,
    routing,
    workers,
)
from lanekeeper.broker.desk import Cause, Desk, Ids
from lanekeeper.broker.lane import Request
from lanekeeper.broker.records import Genesis
from lanekeeper.broker.state import State
from lanekeeper.broker.stimuli import (
    Action,
    FromClient,
    FromKeeper,
    FromWorker,
    Instant,
    KeeperDown,
    KeeperUp,
    Looked,
    Notice,
    Publish,
    Reply,
    Stimulus,
    Subscription,
    Tick,
    Tidied,
    Undelivered,
)
from lanekeeper.broker.story import Chapter
from lanekeeper.wire.codec import decode_command, encode, glimpse
from lanekeeper.wire.envelope import Response
from lanekeeper.wire.errors import ErrorInfo, WireError
from lanekeeper.wire.ids import DEFAULT_WORKSPACE, DEFAULT_WORKSPACE_ID
from lanekeeper.wire.limits import MAX_ID
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.plane import WorkspaceInfo
from lanekeeper.wire.version import VERSION

Handler = Callable[[Desk, Request], Struct | None]

HANDLERS: Final[dict[str, Handler]] = {
    "plane.hello": plane.hello,
    "plane.statistics": plane.statistics,
    "workspace.create": plane.workspace_create,
    "workspace.open": plane.workspace_open,
    "workspace.list": plane.workspace_list,
    "context.get": plane.context_get,
    "address.resolve": plane.address_resolve,
    "events.replay": plane.events_replay,
    "lane.create": lanes.create,
    "lane.attach": lanes.attach,
    "lane.cleanup": lanes.cleanup,
    "lane.recover": recovery.recover,
    "lane.list": plane.lane_list,
    "session.list": plane.session_list,
    "terminal.list": plane.terminal_list,
    "diagnostics.get": diagnostics.get,
    "orphans.list": orphans.listed,
    "orphans.clean": orphans.clean,
}
"""What the broker does itself; `None` from a handler means that the answer comes later."""

_JOIN_TOPIC: Final = b"tok_"
"""What a subscriber's own token begins with."""

_JOINED: Final = "joined"


class Core:
    """The broker without its sockets."""

    def __init__(
        self, state: State, randomness: Callable[[int], bytes], directory: str = ""
    ) -> None:
        """Work on `state`, empty or replayed; see `Desk` for the rest."""
        self.desk = Desk(state, randomness, directory)
        self._current: Request | None = None

    def start(self, now: Instant) -> list[Action]:
        """Begin a new epoch, unless the state has one, and return what there is to do."""
        desk = self.desk
        desk.instant = now
        if not desk.state.history.epoch:
            desk.record(Genesis(desk.new_id("epoch"), 0))
            info = WorkspaceInfo(
                id=DEFAULT_WORKSPACE_ID, name=DEFAULT_WORKSPACE, created=now.ts, updated=now.ts
            )
            cause = Cause(desk.new_id("correlation"))
            desk.publish("workspace.created", Happened(workspace=info), Ids(info.id), cause)
        returning.begin(desk)
        return self._actions()

    def handle(self, stimulus: Stimulus, now: Instant) -> list[Action]:
        """Take in one stimulus and return what there is to do, in order."""
        desk = self.desk
        desk.instant = now
        self._current = None
        chapter = desk.story.begin(type(stimulus).__name__)
        match stimulus:
            case FromClient():
                self._client(stimulus, chapter)
            case FromWorker():
                workers.hear(desk, stimulus, chapter)
            case Looked():
                orphans.looked(desk, stimulus)
            case Tidied():
                orphans.tidied(desk, stimulus)
            case _:
                self._notice(stimulus, chapter)
        while desk.again:
            self._dispatch(desk.again.popleft())
        return self._actions()

    def _notice(self, stimulus: Notice, chapter: Chapter) -> None:
        desk = self.desk
        match stimulus:
            case Subscription():
                self._subscribed(stimulus.topic)
            case Undelivered():
                chapter.id, chapter.lane_id = stimulus.command_id, stimulus.lane_id
                routing.undelivered(desk, stimulus)
            case FromKeeper():
                chapter.what = str(stimulus.message.get("op"))
                if not orphans.status(desk, stimulus.message):
                    keepers.hear(desk, stimulus.message)
            case KeeperUp():
                keepers.up(desk)
                orphans.watch(desk, orphans.WATCH_SOON)
            case KeeperDown():
                keepers.down(desk)
            case Tick():
                # One at a time: when one raises, the others are there for the next tick.
                while (key := desk.deadlines.take(desk.now)) is not None:
                    routing.overdue(desk, key)

    def rescue(self) -> list[Action]:
        """Return what a stimulus that raised has left to do; its command is answered INTERNAL."""
        desk = self.desk
        desk.counters["defects"] += 1
        request = self._current
        if request is not None:
            error = WireError(
                "INTERNAL",
                f"a defect of the broker at stimulus {desk.story.number}; "
                "its log (lane logs broker) has the story",
                stimulus=desk.story.number,
            )
            desk.refuse(request, [request.route], error.info)
        if desk.looking.judging:
            orphans.failed(desk)
        return self._actions()

    def next_deadline(self) -> float | None:
        """Return when a `Tick` is due, on the monotonic clock."""
        return self.desk.deadlines.next()

    def _actions(self) -> list[Action]:
        actions, self.desk.actions = self.desk.actions, []
        return actions

    def _client(self, stimulus: FromClient, chapter: Chapter) -> None:
        desk = self.desk
        desk.counters["commands"] += 1
        data = stimulus.frames[0] if stimulus.frames else b""
        try:
            command = decode_command(workers.single(stimulus.frames))
            chapter.what, chapter.id = command.method, command.id
            chapter.lane_id = command.lane_id or ""
            method = door.method_of(command)
        except WireError as error:
            self._reject(stimulus.route, data, error.info)
            return
        self._dispatch(Request(stimulus.route, command, data, method, desk.now))

    def _dispatch(self, request: Request) -> None:
        desk = self.desk
        self._current = request
        try:
            if request.command.method == door.DISPATCH:
                repeated = self._repeated(request)
                request = door.unwrap(desk, request, repeated=repeated)
            if self._answer_again(request):
                return
            handler = HANDLERS.get(request.command.method)
            if handler is None:
                routing.forward(desk, request)
                return
            result = handler(desk, request)
            if result is not None:
                desk.answer(request, [request.route], result)
        except WireError as error:
            refusal = returning.perhaps(desk, error)
            # Nothing has changed: the same id may succeed later, so this is not kept.
            desk.refuse(request, [request.route], refusal.info)

    def _answer_again(self, request: Request) -> bool:
        """Answer a repeated command, or add its caller to those who wait; raises INDETERMINATE."""
        desk, command = self.desk, request.command
        if not request.method.mutates:
            return False
        kept = desk.state.answers.find(command.id, desk.now)
        if kept is not None:
            desk.actions.append(Reply(request.route, kept))
            return True
        lane_id = desk.creating.get(command.id) or command.lane_id or ""
        lane = desk.lanes.get(lane_id)
        if lane is None or not lane.join(request):
            return False
        pending = lane.pending.get(command.id)
        if pending is not None and pending.lasting:
            # The patience of earlier callers is over, or was another broker's.
            desk.patience(lane.id, command)
        return True

    def _repeated(self, request: Request) -> bool:
        desk, command = self.desk, request.command
        lane = desk.lanes.get(desk.creating.get(command.id) or command.lane_id or "")
        pending = lane is not None and (command.id in lane.pending or command.id in lane.waiting)
        return pending or desk.state.answers.find(command.id, desk.now) is not None

    def _reject(self, route: bytes, data: bytes, error: ErrorInfo) -> None:
        """Answer what is not a proper command, with as much of it as can be read."""
        desk = self.desk
        desk.counters[f"refused.{error.code}"] += 1
        desk.timings.refused(desk.now)
        seen = glimpse(data)
        correlation_id = seen.correlation_id or ""
        response = Response(
            v=VERSION,
            id=(seen.id or "")[:MAX_ID],
            ts=desk.instant.ts,
            status="error",
            error=error,
            correlation_id=correlation_id[:MAX_ID] or None,
        )
        desk.actions.append(Reply(route, encode(response)))

    def _subscribed(self, topic: bytes) -> None:
        """Tell a subscriber whose own token came that its subscriptions are in force."""
        if topic.startswith(_JOIN_TOPIC) and len(topic) <= MAX_ID:
            history = self.desk.state.history
            joined = msgspec.msgpack.encode((VERSION, _JOINED, history.epoch, history.last))
            self.desk.actions.append(Publish(topic, joined))
