"""`lane bench`: measure a plane of its own beside tmux, bare ZeroMQ and a bare read loop."""

import json
import select
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from lanekeeper.bench import (
    creation,
    echo,
    footprint,
    memory,
    pattern,
    report,
    sharing,
    subscribers,
    throughput,
    tmux,
)
from lanekeeper.bench.private import WARM, PrivatePlane
from lanekeeper.cli.errors import CliError
from lanekeeper.cli.keeper_link import KeeperLink, demand
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.settings import Settings
from lanekeeper.client import Plane, connect
from lanekeeper.keeper.rundir import Rundir

EXAMPLES = """lane bench
lane bench --quick
lane bench --only echo --only throughput --json --output bench.json"""

PARTS: Final = ("create", "echo", "throughput", "subscribers", "lanes", "memory", "idle")
SCHEMA: Final = 1
CONNECT_SECONDS: Final = 10.0
SETTLE_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.02
STEADY: Final = frozenset({"ready", "warm", "granted"})


@click.command(cls=Verb, epilog=EXAMPLES)
@click.option("--only", multiple=True, type=click.Choice(PARTS), help="Only this part; repeatable.")
@click.option("--quick", is_flag=True, help="A tenth of the work: a look, not a measurement.")
@click.option("--lanes", type=click.IntRange(1, 2000), default=100, show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Also write JSON.")
@json_option()
@pass_settings
def bench(
    settings: Settings, only: tuple[str, ...], lanes: int, output: Path | None, *, quick: bool
) -> None:
    """Measure lane creation, echo, throughput, memory and idle CPU.

    It starts a plane of its own in a private directory and ends it afterwards; yours is not
    touched. What is compared is measured in turn in the same run: on a shared machine only ratios
    mean much. Have nothing else run beside it. The bare ZeroMQ loop is a terminal on the same
    sockets without a plane: it shows what of the ratio of an echo to tmux's is ZeroMQ's.
    """
    progress = _progress()
    size = Size(lanes)
    with PrivatePlane() as private, connect(private.directory, timeout=CONNECT_SECONDS) as plane:
        measured = _measure(
            plane, private, only or PARTS, size.tenth() if quick else size, progress
        )
    progress("")
    if output is not None:
        output.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    if settings.json:
        settings.emit(measured)
    else:
        click.echo(report.text(measured))


@dataclass(frozen=True, slots=True)
class Size:
    """How much work a run is."""

    lanes: int
    samples: int = 300
    keys: int = 1000
    volume: int = 200_000_000
    rounds: int = 7
    idle_seconds: float = 20.0
    shared_seconds: float = 10.0
    flood: int = 10_000_000_000

    def tenth(self) -> "Size":
        """Return a tenth of it."""
        return Size(max(1, self.lanes // 10), 50, 100, 20_000_000, 2, 3.0, 2.0, 500_000_000)


def _measure(
    plane: Plane,
    private: PrivatePlane,
    parts: tuple[str, ...],
    size: Size,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    version = tmux.available()
    peer = version is not None
    measured: dict[str, Any] = {"schema": SCHEMA, "machine": report.machine(), "tmux": version}
    if "create" in parts:
        with demand(Rundir(Path(private.directory))) as keeper:
            measured["create"] = [
                creation.measure(plane, alive, size.samples, progress, _settle(keeper))
                for alive in (1, size.lanes)
            ]
    if "echo" in parts:
        noise = throughput.Flood(private.scratch, 0).endless
        measured["echo"] = echo.measure(plane, size.keys, progress, with_tmux=peer)
        measured["echo_beside_flood"] = echo.measure(
            plane, size.keys, progress, noise, with_tmux=peer
        )
    if "throughput" in parts:
        measured["throughput"] = throughput.measure(
            plane,
            throughput.Flood(private.scratch, size.volume),
            size.rounds,
            progress,
            with_tmux=peer,
        )
    measured |= _streams(plane, private, parts, size, progress)
    if "idle" in parts:
        measured["idle"] = footprint.measure(
            plane, private, size.lanes, size.idle_seconds, progress
        )
    return measured


def _streams(
    plane: Plane,
    private: PrivatePlane,
    parts: tuple[str, ...],
    size: Size,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Measure what has several subscribers, each a process of its own."""
    measured: dict[str, Any] = {}
    directory, scratch = private.directory, private.scratch
    if "subscribers" in parts:
        stream = pattern.Stream(scratch, size.volume)
        measured["subscribers"] = subscribers.measure(
            plane, directory, stream, size.rounds, progress
        )
    if "lanes" in parts:
        stream = pattern.Stream(scratch, pattern.ENDLESS)
        measured["lanes"] = sharing.measure(plane, directory, stream, size.shared_seconds, progress)
    if "memory" in parts:
        stream = pattern.Stream(scratch, size.flood)
        measured["memory"] = memory.measure(plane, directory, stream, progress)
    return measured


def _settle(keeper: KeeperLink) -> creation.Settle:
    """Return what waits until the pool is full again and no worker starts or ends."""

    def settle() -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            states = [one["state"] for one in keeper.status()["processes"]]
            if set(states) <= STEADY and states.count("warm") == WARM:
                return
            if time.monotonic() >= deadline:
                raise CliError("TIMEOUT", "the keeper replaces no workers; see lane logs keeper")
            # Between two looks the plane is left alone: looking costs it time too.
            select.select([], [], [], LOOK_SECONDS)

    return settle


def _progress() -> Callable[[str], None]:
    """Return what shows where the run is: one line that is rewritten, on a terminal only."""
    shown = sys.stderr.isatty()

    def show(text: str) -> None:
        if shown:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    return show
