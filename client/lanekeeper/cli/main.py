"""`lane`: parse, run one verb, and turn whatever went wrong into one line and an exit status.

Owns the options that stand before the verb and the end of the process. Called by the console
script and by `python -m lanekeeper.cli`.
"""

import os
import sys
import traceback
from typing import Final, NoReturn

import click

from lanekeeper.cli.config import PREFIX, find, load
from lanekeeper.cli.errors import BROKEN_PIPE, INTERRUPTED, Failure, translate
from lanekeeper.cli.lazy import Root, refuse_unknown
from lanekeeper.cli.settings import QUIET, Settings

CONTEXT: Final = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    "auto_envvar_prefix": PREFIX,
}
WITHOUT_CONFIG: Final = frozenset({"config", "completion", "version", "doctor", None})
"""Verbs that work with a broken configuration file."""


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
@click.option("-v", "--verbose", count=True, help="Say more; twice for still more.")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.pass_context
def lane(ctx: click.Context, **options: str | bool | int | None) -> None:
    """Run programs in lanes that outlive your terminal, and come back to them.

    A lane is addressed as [WORKSPACE/]LANE[:SESSION][.TERMINAL]. `lane VERB --help` shows a
    verb's options with examples. Every option has an environment variable: LANEKEEPER_ and the
    option's name, with the verb between them for an option of a verb (LANEKEEPER_RUN_KEEP).

    Exit status: 0 done, 1 failed, 2 usage, 3 refused, 4 not found, 5 conflict, 6 busy,
    7 unreachable, 8 timed out, 9 not authorised, 130 interrupted; `run` and `attach` end with
    the program's own status, 128 + N when signal N ended it.
    """
    settings = ctx.ensure_object(Settings)
    directory, color = options["runtime_dir"], options["color"]
    settings.runtime_dir = directory if isinstance(directory, str) else None
    settings.color = color if isinstance(color, str) else "auto"
    settings.verbosity = QUIET if options["quiet"] else int(options["verbose"] or 0)
    settings.debug = bool(options["debug"])
    if ctx.invoked_subcommand not in WITHOUT_CONFIG:
        check_config(ctx, settings)


def check_config(ctx: click.Context, settings: Settings) -> None:
    """Refuse a broken configuration file and unknown keys at its top.

    Raises:
        Failure: CONFIG.
    """
    if settings.config.fault is not None:
        raise settings.config.fault
    known = [parameter.name for parameter in ctx.command.params if parameter.name]
    if isinstance(ctx.command, Root):
        known += ctx.command.entries
    refuse_unknown(settings.config.values, known, "its top part")


def main() -> NoReturn:
    """Run `lane` with the process's arguments, and exit."""
    sys.exit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """Run `lane` with `args` and return the exit status."""
    settings = Settings(config=load(find(os.environ)))
    try:
        status = lane.main(
            args,
            prog_name="lane",
            standalone_mode=False,
            obj=settings,
            default_map=settings.config.values,
        )
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return broken_pipe()
    except click.UsageError as error:
        return usage(error, settings, args)
    except click.ClickException as error:
        return report(Failure("IO", error.format_message()), settings, args)
    except Exception as error:
        failure = translate(error)
        if settings.debug or failure is None:
            traceback.print_exc()
        defect = Failure("INTERNAL", f"a defect of ours: {error!r}", hint="please report it")
        return report(failure or defect, settings, args)
    return status if isinstance(status, int) else 0


def usage(error: click.UsageError, settings: Settings, args: list[str]) -> int:
    """Print a usage error and return its status."""
    context = error.ctx
    path = context.command_path if context is not None else "lane"
    failure = Failure("USAGE", error.format_message(), hint=f"`{path} --help` shows how")
    return report(failure, settings, args)


def report(failure: Failure, settings: Settings, args: list[str]) -> int:
    """Print a failure on stderr, as JSON when that was asked for, and return its status."""
    if settings.json or "--json" in _before_command(args):
        click.echo(failure.as_json(), err=True)
        return failure.exit_status
    colored = settings.colored(sys.stderr)
    head = click.style("lane:", fg="red", bold=True) if colored else "lane:"
    click.echo(f"{head} {failure.message} [{failure.code}]", err=True, color=colored)
    if failure.hint:
        click.echo(f"      {failure.hint}", err=True)
    return failure.exit_status


def broken_pipe() -> int:
    """Leave quietly when the reader of stdout has gone: nothing more can be said to it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return BROKEN_PIPE


def _before_command(args: list[str]) -> list[str]:
    return args[: args.index("--")] if "--" in args else args
