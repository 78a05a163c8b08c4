"""`lane send`: type into a terminal's program."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypedDict, Unpack

import click

from lanekeeper.cli.errors import CliError
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import address, idempotency_key, json_option, pass_settings, timeout
from lanekeeper.cli.plane import Change, connected, of_terminal
from lanekeeper.cli.settings import Settings
from lanekeeper.client import LaneError, Terminal
from lanekeeper.wire.limits import MAX_CHUNK
from lanekeeper.wire.messages.terminal import Input, InputResult

EXAMPLES = """lane send shell 'make test' --enter
lane send shell --stdin < script.sh
lane send editor --paste --stdin < notes.txt
lane send calc '2 + 3' --enter --eof"""
PATIENCE: Final = 30.0
"""Seconds a program may leave its input unread."""


class Options(TypedDict):
    """The options of the verb."""

    enter: bool
    stdin: bool
    eof: bool
    paste: bool
    timeout: float | None
    idempotency_key: str | None


@click.command(cls=Verb, epilog=EXAMPLES)
@address
@click.argument("text", nargs=-1)
@click.option("--enter", is_flag=True, help="Press Enter after it.")
@click.option("--stdin", is_flag=True, help="Send what comes in here, to its end.")
@click.option("--eof", is_flag=True, help="End the program's input after it.")
@click.option("--paste", is_flag=True, help="As a paste, if the program tells these from typing.")
@timeout
@idempotency_key
@json_option()
@pass_settings
def send(
    settings: Settings, address: str, text: tuple[str, ...], **options: Unpack[Options]
) -> None:
    """Type text into a terminal; words are joined by spaces.

    Ends when the program's terminal has taken all of it. While a client that is attached holds the
    writer lease, nothing is sent.
    """
    data = " ".join(text).encode("utf-8", "surrogateescape")
    enter = b"\r" if options["enter"] else b""
    if not (data or enter or options["stdin"] or options["eof"]):
        raise click.UsageError("nothing to send: give TEXT, --enter, --stdin or --eof")
    apart = options["paste"] and data and enter  # pressed inside a paste it would be text
    once = not (apart or options["stdin"] or len(data + enter) > MAX_CHUNK)
    if options["idempotency_key"] is not None and not once:
        raise CliError(
            "INVALID_ARGUMENT",
            f"--idempotency-key stands for one command: at most {MAX_CHUNK} bytes, no --stdin, "
            "no --paste with --enter",
        )
    limit = options["timeout"] or PATIENCE
    change = Change(settings, options["idempotency_key"], timeout=limit)
    with connected(settings) as plane:
        terminal = plane.terminal(address)
        head: int | None
        if once:
            paste = options["paste"] and bool(data)
            body = Input(data=data + enter, eof=options["eof"], paste=paste)
            target = of_terminal(terminal.info)
            sent = change.make(plane, "terminal.input", body, InputResult, target)
            delivered, head = sent.delivered, sent.head
        else:
            delivered, head = send_pieces(terminal, pieces(data, enter, options), limit)
    change.done(
        f"sent {delivered} bytes to terminal {terminal.info.name}",
        {"delivered": delivered, "head": head},
    )


@dataclass(frozen=True, slots=True)
class Piece:
    """One input: its bytes, whether they are a paste that goes on, and whether the end follows."""

    data: bytes
    paste: bool = False
    more: bool = False
    eof: bool = False


def pieces(text: bytes, enter: bytes, options: Options) -> Iterator[Piece]:
    """Yield the text, what comes in at stdin to its end, and the Enter and the end after them."""
    paste = options["paste"]
    if not options["stdin"]:
        yield Piece(text, paste)
    else:
        said = False
        while piece := text or os.read(sys.stdin.fileno(), MAX_CHUNK):
            yield Piece(piece, paste, more=paste)
            text, said = b"", True
        if said and paste:
            yield Piece(b"", paste)
    if enter or options["eof"]:
        yield Piece(enter, eof=options["eof"])


def send_pieces(terminal: Terminal, each: Iterator[Piece], limit: float) -> tuple[int, int | None]:
    """Send one after the other; return the number of bytes and where the output ended before.

    Raises:
        CliError: a piece was refused; the message says how much went before it.
    """
    delivered = 0
    head: int | None = None
    try:
        for piece in each:
            delivered += terminal.send(
                piece.data, eof=piece.eof, timeout=limit, paste=piece.paste, more=piece.more
            )
            head = terminal.typed_at if head is None else head
    except LaneError as error:
        part = error.details.get("delivered", 0)
        delivered += part if isinstance(part, int) else 0
        message = f"{error.message} ({delivered} bytes were sent before)"
        raise CliError(error.code, message, retryable=error.retryable) from error
    return delivered, head
