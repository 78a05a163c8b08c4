"""The asyncio client: `connect`, `AsyncPlane` and `AsyncLane`.

The twin of `blocking`: the same operations, awaited, on any event loop with `add_reader`. A plane
belongs to the loop that connected it; leases are renewed while that loop runs.

    async with await connect() as plane:
        lane = await plane.lane("build")
        done = await lane.run(["make", "-j2"])
        print(done.output.decode(), done.returncode)
"""

import os
from collections.abc import Sequence
from typing import TypeVar, Unpack

from msgspec import Struct

from lanekeeper.client import joining, operations, programs, starting
from lanekeeper.client.aioflows import AsyncAttachment, AsyncEventStream, AsyncOutputStream
from lanekeeper.client.aiohandles import AsyncSession, AsyncTerminal
from lanekeeper.client.aioshell import AsyncShell
from lanekeeper.client.closing import AsyncClosing
from lanekeeper.client.effects import Call, ask
from lanekeeper.client.environment import Word
from lanekeeper.client.following import EventFlow, follow_events
from lanekeeper.client.items import Completed
from lanekeeper.client.joining import CallOptions, ConnectOptions, Place
from lanekeeper.client.starting import RunOptions, StartOptions
from lanekeeper.client.story import Story
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.messages.lane import Ended, LaneInfo
from lanekeeper.wire.messages.plane import Context, HelloResult, Resolved, WorkspaceInfo
from lanekeeper.wire.messages.session import SessionCreate

__all__ = [
    "AsyncAttachment",
    "AsyncEventStream",
    "AsyncLane",
    "AsyncOutputStream",
    "AsyncPlane",
    "AsyncSession",
    "AsyncTerminal",
    "connect",
]

T = TypeVar("T")


async def connect(
    runtime_dir: str | os.PathLike[str] | None = None, **options: Unpack[ConnectOptions]
) -> "AsyncPlane":
    """Return the plane of a runtime directory; arguments and errors as `lanekeeper.client.connect`.

    Use it as `async with await connect() as plane`.
    """
    timeout = options.get("timeout", joining.CONNECT_SECONDS)
    rundir = joining.find(runtime_dir)
    actor, observer = options.get("actor"), options.get("observer")
    shell = AsyncShell(joining.open_hub(rundir, timeout, actor, observer))
    try:
        greeting = await shell.perform(joining.greet(rundir, timeout))
    except BaseException:
        shell.close()
        raise
    return AsyncPlane(shell, rundir, greeting)


class AsyncPlane(AsyncClosing):
    """A connection to one plane; an async context manager. Attributes as those of `Plane`."""

    def __init__(self, shell: AsyncShell, rundir: Rundir, hello: HelloResult) -> None:
        """Wrap a shell whose broker has answered; use `connect`."""
        self._shell = shell
        self.rundir = rundir
        self.hello = hello
        self.listing_complete = True

    async def call(
        self,
        method: str,
        payload: Struct | None = None,
        *,
        result: type[T],
        **options: Unpack[CallOptions],
    ) -> T:
        """Return the result of any method of the bus; retries are inside."""
        return await self._shell.perform(joining.any_call(method, payload, result, options))

    async def workspaces(self) -> list[WorkspaceInfo]:
        """Return all workspaces."""
        return await self._shell.perform(operations.list_workspaces())

    async def workspace(self, name: str = "default") -> WorkspaceInfo:
        """Return the workspace of this name, made if need be."""
        return await self._shell.perform(operations.ensure_workspace(name))

    async def lanes(self, workspace: str | None = None) -> list[LaneInfo]:
        """Return the lanes, of one workspace (name or id) if it is given."""
        found, self.listing_complete = await self._shell.perform(operations.list_lanes(workspace))
        return found

    async def lane(
        self, name: str, *, workspace: str = "default", create: bool = True
    ) -> "AsyncLane":
        """Return the lane of this name, made if need be (`create`)."""
        operation = (
            operations.create_lane(name, workspace, ensure=True)
            if create
            else operations.find_lane(name, workspace)
        )
        return AsyncLane(self._shell, await self._shell.perform(operation))

    async def create_lane(
        self,
        name: str,
        *,
        workspace: str = "default",
        ensure: bool = False,
        correlation_id: str | None = None,
    ) -> "AsyncLane":
        """Return a new lane (with `ensure` an existing one of that name will do)."""
        operation = operations.create_lane(
            name, workspace, ensure=ensure, correlation_id=correlation_id
        )
        return AsyncLane(self._shell, await self._shell.perform(operation))

    async def resolve(self, address: str) -> Resolved:
        """Return what `[workspace/]lane[:session][.terminal]` means; names or ids."""
        return await self._shell.perform(operations.resolve(address))

    async def terminal(self, address: str) -> AsyncTerminal:
        """Return the one terminal an address means; errors as `Plane.terminal`."""
        lane, info = await self._shell.perform(joining.choose_terminal(address))
        return AsyncTerminal(self._shell, Place(info, joining.endpoints_of(self.rundir, lane)))

    async def context(self) -> Context:
        """Return the active context."""
        return await self._shell.perform(ask(Call("context.get", Context)))

    def events(
        self, *, since: int | None = None, follow: bool = True, topics: Sequence[str] = ()
    ) -> AsyncEventStream:
        """Return lifecycle events; arguments as `Plane.events`."""
        flow = EventFlow(
            self.hello.events_endpoint, Story(since, follow=follow, topics=tuple(topics))
        )
        self._shell.begin(follow_events(flow))
        return AsyncEventStream(self._shell, flow)

    async def close(self) -> None:
        """Close all sockets; closing twice is fine, everything else raises afterwards."""
        self._shell.close()


