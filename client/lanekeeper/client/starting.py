"""What is to be started: the options a caller gives, with every default filled in.

Owns the defaults: a program takes over the caller's environment (without the plane's own names),
working directory and umask. Called by both shells; `programs` starts it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypedDict

from msgspec import Struct, structs

from lanekeeper.client import environment
from lanekeeper.client.environment import Word
from lanekeeper.client.errors import error_for
from lanekeeper.wire.limits import KEEP_SECONDS, LOG_CAPACITY
from lanekeeper.wire.messages.terminal import Spawn

Policy = Literal["block", "forever", "drop"]

MAX_OUTPUT: Final = 256 * 1024 * 1024
"""Bytes of output that `run` collects unless `max_output` says otherwise."""


class SpawnOptions(TypedDict, total=False):
    """Options of `spawn` and `run`; every one has a default.

    Attributes:
        session: name of the session, made if need be (`main`).
        name: name of the terminal (given by the lane).
        env: the complete environment (the caller's without LANEKEEPER_*).
        cwd: working directory (the caller's).
        cols: columns (80); `rows`: rows (24).
        output: `tty` as a terminal does it, `raw` without post-processing and echo.
        stdin: `tty`, or `pipe` for exact bytes and an end.
        umask: file mode mask (the caller's).
        limits: `(resource number, soft, hard)` each (those of `lane up`).
        keep_s: seconds the log stays after the end.
        capacity: bytes of output that are kept.
        policy: `block` or `forever` register a consumer in the same step, for the first
            `output()`; `drop` (the default of `spawn`) does not. `run` is always `forever`.
        write: take the writer lease in the same step, for the first `lease()`; `tty` for a client
            that is a terminal (nobody takes it unless asked).
    """

    session: str
    name: str | None
    env: Mapping[str, Word] | None
    cwd: Word | None
    cols: int
    rows: int
    output: Literal["tty", "raw"]
    stdin: Literal["tty", "pipe"]
    umask: int | None
    limits: Sequence[tuple[int, int, int]] | None
    keep_s: float
    capacity: int
    policy: Policy
    write: Literal["tty", "program"] | None


class StartOptions(SpawnOptions, total=False):
    """Options of `spawn` beside those it has in common with `run`.

    Attributes:
        command_id: makes the start repeatable: with the id of an earlier one, its terminal is
            returned and nothing is started.
    """

    command_id: str | None


class RunOptions(SpawnOptions, total=False):
    """Options of `run` beside those of `spawn`.

    Attributes:
        input: what the program reads from its standard input (nothing).
        timeout: seconds after which it is ended (never).
        max_output: bytes of output after which it is ended (256 MiB).
    """

    input: bytes | None
    timeout: float | None
    max_output: int


class Program(Struct, frozen=True):
    """What is to be started: where, and how it is consumed."""

    body: Spawn
    session: str
    policy: Policy
    write: Literal["tty", "program"] | None = None
    command_id: str | None = None


class Feeding(Struct, frozen=True):
    """What `run` gives a program to read and how much it may write; sizes in bytes."""

    data: bytes
    max_output: int = MAX_OUTPUT


def program(argv: Sequence[Word], options: SpawnOptions, command_id: str | None = None) -> Program:
    """Return what to start, with every default filled in.

    Raises:
        LaneError: INVALID_ARGUMENT, `argv` is empty or one string.
    """
    if isinstance(argv, str | bytes) or not argv:
        raise error_for(
            "INVALID_ARGUMENT", "argv is a list of words, the program first: ['ls', '-l']"
        )
    env = options.get("env")
    umask = options.get("umask")
    limits = options.get("limits")
    body = Spawn(
        argv=environment.arguments(argv),
        cwd=environment.text(options.get("cwd") or Path.cwd()),
        env=environment.caller_environment()
        if env is None
        else {name: environment.text(value) for name, value in env.items()},
        umask=environment.caller_umask() if umask is None else umask,
        limits=None if limits is None else list(limits),
        cols=options.get("cols", 80),
        rows=options.get("rows", 24),
        name=options.get("name"),
        output=options.get("output", "tty"),
        stdin=options.get("stdin", "tty"),
        keep_s=options.get("keep_s", KEEP_SECONDS),
        capacity=options.get("capacity", LOG_CAPACITY),
    )
    return Program(
        body,
        options.get("session", "main"),
        options.get("policy", "drop"),
        options.get("write"),
        command_id,
    )


def to_run(argv: Sequence[Word], options: RunOptions) -> tuple[Program, Feeding]:
    """Return what `run` starts and feeds: exact bytes both ways unless the options say otherwise.

    Raises:
        LaneError: as `program` does.
    """
    defaults: RunOptions = {"stdin": "pipe", "output": "raw"}
    merged: RunOptions = {**defaults, **options}
    what = program(argv, merged)
    feeding = Feeding(options.get("input") or b"", options.get("max_output", MAX_OUTPUT))
    return structs.replace(what, policy="forever"), feeding
