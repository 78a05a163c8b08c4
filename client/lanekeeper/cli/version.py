"""`lane version`: which product this is and what it speaks."""

import platform

import click

from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.settings import Settings
from lanekeeper.wire.version import PRODUCT, PROTOCOL, SUPPORTED

EXAMPLES = """lane version
lane version --json | jq -r .version"""


@click.command(cls=Verb, epilog=EXAMPLES)
@json_option()
@pass_settings
def version(settings: Settings) -> None:
    """Print the version."""
    if settings.json:
        settings.emit(
            {
                "version": PRODUCT,
                "protocol": PROTOCOL,
                "protocol_versions": list(SUPPORTED),
                "python": platform.python_version(),
            }
        )
    else:
        click.echo(f"lanekeeper {PRODUCT} ({PROTOCOL}, Python {platform.python_version()})")
