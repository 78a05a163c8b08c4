"""`lane send`: type into a terminal's program."""

import os
import sys
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
    data = " ".join(text).encode("utf-8", "surrogateescape") + (b"\r" if options["enter"] else b"")
    if not (data or options["stdin"] or options["eof"]):
        raise click.UsageError("nothing to send: give TEXT, --enter, --stdin or --eof")
    if options["idempotency_key"] is not None and (options["stdin"] or len(data) > MAX_CHUNK):
        raise CliError(
            "INVALID_ARGUMENT",
            f"--idempotency-key stands for one command: at most {MAX_CHUNK} bytes, no --stdin",
        )
    limit = options["timeout"] or PATIENCE
    change = Change(settings, options["idempotency_key"], timeout=limit)
    with connected(settings) as plane:
        terminal = plane.terminal(address)
        if options["stdin"]:
            delivered = send_stdin(terminal, data, limit, paste=options["paste"])
            if options["eof"]:
                terminal.send(b"", eof=True, timeout=limit)
        elif len(data) > MAX_CHUNK:
            paste, eof = options["paste"], options["eof"]
            delivered = terminal.send(data, eof=eof, timeout=limit, paste=paste)
        else:
            body = Input(data=data, eof=options["eof"], paste=options["paste"])
            target = of_terminal(terminal.info)
            sent = change.make(plane, "terminal.input", body, InputResult, target)
            delivered = sent.delivered
    change.done(
        f"sent {delivered} bytes to terminal {terminal.info.name}", {"delivered": delivered}
    )


def send_stdin(terminal: Terminal, first: bytes, limit: float, *, paste: bool) -> int:
    """Send `first`, then what comes in at stdin, to its end; return the number of bytes.

    Raises:
        CliError: a piece was refused; `details` and the message say how much went before it.
    """
    delivered = 0
    piece = first or os.read(sys.stdin.fileno(), MAX_CHUNK)
    try:
        while piece:
            delivered += terminal.send(piece, timeout=limit, paste=paste, more=paste)
            piece = os.read(sys.stdin.fileno(), MAX_CHUNK)
    except LaneError as error:
        part = error.details.get("delivered", 0)
        delivered += part if isinstance(part, int) else 0
        message = f"{error.message} ({delivered} bytes were sent before)"
        raise CliError(error.code, message, retryable=error.retryable) from error
    if paste and delivered:
        terminal.send(b"", timeout=limit, paste=True)
    return delivered
