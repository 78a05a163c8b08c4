"""Addresses: `[workspace/]lane[:session][.terminal]`, taken apart and checked.

Pure; the broker resolves addresses, this is for the verbs that make what an address names.
"""

from dataclasses import dataclass

from lanekeeper.cli.errors import CliError
from lanekeeper.wire.ids import NAME_RULE, is_name


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of an address; None where it is silent."""

    lane: str
    workspace: str | None = None
    session: str | None = None
    terminal: str | None = None


def parse(text: str) -> Address:
    """Return the parts of `text`.

    Raises:
        CliError: INVALID_ARGUMENT, a part is empty or not a name.
    """
    workspace, slash, rest = text.rpartition("/")
    rest, dot, terminal = rest.partition(".")
    name, colon, session = rest.partition(":")
    parts = ((workspace, slash), (name, "lane"), (session, colon), (terminal, dot))
    for part, there in parts:
        if there and not is_name(part):
            raise CliError(
                "INVALID_ARGUMENT",
                f"{text!r} is not an address: {part!r} is not a name ({NAME_RULE})",
                hint="write [WORKSPACE/]LANE[:SESSION][.TERMINAL]",
            )
    return Address(name, workspace or None, session or None, terminal or None)


def of_lane(text: str) -> Address:
    """Return the address of a lane.

    Raises:
        CliError: INVALID_ARGUMENT, it is not an address or names more than a lane.
    """
    address = parse(text)
    if address.session or address.terminal:
        raise CliError("INVALID_ARGUMENT", f"{text!r}: [WORKSPACE/]LANE is needed here, no more")
    return address
