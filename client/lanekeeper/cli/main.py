"""`lane`: parse, run one verb, and turn whatever went wrong into one line and an exit status.

Owns the options that stand before the verb and the end of the process. Called by the console
script and by `python -m lanekeeper.cli`.
"""

import os
import sys
from types import TracebackType
from typing import Final, NoReturn, Self, TypedDict, Unpack

import click

from lanekeeper.cli.config import PREFIX, find, load
from lanekeeper.cli.errors import BROKEN_PIPE, INTERRUPTED, CliError, ReaderGoneError, translate
from lanekeeper.cli.lazy import Root, refuse_unknown
from lanekeeper.cli.settings import QUIET, Settings
from lanekeeper.cli.text import safe

CONTEXT: Final = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    "auto_envvar_prefix": PREFIX,
}
WITHOUT_CONFIG: Final = frozenset({"config", "completion", "version", "doctor", None})
"""Verbs that work with a broken configuration file."""


class Options(TypedDict):
    """The options before the verb."""

    runtime_dir: str | None
    color: str
    quiet: bool
    verbose: int
    debug: bool


@click.group(cls=Root, context_settings=CONTEXT, no_args_is_help=True)
@click.option(
    "--runtime-dir",
    metavar="DIR",
    envvar=f"{PREFIX}_DIR",
    help="Where the plane lives; also LANEKEEPER_DIR. "
    "Default: $XDG_RUNTIME_DIR/lanekeeper, else /tmp/lanekeeper-UID.",
)
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto")
@click.option("-q", "--quiet", is_flag=True, help="Print data and errors only.")
@click.option(
    "-v",
    "--verbose",
    count=True,
    help="Show the ids of commands on stderr; -vv also every command and answer, with its time.",
)
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.pass_context
def lane(ctx: click.Context, /, **options: Unpack[Options]) -> None:
    """Run programs in lanes that outlive your terminal, and come back to them.

    A lane is addressed as [WORKSPACE/]LANE[:SESSION][.TERMINAL]. `lane VERB --help` shows a
    verb's options with examples. Every option has an environment variable: LANEKEEPER_ and the
    option's name, with the verb between them for an option of a verb (LANEKEEPER_RUN_KEEP).
    `lane config --help` says where defaults can be written down.

    Exit status: 0 done, 1 failed, 2 usage, 3 refused, 4 not found, 5 conflict, 6 busy,
    7 unreachable, 8 timed out, 9 not authorised, 130 interrupted; `run` and `attach` end with
    the program's own status, 128 + N when signal N ended it.
    """
    settings = ctx.ensure_object(Settings)
    settings.runtime_dir = options["runtime_dir"]
    settings.color = options["color"]
    settings.verbosity = QUIET if options["quiet"] else options["verbose"]
    settings.debug = options["debug"]
    ctx.color = settings.colored()
    if ctx.invoked_subcommand not in WITHOUT_CONFIG:
        check_config(ctx, settings)


def check_config(ctx: click.Context, settings: Settings) -> None:
    """Refuse a broken configuration file and unknown keys at its top.

    Raises:
        CliError: CONFIG.
    """
    if settings.config.fault is not None:
        raise settings.config.fault
    known = [parameter.name for parameter in ctx.command.params if parameter.name]
    if isinstance(ctx.command, Root):
        known += ctx.command.entries
    refuse_unknown(settings.config.values, known, "its top part")


def main() -> NoReturn:
    """Run `lane` with the process's arguments, and exit."""
    open_closed_streams()
    sys.exit(run(sys.argv[1:]))


def open_closed_streams() -> None:
    """Open the null device where a standard stream is closed: no socket of ours may get its number.

    Python has no object for such a stream; it gets one.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def run(args: list[str]) -> int:
    """Run `lane` with `args` and return the exit status."""
    settings = Settings(config=load(find(os.environ)))
    end = Ending(settings, args)
    with end:
        status = lane.main(
            args,
            prog_name="lane",
            standalone_mode=False,
            obj=settings,
            default_map=settings.config.values,
        )
        sys.stdout.flush()
        end.status = status if isinstance(status, int) else 0
    return end.status


class Ending:
    """Turns whatever a verb raises into a message and a status, for a `with`."""

    def __init__(self, settings: Settings, args: list[str]) -> None:
        """Take what decides the form of a message."""
        self._settings = settings
        self._args = args
        self.status = 0

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Report an error and set the status; only the interpreter's own exits pass."""
        if error is None or isinstance(error, SystemExit | GeneratorExit):
            return False
        self.status = self._status(error)
        return True

    def _status(self, error: BaseException) -> int:
        if isinstance(error, KeyboardInterrupt | click.Abort):
            return INTERRUPTED
        if isinstance(error, BrokenPipeError | ReaderGoneError):
            return broken_pipe()
        if self._settings.debug:
            sys.excepthook(type(error), error, error.__traceback__)
        failure = of_click(error) or translate(error)
        return report(failure or defect(error), self._settings, self._args)


def of_click(error: BaseException) -> CliError | None:
    """Return the failure of a mistake on the command line."""
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx is not None else "lane"
        return CliError("USAGE", error.format_message(), hint=f"`{path} --help` shows how")
    if isinstance(error, click.ClickException):
        return CliError("IO", error.format_message())
    return None


def defect(error: BaseException) -> CliError:
    """Return the failure that stands for a mistake of ours."""
    return CliError(
        "INTERNAL", f"a defect of ours: {error!r}", hint="report it with what --debug shows"
    )


def report(failure: CliError, settings: Settings, args: list[str]) -> int:
    """Print a failure on stderr, as JSON when that was asked for, and return its status."""
    if settings.json or "--json" in _before_command(args):
        click.echo(failure.as_json(), err=True)
        return failure.exit_status
    colored = settings.colored(sys.stderr)
    head = click.style("lane:", fg="red", bold=True) if colored else "lane:"
    click.echo(f"{head} {_shown(failure)} [{failure.code}]", err=True, color=colored)
    if failure.hint:
        click.echo(f"      {safe(failure.hint)}", err=True)
    return failure.exit_status


def _shown(failure: CliError) -> str:
    """Return what a terminal may be given of a message, which may hold what others are called.

    Only a mistake on the command line has lines, with tabs: the choices there are.
    """
    if failure.code != "USAGE":
        return safe(failure.message)
    return "\n".join(map(safe, failure.message.expandtabs().split("\n")))


def broken_pipe() -> int:
    """Leave quietly when the reader of stdout has gone: nothing more can be said to it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return BROKEN_PIPE


def _before_command(args: list[str]) -> list[str]:
    return args[: args.index("--")] if "--" in args else args
