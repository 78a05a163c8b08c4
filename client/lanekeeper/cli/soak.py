"""`lane soak`: long runs against a plane of their own."""

import datetime as dt
import secrets
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypedDict, Unpack

import click

from lanekeeper.cli.errors import CliError
from lanekeeper.cli.lazy import LazyGroup, Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.verbs import SOAK_VERBS
from lanekeeper.soak import crew, report
from lanekeeper.soak.plan import HANG, Episode, Victim, Wishes, plan

FAULTS_EXAMPLES = """lane soak faults
lane soak faults --victim worker --random 300 --moments 20
lane soak faults --seed 7 --episode 12 --json"""

SEEDS: Final = 1_000_000
SIGNALS: Final = {
    "KILL": signal.SIGKILL,
    "SEGV": signal.SIGSEGV,
    "ABRT": signal.SIGABRT,
    "STOP": signal.SIGSTOP,
    "HANG": HANG,
}
"""STOP is taken back after 3 s, which is no hang yet; HANG lasts until the process is ended."""
WIDTH: Final = 20
LINE: Final = 79


class Soak(LazyGroup):
    """The verbs of long runs."""

    entries = SOAK_VERBS


class FaultOptions(TypedDict):
    """The options of `faults`."""

    victim: tuple[str, ...]
    random: int
    moments: int
    seed: int | None
    episode: int | None
    faults: tuple[int, int] | None
    jobs: int
    rate: int | None
    signal: tuple[str, ...]
    report: Path | None


@click.group(cls=Soak, no_args_is_help=True)
def soak() -> None:
    """Long runs against a plane of their own."""


@click.command(cls=Verb, epilog=FAULTS_EXAMPLES)
@click.option(
    "--victim",
    multiple=True,
    type=click.Choice([victim.value for victim in Victim]),
    help="Whom to kill; repeatable; all without it.",
)
@click.option(
    "--random",
    type=click.IntRange(0, 10_000),
    default=20,
    show_default=True,
    help="Kills at random times for each victim.",
)
@click.option(
    "--moments",
    type=click.IntRange(0, 1_000),
    default=1,
    show_default=True,
    help="How often each named moment is met.",
)
@click.option("--seed", type=click.IntRange(0), help="Of all random choices; printed.")
@click.option("--episode", type=click.IntRange(0), help="Run this one of the plan alone.")
@click.option(
    "--faults",
    type=(int, int),
    metavar="FIRST LAST",
    help="Of each episode only these faults, counted from 1.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    help="Planes at a time; most of a run is waiting.",
)
@click.option("--rate", type=click.IntRange(-1), help="Bytes a second of each flood; -1: no limit.")
@click.option(
    "--signal",
    multiple=True,
    type=click.Choice(list(SIGNALS)),
    help="What a kill at a random time sends; repeatable, then one of them; KILL without it.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report as Markdown, too.",
)
@json_option()
@pass_settings
def faults(settings: Settings, **options: Unpack[FaultOptions]) -> None:
    """Kill the processes of a plane and check that nothing is lost.

    It starts planes of its own in private directories and ends them; yours is not touched. In each
    lane a program floods a stream that checks itself and echoes what is typed. Exits with 1 if
    anything was lost, doubled, invented or left behind; the seed replays the run.
    """
    seed = secrets.randbelow(SEEDS) if options["seed"] is None else options["seed"]
    victims = tuple(Victim(name) for name in options["victim"]) or tuple(Victim)
    numbers = tuple(SIGNALS[name] for name in options["signal"] or ("KILL",))
    wishes = Wishes(victims, options["random"], options["moments"], options["rate"], numbers)
    episodes = plan(seed, wishes)
    if options["episode"] is not None:
        episodes = [one for one in episodes if one.index == options["episode"]]
        if not episodes:
            raise CliError("NOT_FOUND", f"the plan has no episode {options['episode']}")
    if options["faults"] is not None:
        parts = [crew.part(one, *options["faults"]) for one in episodes]
        episodes = [one for one in parts if one.faults]
    settings.notice(f"seed {seed}, {len(episodes)} episodes")
    done = crew.run(episodes, options["jobs"], _bar(len(episodes)))
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    again = _again(seed, options)
    found = report.summary(again, seed, done, {} if options["faults"] else _smallest(done, again))
    if options["report"] is not None:
        now = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC"
        options["report"].write_text(report.markdown(found, now), "utf-8")
    if settings.json:
        settings.emit(found)
    else:
        click.echo(report.text(found))
    if found["failed"]:
        raise click.exceptions.Exit(1)


def _smallest(done: crew.Run, again: str) -> dict[int, str]:
    """Return, for the first episodes that failed, which part of each does so when it is alone."""
    said = {}
    for result in done.failed[: crew.SHRUNK]:
        index, found = result.episode.index, crew.smallest(result)
        said[index] = (
            "none: it did not fail again"
            if found is None
            else f"{again} --episode {index} --faults {found[0]} {found[1]}"
        )
    return said


def _again(seed: int, options: FaultOptions) -> str:
    """Return the command line that makes the same plan."""
    words = [f"lane soak faults --seed {seed}"]
    words += [f"--victim {name}" for name in options["victim"]]
    words += [f"--signal {name}" for name in options["signal"]]
    words += [f"--random {options['random']} --moments {options['moments']}"]
    words += [] if options["rate"] is None else [f"--rate {options['rate']}"]
    return " ".join(words)


def _bar(total: int) -> Callable[[Episode], None]:
    """Return what shows how far a run is: one line that is rewritten, on a terminal only."""
    shown = sys.stderr.isatty()
    begun = 0

    def show(episode: Episode) -> None:
        nonlocal begun
        if shown:
            full = WIDTH * begun // total
            line = f"[{'#' * full}{'.' * (WIDTH - full)}] {begun}/{total} {episode.faults[0]}"
            sys.stderr.write(f"\r\x1b[K{line[:LINE]}")
            sys.stderr.flush()
        begun += 1

    return show