class AsyncLane:
    """One lane: a worker process with its terminals."""

    def __init__(self, shell: AsyncShell, info: LaneInfo) -> None:
        """Wrap what the broker said of the lane."""
        self._shell = shell
        self.info = info

    @property
    def id(self) -> str:
        """The lane's id."""
        return self.info.id

    async def session(
        self,
        name: str = "main",
        *,
        codex_session_id: str | None = None,
        provider: str | None = None,
        transport: str | None = None,
    ) -> AsyncSession:
        """Return the session of this name or agent session id, made if need be."""
        body = SessionCreate(
            name=name,
            codex_session_id=codex_session_id,
            provider=provider,
            transport=transport,
        )
        info = await self._shell.perform(operations.ensure_session(self.id, body))
        return AsyncSession(self._shell, info)

    async def spawn(self, argv: Sequence[Word], **options: Unpack[StartOptions]) -> AsyncTerminal:
        """Start a program on a new terminal; see `SpawnOptions` and `StartOptions`."""
        what = starting.program(argv, options, options.get("command_id"))
        launched = await self._shell.perform(programs.launch(self.info, what))
        place = Place(launched.spawned.terminal, launched.spawned.endpoints)
        return AsyncTerminal(self._shell, place, launched)

    async def run(
        self, argv: Sequence[Word], **options: Unpack[RunOptions]
    ) -> Completed[AsyncTerminal]:
        """Run a program to its end and return its output and how it ended; as `Lane.run`."""
        what, feeding = starting.to_run(argv, options)
        operation = programs.run(self.info, what, feeding)
        done = await self._shell.perform(operation, options.get("timeout"))
        place = Place(done.spawned.terminal, done.spawned.endpoints)
        return Completed(done.output, done.exit, AsyncTerminal(self._shell, place), done.gaps)

    async def attach(self) -> LaneInfo:
        """Make this lane the active one."""
        self.info = await self._shell.perform(operations.attach_lane(self.id))
        return self.info

    async def recover(self, *, without_screen: bool = False) -> LaneInfo:
        """Give the lane another worker after too many have died; its programs have lived on."""
        asked = operations.recover_lane(self.id, without_screen=without_screen)
        self.info = await self._shell.perform(asked)
        return self.info

    async def cleanup(self, grace_s: float = 3.0) -> Ended:
        """End everything in the lane, then its worker; `grace_s` from SIGHUP to SIGKILL."""
        ended = await self._shell.perform(operations.cleanup_lane(self.id, grace_s))
        self._shell.hub.unlink()
        return ended

    async def refresh(self) -> LaneInfo:
        """Return the lane as the broker knows it now."""
        self.info = await self._shell.perform(operations.refresh_lane(self.id))
        return self.info
