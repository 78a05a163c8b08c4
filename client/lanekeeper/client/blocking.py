"""The blocking client: `connect`, `Plane` and `Lane`.

Owns nothing but the calling thread: every wait turns the hub, renews leases and goes on when an
answer is there. A `Plane` belongs to one thread. Everything ends with `Plane.close`, and use after
it raises a ClosedError.

    with connect() as plane:
        done = plane.lane("build").run(["make", "-j2"])
        print(done.output.decode(), done.returncode)
"""

import os
from collections.abc import Iterable, Sequence
from typing import TypeVar, Unpack

from msgspec import Struct

from lanekeeper.client import joining, operations, programs, starting
from lanekeeper.client.closing import Closing
from lanekeeper.client.effects import Call, ask
from lanekeeper.client.environment import Word
from lanekeeper.client.flows import EventStream
from lanekeeper.client.following import EventFlow, follow_events
from lanekeeper.client.handles import Session, Terminal
from lanekeeper.client.items import Completed
from lanekeeper.client.joining import CallOptions, Place
from lanekeeper.client.session import Observer
from lanekeeper.client.shell import Shell
from lanekeeper.client.starting import RunOptions, StartOptions
from lanekeeper.client.story import Story
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.envelope import Actor
from lanekeeper.wire.messages.lane import Ended, LaneInfo
from lanekeeper.wire.messages.plane import Context, HelloResult, Resolved, WorkspaceInfo
from lanekeeper.wire.messages.session import SessionCreate

T = TypeVar("T")


def connect(
    runtime_dir: str | os.PathLike[str] | None = None,
    *,
    timeout: float = joining.CONNECT_SECONDS,
    actor: Actor | None = None,
    observer: Observer | None = None,
) -> "Plane":
    """Return the plane of a runtime directory, after its broker has answered.

    Args:
        runtime_dir: None for `$LANEKEEPER_DIR`, `$XDG_RUNTIME_DIR/lanekeeper` or
            `/tmp/lanekeeper-UID`.
        timeout: seconds for this and, by default, for every later command.
        actor: who gives the commands, for events and records.
        observer: called with every command that leaves and every answer that comes.

    Raises:
        UnreachableError: no plane runs there, or its broker does not answer in time.
        RefusedError: the directory is unsafe, or the broker speaks another version.
    """
    rundir = joining.find(runtime_dir)
    hub = joining.open_hub(rundir, timeout, actor, observer)
    shell = Shell(hub)
    try:
        greeting = shell.perform(joining.greet(rundir, timeout))
    except BaseException:
        hub.close()
        raise
    return Plane(shell, rundir, greeting)


class Plane(Closing):
    """A connection to one plane; a context manager.

    Attributes:
        hello: versions, epoch, limits and capabilities of the broker.
        rundir: the runtime directory.
        listing_complete: whether the last `lanes` knew all lanes that live.
    """

    def __init__(self, shell: Shell, rundir: Rundir, hello: HelloResult) -> None:
        """Wrap a shell whose broker has answered; use `connect`."""
        self._shell = shell
        self.rundir = rundir
        self.hello = hello
        self.listing_complete = True

    def call(
        self,
        method: str,
        payload: Struct | None = None,
        *,
        result: type[T],
        **options: Unpack[CallOptions],
    ) -> T:
        """Return the result of any method of the bus; retries are inside.

        Raises:
            LaneError: the refusal, or TIMEOUT.
        """
        return self._shell.perform(joining.any_call(method, payload, result, options))

    def workspaces(self) -> list[WorkspaceInfo]:
        """Return all workspaces."""
        return self._shell.perform(operations.list_workspaces())

    def workspace(self, name: str = "default") -> WorkspaceInfo:
        """Return the workspace of this name, made if need be."""
        return self._shell.perform(operations.ensure_workspace(name))

    def lanes(self, workspace: str | None = None) -> list[LaneInfo]:
        """Return the lanes, of one workspace (name or id) if it is given."""
        found, self.listing_complete = self._shell.perform(operations.list_lanes(workspace))
        return found

    def lane(self, name: str, *, workspace: str = "default", create: bool = True) -> "Lane":
        """Return the lane of this name, made if need be (`create`).

        Raises:
            NotFoundError: there is none, and it was not to be made.
        """
        operation = (
            operations.create_lane(name, workspace, ensure=True)
            if create
            else operations.find_lane(name, workspace)
        )
        return Lane(self, self._shell, self._shell.perform(operation))

    def create_lane(
        self,
        name: str,
        *,
        workspace: str = "default",
        ensure: bool = False,
        correlation_id: str | None = None,
    ) -> "Lane":
        """Return a new lane (with `ensure` an existing one of that name will do).

        Raises:
            ConflictError: the name is taken.
        """
        operation = operations.create_lane(
            name, workspace, ensure=ensure, correlation_id=correlation_id
        )
        return Lane(self, self._shell, self._shell.perform(operation))

    def resolve(self, address: str) -> Resolved:
        """Return what `[workspace/]lane[:session][.terminal]` means; names or ids."""
        return self._shell.perform(operations.resolve(address))

    def terminal(self, address: str) -> Terminal:
        """Return the one terminal an address means.

        Raises:
            RefusedError: it means several; `details["choices"]` lists their addresses.
            NotFoundError: it means none.
        """
        lane, info = self._shell.perform(joining.choose_terminal(address))
        return Terminal(self._shell, Place(info, joining.endpoints_of(self.rundir, lane)))

    def context(self) -> Context:
        """Return the active context."""
        return self._shell.perform(ask(Call("context.get", Context)))

    def events(
        self, *, since: int | None = None, follow: bool = True, topics: Sequence[str] = ()
    ) -> EventStream:
        """Return lifecycle events after `since` (None: from now on; 0: all that are kept).

        Args:
            since: the `seq` of the last event already known.
            follow: go on for ever; otherwise stop with the last event there is now.
            topics: only events of these topics.
        """
        story = Story(since, follow=follow, topics=tuple(topics))
        flow = EventFlow(self.hello.events_endpoint, story)
        self._shell.hub.start(follow_events(flow))
        return EventStream(self._shell, flow)

    def step(self) -> bool:
        """Do everything that can be done without waiting: receive, renew, acknowledge, send."""
        return self._shell.hub.turn()

    def wait(
        self,
        readers: Iterable[int] = (),
        timeout: float | None = None,
        *,
        writers: Iterable[int] = (),
    ) -> frozenset[int]:
        """Wait for own descriptors beside the plane, for programs that have their own loop.

        Returns the ready ones of `readers` and `writers`; none of them when something of the plane
        has moved (poll the streams then) or `timeout` seconds have passed.
        """
        return self._shell.wait(tuple(readers), tuple(writers), timeout)

    def filenos(self) -> list[int]:
        """Return the plane's descriptors (edge-triggered: `step()` right before waiting)."""
        return self._shell.hub.sockets.descriptors()

    def next_deadline(self) -> float | None:
        """Return the monotonic time at which `step` is due at the latest."""
        return self._shell.hub.next_deadline()

    def close(self) -> None:
        """Close all sockets; closing twice is fine, everything else raises afterwards."""
        self._shell.hub.close()


