"""`lane workspace`: make, open and list workspaces."""

import click

from lanekeeper.cli.complete import workspaces
from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import LazyGroup, Verb
from lanekeeper.cli.options import idempotency_key, json_option, pass_settings
from lanekeeper.cli.plane import Change, connected
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import age, safe, table
from lanekeeper.cli.verbs import WORKSPACE_VERBS
from lanekeeper.wire.messages.plane import WorkspaceCreate, WorkspaceOpen, WorkspaceResult

CREATE_EXAMPLES = """lane workspace create web --root ~/src/web
lane workspace create web --ensure --json"""
OPEN_EXAMPLES = """lane workspace open web"""
LS_EXAMPLES = """lane workspace ls
lane workspace ls --json | jq '.workspaces[].name'"""


class Workspace(LazyGroup):
    """The verbs of workspaces."""

    entries = WORKSPACE_VERBS


@click.group(cls=Workspace, no_args_is_help=True)
def workspace() -> None:
    """Workspaces: each holds the lanes of one piece of work."""


@click.command(cls=Verb, epilog=CREATE_EXAMPLES)
@click.argument("name")
@click.option(
    "--root",
    multiple=True,
    type=click.Path(resolve_path=True),
    help="A directory it is about; can be given several times.",
)
@click.option("--ensure", is_flag=True, help="Be content with a workspace of that name.")
@idempotency_key
@json_option()
@pass_settings
def create(
    settings: Settings,
    name: str,
    root: tuple[str, ...],
    *,
    ensure: bool,
    idempotency_key: str | None,
) -> None:
    """Make a workspace."""
    change = Change(settings, idempotency_key)
    with connected(settings) as plane:
        payload = WorkspaceCreate(name=name, roots=list(root), ensure=ensure)
        made = change.make(plane, "workspace.create", payload, WorkspaceResult)
    space = made.workspace
    change.done(
        f"{'made' if made.created else 'found'} workspace {space.name} ({space.id})",
        {"workspace": fields(space), "created": made.created},
    )


@click.command("open", cls=Verb, epilog=OPEN_EXAMPLES)
@click.argument("name", shell_complete=workspaces)
@idempotency_key
@json_option()
@pass_settings
def open_workspace(settings: Settings, name: str, idempotency_key: str | None) -> None:
    """Make a workspace the active one."""
    change = Change(settings, idempotency_key)
    with connected(settings) as plane:
        payload = WorkspaceOpen(name=name)
        space = change.make(plane, "workspace.open", payload, WorkspaceResult).workspace
    change.done(f"opened workspace {space.name} ({space.id})", {"workspace": fields(space)})


@click.command(cls=Verb, epilog=LS_EXAMPLES)
@json_option()
@pass_settings
def ls(settings: Settings) -> None:
    """List workspaces."""
    with connected(settings) as plane:
        spaces = plane.workspaces()
    if settings.json:
        settings.emit({"workspaces": [fields(space) for space in spaces]})
        return
    rows = [
        (safe(s.name), str(s.lanes), age(s.created), s.id, safe(", ".join(s.roots))) for s in spaces
    ]
    heads = ("WORKSPACE", "LANES", "AGE", "ID", "ROOTS")
    click.echo(table(heads, rows, color=settings.colored()))
