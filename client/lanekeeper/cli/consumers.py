"""`lane terminal consumers`: who is registered for a terminal's output, and how far behind."""

import click

from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import address, json_option, pass_settings
from lanekeeper.cli.plane import connected
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import safe, table

EXAMPLES = """lane terminal consumers build
lane terminal consumers build --json | jq '.consumers | map(.lag) | max'"""
HEADS = ("CONSUMER", "POLICY", "OFFSET", "LAG", "LEASE")


@click.command(cls=Verb, epilog=EXAMPLES)
@address
@json_option()
@pass_settings
def consumers(settings: Settings, address: str) -> None:
    """Show who is registered for a terminal's output, and how far behind each is.

    LAG is in bytes. While it is too large the policies block (for a moment) and forever hold the
    program back, which is then throttled; drop never does. A consumer ends with its lease.
    """
    with connected(settings) as plane:
        terminal = plane.terminal(address)
        found = terminal.consumers()
    if settings.json:
        settings.emit({"terminal_id": terminal.id, "consumers": [fields(one) for one in found]})
        return
    rows = [
        (safe(one.id), one.policy, str(one.offset), str(one.lag), safe(one.lease_id))
        for one in found
    ]
    click.echo(table(HEADS, rows, color=settings.colored()))
