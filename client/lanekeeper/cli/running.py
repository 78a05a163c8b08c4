"""Running a command in a lane: what `lane run` and `lane terminal spawn` do with a request.

Owns the choice between exact bytes and a terminal's ways, and the tidying of `--rm`. Called by the
verbs, with options that are parsed already.
"""

import contextlib
import os
import sys
from dataclasses import dataclass, field
from typing import Final, Literal

from lanekeeper.cli.address import parse
from lanekeeper.cli.ends import Ends, Outcome, Way
from lanekeeper.cli.errors import SIGNAL_BASE, UNKNOWN, CliError
from lanekeeper.cli.fields import fields
from lanekeeper.cli.keys import NONE, DetachKey
from lanekeeper.cli.pen import Pen
from lanekeeper.cli.plane import Change
from lanekeeper.cli.relay import Relay
from lanekeeper.cli.render import Bytes, Lines, Renderer
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.sizes import Size, size_of
from lanekeeper.cli.text import how
from lanekeeper.client import Lane, LaneError, Plane, SpawnOptions, Terminal, returncode
from lanekeeper.wire.ids import DEFAULT_WORKSPACE
from lanekeeper.wire.limits import LOG_CAPACITY
from lanekeeper.wire.messages.lane import LaneCreate, LaneResult
from lanekeeper.wire.messages.terminal import TerminalInfo

CREATE_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Request:
    """A command to run, and how."""

    address: str
    argv: tuple[str, ...]
    session: str | None
    name: str | None
    env: dict[str, str | bytes]
    limits: list[tuple[int, int, int]]
    cwd: str | None
    keep: float
    size: Size | None
    stdin: Literal["auto", "forward", "none"] = "none"
    detach_key: DetachKey = field(default_factory=lambda: DetachKey(NONE))
    rm: bool = False
    key: str | None = None
    output: Literal["tty", "raw"] = "tty"
    capacity: int = LOG_CAPACITY


@dataclass(frozen=True, slots=True)
class Made:
    """A lane, and whether this run made it."""

    lane: Lane
    created: bool
    session: str


def run_detached(settings: Settings, plane: Plane, request: Request) -> TerminalInfo:
    """Start the command, print its ids and leave it running."""
    made = ensure(plane, request)
    change = Change(settings, request.key)
    terminal = start(settings, made, request, spawn_options(request, made), change.id)
    info = terminal.info
    change.done(
        f"{made.lane.info.name}:{made.session}.{info.name} runs as pid {info.pid}\n"
        f"lane {info.lane_id}\nsession {info.session_id}\nterminal {info.id}",
        {"terminal": fields(info), "lane_created": made.created},
    )
    return info


def run_attached(settings: Settings, plane: Plane, request: Request) -> int:
    """Run the command to its end with its output here; return the exit status to end with."""
    ends = choose_ends(request, as_json=settings.json)
    ends.notice = settings.notice
    made = ensure(plane, request)
    options = spawn_options(request, made, interactive=ends.raw)
    options["stdin"] = "pipe" if ends.stdin is not None and not ends.raw else "tty"
    options["policy"] = "forever"
    options["write"] = "tty" if ends.raw else None
    terminal = start(settings, made, request, options, request.key)
    renderer: Renderer = Lines() if settings.json else Bytes(tty=os.isatty(ends.stdout))
    if settings.json:
        settings.emit({"event": "started", "terminal": fields(terminal.info)})
    settings.detail(f"terminal {terminal.id} in {made.lane.info.name}:{made.session}")
    if ends.stdin is not None:
        ends.pen = Pen(terminal, tty=ends.raw)
        if ends.raw:  # a pipe may have nothing to say: it takes the writing with its first byte
            ends.pen.take()
    outcome: Outcome | None = None
    try:
        with terminal.output(0, policy="forever") as stream:
            outcome = Relay(plane, terminal, stream, ends, renderer).run()
    finally:
        if ends.pen is not None:
            ends.pen.put_down()
        if request.rm and (outcome is None or outcome.way is not Way.DETACHED):
            tidy(made, terminal)
    return conclude(settings, made, terminal, outcome, tidied=request.rm)


