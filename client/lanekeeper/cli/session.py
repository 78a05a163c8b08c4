"""`lane session`: make, list, attach and terminate sessions."""

import sys
from typing import TypedDict, Unpack

import click

from lanekeeper.cli.address import parse
from lanekeeper.cli.complete import addresses
from lanekeeper.cli.errors import SIGNAL_BASE, CliError
from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import LazyGroup, Verb
from lanekeeper.cli.listing import sessions_of
from lanekeeper.cli.options import address, grace, idempotency_key, json_option, pass_settings
from lanekeeper.cli.plane import Change, Target, connected
from lanekeeper.cli.relay import FORWARDED
from lanekeeper.cli.settings import Settings, confirm
from lanekeeper.cli.text import age, count, ended, safe, table
from lanekeeper.cli.verbs import SESSION_VERBS
from lanekeeper.cli.wakeups import Wakeups
from lanekeeper.client import Attachment, Plane
from lanekeeper.client import Session as Handle
from lanekeeper.wire.ids import DEFAULT_WORKSPACE
from lanekeeper.wire.messages.lane import Ended
from lanekeeper.wire.messages.plane import Resolved
from lanekeeper.wire.messages.session import (
    SessionCreate,
    SessionInfo,
    SessionResult,
    SessionTerminate,
)

CREATE_EXAMPLES = """lane session create build
lane session create build:review --agent-session 0199-42 --provider codex"""
LS_EXAMPLES = """lane session ls
lane session ls build --json"""
ATTACH_EXAMPLES = """lane session attach build:main
lane session attach build:main --restore --json"""
TERMINATE_EXAMPLES = """lane session terminate build:review --yes"""


class Session(LazyGroup):
    """The verbs of sessions."""

    entries = SESSION_VERBS


class CreateOptions(TypedDict):
    """The options of `create`."""

    agent_session: str | None
    provider: str | None
    transport: str | None
    idempotency_key: str | None


class TerminateOptions(TypedDict):
    """The options of `terminate`."""

    yes: bool
    grace: float
    idempotency_key: str | None


@click.group(cls=Session, no_args_is_help=True)
def session() -> None:
    """Sessions: each is one piece of work in a lane, with its terminals."""


@click.command(cls=Verb, epilog=CREATE_EXAMPLES)
@click.argument("name", metavar="[WORKSPACE/]LANE[:SESSION]", shell_complete=addresses)
@click.option("--agent-session", metavar="ID", help="The agent's own session id.")
@click.option("--provider", metavar="NAME", help="Who works in it.")
@click.option("--transport", metavar="NAME", help="How the agent is reached.")
@idempotency_key
@json_option()
@pass_settings
def create(settings: Settings, name: str, **options: Unpack[CreateOptions]) -> None:
    """Ensure a session in a lane: one of that name, or of that agent session, is used again."""
    where = parse(name)
    change = Change(settings, options["idempotency_key"])
    with connected(settings) as plane:
        lane = plane.lane(where.lane, workspace=where.workspace or DEFAULT_WORKSPACE, create=False)
        body = SessionCreate(
            name=where.session or "main",
            codex_session_id=options["agent_session"],
            provider=options["provider"],
            transport=options["transport"],
        )
        target = Target(lane.info.workspace_id, lane.info.id)
        made = change.make(plane, "session.create", body, SessionResult, target)
    change.done(
        f"{'made' if made.created else 'found'} session {made.session.name} ({made.session.id})",
        {"session": fields(made.session), "created": made.created},
    )


@click.command(cls=Verb, epilog=LS_EXAMPLES)
@click.argument("address", required=False, metavar="[[WORKSPACE/]LANE]", shell_complete=addresses)
@json_option()
@pass_settings
def ls(settings: Settings, address: str | None) -> None:
    """List sessions, of one lane or of all."""
    with connected(settings) as plane:
        lanes = {lane.id: lane.name for lane in plane.lanes()}
        lane_id = plane.resolve(address).lane.id if address else None
        found = sessions_of(plane, lane_id)
    if settings.json:
        settings.emit({"sessions": [fields(info) for info in found]})
        return
    rows = [row(info, lanes) for info in found]
    heads = ("SESSION", "STATUS", "ATTACHED", "TERMINALS", "AGE", "ID", "AGENT")
    click.echo(table(heads, rows, color=settings.colored(), state=1))


