"""`lane run`: lane, session and terminal in one go, and the program's own exit status."""

import sys
from typing import Final, Literal, TypedDict, Unpack

import click

from lanekeeper.cli.caller import environment, limits
from lanekeeper.cli.complete import addresses
from lanekeeper.cli.keys import NONE, DetachKey, detach_key
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import idempotency_key, json_option, pass_settings
from lanekeeper.cli.plane import connected
from lanekeeper.cli.running import Request, run_attached, run_detached
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.sizes import Size, log_capacity, size
from lanekeeper.wire.limits import KEEP_SECONDS, LOG_CAPACITY

EXAMPLES = """lane run build -- make -j4
tar c src | lane run pack -- gzip -9f > src.tar.gz
lane run -d server -- python3 -m http.server
lane run --rm --env CI=1 --cwd /srv/app tests -- pytest -q
lane run shell -- bash"""
LONGEST_KEEP: Final = 30 * 24 * 3600


class Options(TypedDict):
    """The options of the verb."""

    detach: bool
    rm: bool
    env: tuple[str, ...]
    clean_env: bool
    cwd: str | None
    session: str | None
    name: str | None
    keep: float
    size: Size | None
    capacity: int
    stdin: Literal["auto", "forward", "none"]
    detach_key: DetachKey
    idempotency_key: str | None


@click.command(cls=Verb, epilog=EXAMPLES)
@click.argument("address", metavar="[WORKSPACE/]NAME[:SESSION]", shell_complete=addresses)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.option("-d", "--detach", is_flag=True, help="Print the ids and return.")
@click.option(
    "--rm", is_flag=True, help="Close the terminal afterwards, and the lane if it is new."
)
@click.option(
    "-e", "--env", multiple=True, metavar="NAME[=VALUE]", help="Set a variable; repeatable."
)
@click.option("--clean-env", is_flag=True, help="Pass on only what every program needs.")
@click.option("-C", "--cwd", type=click.Path(resolve_path=True), help="Its working directory.")
@click.option("--session", metavar="NAME", help="The session [default: main].")
@click.option("--name", metavar="NAME", help="The name of the terminal.")
@click.option(
    "--keep",
    type=click.FloatRange(0, LONGEST_KEEP),
    default=KEEP_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long the log stays after the end.",
)
@click.option(
    "--capacity",
    type=log_capacity,
    default=LOG_CAPACITY,
    metavar="SIZE",
    help="How much of its output is kept, as 256K or 64M [default: 4M].",
)
@click.option(
    "--size",
    type=size,
    metavar="COLSxROWS",
    help="Its size [default: that of this terminal, or 80x24].",
)
@click.option(
    "--stdin",
    type=click.Choice(["auto", "forward", "none"]),
    default="auto",
    help="What is typed or piped in here goes to the program; auto: not while stdout is a pipe "
    "and stdin a terminal, which then belongs to the pager.",
)
@click.option(
    "--detach-key", type=detach_key, metavar="KEY", default=NONE, help="Leaves the program running."
)
@idempotency_key
@json_option("Print one JSON object a line: started, output (base64), exited.")
@pass_settings
def run(
    settings: Settings, address: str, command: tuple[str, ...], **options: Unpack[Options]
) -> None:
    """Run a command in a lane and stream its output.

    The lane, the session and a new terminal are made as needed; the program takes over this
    working directory, environment, umask and limits. Ends with the program's exit status, 128 + N
    when signal N ended it. Stdin is forwarded with its end; when stdout is not a terminal, the
    program's bytes arrive unchanged. INT, TERM, HUP and QUIT go to the program, each time.
    """
    if options["detach"] and options["rm"]:
        raise click.UsageError("--rm closes what it has waited for, --detach does not wait")
    request = Request(
        address=address,
        argv=command,
        session=options["session"],
        name=options["name"],
        env=environment(options["env"], clean=options["clean_env"]),
        limits=limits(),
        cwd=options["cwd"],
        keep=options["keep"],
        size=options["size"],
        capacity=options["capacity"],
        stdin=options["stdin"],
        detach_key=options["detach_key"],
        rm=options["rm"],
        key=options["idempotency_key"],
    )
    with connected(settings) as plane:
        if options["detach"]:
            run_detached(settings, plane, request)
            return
        status = run_attached(settings, plane, request)
    sys.exit(status)
