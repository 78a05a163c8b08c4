"""`lane terminal`: spawn and list terminals; the other verbs are those of the same name."""

from typing import Literal, TypedDict, Unpack

import click

from lanekeeper.cli.caller import environment, limits
from lanekeeper.cli.complete import addresses
from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import LazyGroup, Verb
from lanekeeper.cli.listing import sessions_of, terminals_of
from lanekeeper.cli.options import address, idempotency_key, json_option, pass_settings
from lanekeeper.cli.plane import connected
from lanekeeper.cli.running import Request, run_detached
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.sizes import Size, size
from lanekeeper.cli.text import age, command_line, how, safe, table
from lanekeeper.cli.verbs import TERMINAL_VERBS
from lanekeeper.wire.limits import KEEP_SECONDS
from lanekeeper.wire.messages.terminal import TerminalInfo

SPAWN_EXAMPLES = """lane terminal spawn build -- make -j4
lane terminal spawn build:review --name shell --size 120x40 -- bash"""
LS_EXAMPLES = """lane terminal ls
lane terminal ls build --json"""
SHOW_EXAMPLES = """lane terminal show build:main.shell
lane terminal show build --json | jq .terminal.head"""


class Terminal(LazyGroup):
    """The verbs of terminals."""

    entries = TERMINAL_VERBS


class SpawnOptions(TypedDict):
    """The options of `spawn`."""

    name: str | None
    env: tuple[str, ...]
    clean_env: bool
    cwd: str | None
    keep: float
    size: Size | None
    output: Literal["tty", "raw"]
    idempotency_key: str | None


@click.group(cls=Terminal, no_args_is_help=True)
def terminal() -> None:
    """Terminals: each is one PTY with its program and its log."""


@click.command(cls=Verb, epilog=SPAWN_EXAMPLES)
@click.argument("address", metavar="[WORKSPACE/]LANE[:SESSION]", shell_complete=addresses)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.option("--name", metavar="NAME", help="The name of the terminal.")
@click.option("-e", "--env", multiple=True, metavar="NAME[=VALUE]", help="Set a variable.")
@click.option("--clean-env", is_flag=True, help="Pass on only what every program needs.")
@click.option("-C", "--cwd", type=click.Path(resolve_path=True), help="Its working directory.")
@click.option("--keep", type=click.FloatRange(0), default=KEEP_SECONDS, metavar="SECONDS")
@click.option(
    "--size",
    type=size,
    metavar="COLSxROWS",
    help="Its size [default: that of this terminal, or 80x24].",
)
@click.option("--output", type=click.Choice(["tty", "raw"]), default="tty", show_default=True)
@idempotency_key
@json_option()
@pass_settings
def spawn(
    settings: Settings, address: str, command: tuple[str, ...], **options: Unpack[SpawnOptions]
) -> None:
    """Start a program on a new terminal and return; `lane run -d` under another name."""
    request = Request(
        address=address,
        argv=command,
        session=None,
        name=options["name"],
        env=environment(options["env"], clean=options["clean_env"]),
        limits=limits(),
        cwd=options["cwd"],
        keep=options["keep"],
        size=options["size"],
        output=options["output"],
        key=options["idempotency_key"],
    )
    with connected(settings) as plane:
        run_detached(settings, plane, request)


@click.command(cls=Verb, epilog=LS_EXAMPLES)
@click.argument("address", required=False, metavar="[[WORKSPACE/]LANE]", shell_complete=addresses)
@json_option()
@pass_settings
def ls(settings: Settings, address: str | None) -> None:
    """List terminals, of one lane or of all."""
    with connected(settings) as plane:
        names = {lane.id: lane.name for lane in plane.lanes()}
        names |= {session.id: session.name for session in sessions_of(plane)}
        lane_id = plane.resolve(address).lane.id if address else None
        found = terminals_of(plane, lane_id)
    if settings.json:
        settings.emit({"terminals": [fields(info) for info in found]})
        return
    rows = [row(info, names) for info in found]
    heads = ("TERMINAL", "STATE", "PID", "SIZE", "WRITER", "ENDED", "AGE", "COMMAND")
    click.echo(table(heads, rows, color=settings.colored(), state=1))


def row(info: TerminalInfo, names: dict[str, str]) -> tuple[str, ...]:
    """Return the cells of one terminal."""
    lane = names.get(info.lane_id, info.lane_id)
    return (
        safe(f"{lane}:{names.get(info.session_id, info.session_id)}.{info.name}"),
        info.state,
        str(info.pid or "-"),
        f"{info.cols}x{info.rows}",
        "-" if info.writer is None else "tty" if info.writer.tty else "program",
        "-" if info.exit is None else how(info.exit),
        age(info.created),
        command_line(info.argv, 40),
    )


@click.command(cls=Verb, epilog=SHOW_EXAMPLES)
@address
@json_option()
@pass_settings
def show(settings: Settings, address: str) -> None:
    """Show one terminal."""
    with connected(settings) as plane:
        info = plane.terminal(address).refresh()
    if settings.json:
        settings.emit({"terminal": fields(info)})
        return
    told = {**fields(info), "argv": command_line(info.argv), "exit": how(info.exit)}
    told["writer"] = writer(info)
    for name, value in told.items():
        click.echo(f"{name:<12} {'-' if value is None else safe(str(value))}")


def writer(info: TerminalInfo) -> str | None:
    """Return who writes to a terminal, in words; None when anybody may."""
    held = info.writer
    if held is None:
        return None
    who = "a client" if held.actor is None else f"{held.actor.kind} {held.actor.id}"
    return f"{who}{' at a terminal' if held.tty else ''}, since {held.since}"
