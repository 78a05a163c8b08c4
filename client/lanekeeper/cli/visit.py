"""A visit from `lane top` to a terminal: attach, and come back with a word on how it ended."""

import signal
import sys

from lanekeeper.cli.attach import ends_of, stay
from lanekeeper.cli.ends import Way
from lanekeeper.cli.errors import CliError, translate
from lanekeeper.cli.keys import DEFAULT, detach_key
from lanekeeper.cli.pen import Pen
from lanekeeper.cli.plane import connected
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import how
from lanekeeper.client import LaneError
from lanekeeper.keeper.rundir import RundirError


def visit(settings: Settings, address: str) -> tuple[str, signal.Signals | None]:
    """Attach to the one terminal an address means.

    Returns what to tell the person, and the signal that ended it if one did.
    """
    key = detach_key(DEFAULT)
    ends = ends_of(settings, address, key, (sys.stdin.fileno(), sys.stdout.fileno()))
    try:
        with connected(settings) as plane:
            terminal = plane.terminal(address)
            ends.pen = Pen(terminal, read_only=False)
            ends.pen.take()
            outcome = stay(plane, terminal, ends, f"{address} ({key.name} detaches)")
    except (CliError, LaneError, RundirError) as error:
        failure = translate(error)
        return (str(error) if failure is None else failure.message), None
    if outcome.way is Way.DETACHED:
        return f"detached from {address}; its program goes on", None
    if outcome.way is Way.SIGNALLED:
        return f"detached from {address}", outcome.caught
    return f"{address}: the program has ended: {how(outcome.exit)}", None