class Lane:
    """One lane: a worker process with its terminals."""

    def __init__(self, plane: Plane, shell: Shell, info: LaneInfo) -> None:
        """Wrap what the broker said of the lane."""
        self._plane = plane
        self._shell = shell
        self.info = info

    @property
    def id(self) -> str:
        """The lane's id."""
        return self.info.id

    def session(
        self,
        name: str = "main",
        *,
        codex_session_id: str | None = None,
        provider: str | None = None,
        transport: str | None = None,
    ) -> Session:
        """Return the session of this name or agent session id, made if need be."""
        body = SessionCreate(
            name=name,
            codex_session_id=codex_session_id,
            provider=provider,
            transport=transport,
        )
        return Session(self._shell, self._shell.perform(operations.ensure_session(self.id, body)))

    def spawn(self, argv: Sequence[Word], **options: Unpack[StartOptions]) -> Terminal:
        """Start a program on a new terminal; see `SpawnOptions` and `StartOptions`.

        Raises:
            SpawnFailedError: it could not be executed.
        """
        what = starting.program(argv, options, options.get("command_id"))
        launched = self._shell.perform(programs.launch(self.info, what))
        place = Place(launched.spawned.terminal, launched.spawned.endpoints)
        return Terminal(self._shell, place, launched)

    def run(self, argv: Sequence[Word], **options: Unpack[RunOptions]) -> Completed[Terminal]:
        """Run a program to its end and return its output and how it ended; see `RunOptions`.

        By default its standard input is a pipe that holds `input` and ends, and its output is
        raw: exactly the bytes it wrote.

        Raises:
            TimedOutError: it did not end within `timeout` seconds; it was ended.
            BusyError: it wrote more than `max_output` bytes; it was ended.
            SpawnFailedError: it could not be executed.
        """
        what, feeding = starting.to_run(argv, options)
        done = self._shell.perform(programs.run(self.info, what, feeding), options.get("timeout"))
        place = Place(done.spawned.terminal, done.spawned.endpoints)
        return Completed(done.output, done.exit, Terminal(self._shell, place), done.gaps)

    def attach(self) -> LaneInfo:
        """Make this lane the active one."""
        self.info = self._shell.perform(operations.attach_lane(self.id))
        return self.info

    def recover(self, *, without_screen: bool = False) -> LaneInfo:
        """Give the lane another worker after too many have died; its programs have lived on."""
        asked = operations.recover_lane(self.id, without_screen=without_screen)
        self.info = self._shell.perform(asked)
        return self.info

    def cleanup(self, grace_s: float = 3.0) -> Ended:
        """End everything in the lane, then its worker; `grace_s` from SIGHUP to SIGKILL."""
        ended = self._shell.perform(operations.cleanup_lane(self.id, grace_s))
        self._shell.hub.unlink()
        return ended

    def refresh(self) -> LaneInfo:
        """Return the lane as the broker knows it now."""
        self.info = self._shell.perform(operations.refresh_lane(self.id))
        return self.info