def row(info: SessionInfo, lanes: dict[str, str]) -> tuple[str, ...]:
    """Return the cells of one session."""
    return (
        safe(f"{lanes.get(info.lane_id, info.lane_id)}:{info.name}"),
        info.status,
        str(info.leases),
        str(info.terminals),
        age(info.created),
        info.id,
        safe(" ".join(filter(None, (info.provider, info.codex_session_id))), 40),
    )


@click.command(cls=Verb, epilog=ATTACH_EXAMPLES)
@address
@click.option("--restore", is_flag=True, help="Say of each terminal what a crash has left of it.")
@json_option("Print one JSON object when it is attached.")
@pass_settings
def attach(settings: Settings, address: str, *, restore: bool) -> None:
    """Hold a session attached, without any output, until interrupted."""
    with connected(settings) as plane:
        found = one_session(plane, plane.resolve(address), address)
        with found.attach(restore=restore) as attachment:
            restored = attachment.attached.restored
            if settings.json:
                shown: dict[str, object] = {"session": fields(attachment.info)}
                shown["lease_id"] = attachment.lease_id
                if restore:
                    shown["restored"] = [fields(one) for one in restored]
                settings.emit(shown)
            for one in restored:
                why = safe("; ".join(filter(None, (one.reason, one.remedy))))
                settings.say(f"{one.name}: {one.outcome}{f' ({why})' if why else ''}")
            settings.say(f"attached to session {attachment.info.name}; Ctrl-C detaches")
            status = hold(plane, attachment)
    sys.exit(status)


def hold(plane: Plane, attachment: Attachment) -> int:
    """Keep the lease until a signal comes; return the exit status."""
    with Wakeups(FORWARDED) as wakeups:
        while attachment.lost is None:
            if wakeups.fileno() in plane.wait([wakeups.fileno()], None):
                return SIGNAL_BASE + wakeups.take()[0]
    raise attachment.lost


def one_session(plane: Plane, found: Resolved, address: str) -> Handle:
    """Return the session an address means.

    Raises:
        CliError: SESSION_NOT_FOUND, the lane has none; INVALID_ARGUMENT, it has several.
    """
    if found.session is not None:
        lane = plane.lane(found.lane.name, workspace=found.workspace.name, create=False)
        return lane.session(found.session.name)
    names = [f"{found.lane.name}:{one.name}" for one in found.sessions]
    if not names:
        raise CliError("SESSION_NOT_FOUND", f"{address!r} has no session")
    raise CliError(
        "INVALID_ARGUMENT",
        f"{address!r} means {len(names)} sessions: {', '.join(names)}",
        hint="name one of them",
        details={"choices": names},
    )


@click.command(cls=Verb, epilog=TERMINATE_EXAMPLES)
@address
@click.option("-y", "--yes", is_flag=True, help="Do not ask when it has terminals.")
@grace
@idempotency_key
@json_option()
@pass_settings
def terminate(settings: Settings, address: str, **options: Unpack[TerminateOptions]) -> None:
    """End everything in a session."""
    change = Change(settings, options["idempotency_key"])
    with connected(settings) as plane:
        info = one_session(plane, plane.resolve(address), address).info
        if info.terminals:
            confirm(
                f"session {info.name} has {count(info.terminals, 'terminal')}", yes=options["yes"]
            )
        body = SessionTerminate(grace_s=options["grace"])
        target = Target(info.workspace_id, info.lane_id, info.id)
        result = change.make(plane, "session.terminate", body, Ended, target)
    change.done(
        f"terminated session {info.name}: {ended(result)}",
        {"session_id": info.id, "ended": fields(result)},
    )