def choose_ends(request: Request, *, as_json: bool) -> Ends:
    """Return what of the person's side is connected, and how.

    Two terminals make an interactive run, as `ssh -t` does. With a terminal only at stdin the keys
    belong to whatever reads the pipe (`| less`), unless `--stdin forward` says otherwise.
    """
    stdin, stdout = sys.stdin.fileno(), sys.stdout.fileno()
    typed, shown = os.isatty(stdin), os.isatty(stdout) and not as_json
    wanted = request.stdin == "forward" or (request.stdin == "auto" and (not typed or shown))
    interactive = wanted and typed and shown
    follow = stdout if shown and request.size is None else None
    return Ends(
        stdin=stdin if wanted else None,
        stdout=stdout,
        raw=interactive,
        follow_size=follow,
        detach_key=request.detach_key,
    )


def ensure(plane: Plane, request: Request) -> Made:
    """Return the lane of the request, made if need be, and the name of its session.

    Raises:
        CliError: INVALID_ARGUMENT, the address names a terminal, or two sessions are named.
    """
    address = parse(request.address)
    if address.terminal is not None:
        raise CliError(
            "INVALID_ARGUMENT",
            f"{request.address!r} names a terminal; a run gets a new one",
            hint="name it with --name",
        )
    if address.session and request.session and address.session != request.session:
        raise CliError("INVALID_ARGUMENT", "the address and --session name different sessions")
    space = plane.workspace(address.workspace or DEFAULT_WORKSPACE)
    result = plane.call(
        "lane.create",
        LaneCreate(name=address.lane, ensure=True),
        result=LaneResult,
        workspace_id=space.id,
        timeout=CREATE_SECONDS,
    )
    lane = plane.lane(address.lane, workspace=space.name, create=False)
    return Made(lane, result.created, address.session or request.session or "main")


def spawn_options(request: Request, made: Made, *, interactive: bool = True) -> SpawnOptions:
    """Return the options of the program; without a terminal in view its bytes stay exact."""
    size = request.size or size_of(sys.stdout.fileno(), sys.stdin.fileno(), sys.stderr.fileno())
    exact = not interactive and not os.isatty(sys.stdout.fileno())
    return {
        "session": made.session,
        "name": request.name,
        "env": request.env,
        "cwd": request.cwd,
        "cols": size.cols,
        "rows": size.rows,
        "limits": request.limits,
        "keep_s": request.keep,
        "capacity": request.capacity,
        "output": "raw" if exact else request.output,
    }


def start(
    settings: Settings, made: Made, request: Request, options: SpawnOptions, key: str | None
) -> Terminal:
    """Start the program; a repeated `key` returns the terminal of the first time."""
    if key is not None:
        settings.detail(f"terminal.spawn: command {key}")
    return made.lane.spawn(request.argv, **options, command_id=key)


def tidy(made: Made, terminal: Terminal) -> None:
    """Close the terminal of a `--rm`, and its lane when this run made it and it is empty."""
    with contextlib.suppress(LaneError):
        terminal.close()
        if made.created and made.lane.refresh().terminals == 0:
            made.lane.cleanup()


def conclude(
    settings: Settings, made: Made, terminal: Terminal, outcome: Outcome, *, tidied: bool
) -> int:
    """Say what is to be said at the end, and return the exit status, as `attach.conclude` does."""
    where = f"{made.lane.info.name}:{made.session}.{terminal.info.name}"
    if outcome.lost:
        settings.notice(f"lane: {outcome.lost} bytes of output were lost: the lease had expired")
    if outcome.way is Way.DETACHED:
        settings.notice(f"detached from {where}; `lane attach {where}` comes back")
        return 0
    if outcome.way is Way.SIGNALLED and outcome.caught is not None:
        left = "--rm has ended the program" if tidied else "the program goes on"
        left = left if outcome.exit is None else f"the program had ended: {how(outcome.exit)}"
        settings.notice(f"detached by {outcome.caught.name}; {left}")
        return SIGNAL_BASE + outcome.caught
    status = None if outcome.exit is None else returncode(outcome.exit)
    if status is None:
        settings.notice(f"lane: nobody knows how {where} ended")
        return UNKNOWN
    return status
