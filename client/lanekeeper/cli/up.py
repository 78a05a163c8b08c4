"""`lane up`: start the plane, in the foreground or detached."""

import os
import select
import subprocess
import sys
import time
from typing import Final, TypedDict, Unpack

import click

from lanekeeper.cli.daemons import arguments, become, environment
from lanekeeper.cli.errors import CliError
from lanekeeper.cli.keeper_link import reach
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.sizes import log_budget
from lanekeeper.keeper.lock import holder
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.limits import LOG_BUDGET

EXAMPLES = """lane up --detach
lane --runtime-dir /tmp/plane up
lane up --log-budget 4G
lane up --metrics-port 9464
lane up --warm 16
lane up --detach --json | jq .pid"""
READY_SECONDS: Final = 15.0
WARM_MOST: Final = 256
"""Each takes memory and descriptors whether it is ever needed or not."""
SECOND_KEEPER: Final = 5
"""Exit status of a keeper that finds the lock held."""


class Options(TypedDict):
    """The options of the verb."""

    detach: bool
    ephemeral: bool
    log_budget: int
    metrics_port: int
    warm: int | None
    log_level: str
    log_format: str


@click.command(cls=Verb, epilog=EXAMPLES)
@click.option("-d", "--detach", is_flag=True, help="Return when it is ready.")
@click.option("--ephemeral", is_flag=True, help="Remove the logs too when it stops.")
@click.option(
    "--log-budget",
    type=log_budget,
    default=LOG_BUDGET,
    metavar="SIZE",
    help="Of all output logs together, as 512M or 4G [default: 1G].",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="PORT",
    help="Of the metrics on 127.0.0.1 [default: 0, any].",
)
@click.option(
    "--warm",
    type=click.IntRange(1, WARM_MOST),
    metavar="N",
    help="Workers kept ready for new lanes [default: 4].",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
)
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text")
@json_option()
@pass_settings
def up(settings: Settings, **options: Unpack[Options]) -> None:
    """Start the plane.

    In the foreground Ctrl-C stops it with everything in it; a second Ctrl-C does so at once.
    """
    rundir = settings.rundir
    rundir.create()
    refuse_second(rundir)
    words = ["--log-level", options["log_level"], "--log-format", options["log_format"]]
    words += ["--log-budget", str(options["log_budget"])]
    words += ["--metrics-port", str(options["metrics_port"])]
    if options["warm"] is not None:
        words += ["--warm", str(options["warm"])]
    if options["ephemeral"]:
        words.append("--ephemeral")
    if options["detach"]:
        pid = detach(rundir, words)
        if settings.json:
            settings.emit({"runtime_dir": str(rundir.path), "pid": pid, "state": "running"})
        settings.say(f"plane up in {rundir.path} (keeper {pid}); `lane down` stops it")
        return
    settings.notice(
        f"plane in {rundir.path} (keeper {os.getpid()}); Ctrl-C or `lane down` stops it"
    )
    sys.stderr.flush()
    become(settings, "keeper", "lanekeeper.keeper", words)


def refuse_second(rundir: Rundir) -> None:
    """Refuse to start beside a running plane.

    Raises:
        CliError: PLANE_RUNS, naming the keeper; UNREACHABLE or TIMEOUT, one is there and silent.
    """
    pid = holder(rundir.lock)
    if pid is None:
        # A keeper that was killed a moment ago has a successor on its way, which answers here.
        link = reach(rundir)
        if link is not None:
            with link:
                pid = link.keeper.pid
    if pid is not None:
        raise CliError(
            "PLANE_RUNS",
            f"a plane runs in {rundir.path} already: keeper {pid}",
            hint="`lane status` shows it, `lane down` stops it, --runtime-dir starts another",
            details={"pid": pid},
        )


def detach(rundir: Rundir, words: list[str]) -> int:
    """Start the keeper in a session of its own and return its pid when the plane is ready.

    Raises:
        CliError: it ended or was not ready in time.
    """
    reading, writing = os.pipe()
    with rundir.log_file("keeper").open("ab") as log:
        process = subprocess.Popen(
            arguments("lanekeeper.keeper", rundir, [*words, "--ready-fd", str(writing)]),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment("keeper", rundir),
            cwd="/",
            start_new_session=True,
            pass_fds=(writing,),
        )
    os.close(writing)
    try:
        word = first_line(reading, READY_SECONDS)
    finally:
        os.close(reading)
    if word == "ready":
        process.returncode = 0  # it lives on by itself: nothing here waits for it
        return process.pid
    raise not_ready(rundir, process, word)


def first_line(descriptor: int, seconds: float) -> str | None:
    """Return the first line a pipe gives, "" at its end; None when the time is over."""
    deadline = time.monotonic() + seconds
    line = b""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    while b"\n" not in line:
        left = deadline - time.monotonic()
        if left <= 0 or not poller.poll(left * 1000):
            return None
        piece = os.read(descriptor, 4096)
        if not piece:
            break
        line += piece
    return line.partition(b"\n")[0].decode("utf-8", "replace").strip()


def not_ready(rundir: Rundir, process: subprocess.Popen[bytes], word: str | None) -> CliError:
    """Return why a detached start failed; a keeper that is still there is ended."""
    log = rundir.log_file("keeper")
    if word is None:
        process.terminate()
        return CliError(
            "TIMEOUT",
            f"the plane was not ready in {READY_SECONDS:g} s and was told to stop",
            hint=f"see {log}",
        )
    try:
        status = process.wait(READY_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    if status == SECOND_KEEPER:
        return CliError("PLANE_RUNS", word.removeprefix("error ") or "another plane was faster")
    reason = word.removeprefix("error ") or f"its keeper ended with {status}"
    return CliError("IO", f"the plane did not start: {reason}", hint=f"see {log}")
