"""Options and arguments that several verbs share, each written once.

Owns their names and texts; values end up in the verb's parameters, `--json` in the settings.
"""

import math
from collections.abc import Callable
from typing import Final, TypeVar

import click

from lanekeeper.cli.complete import addresses
from lanekeeper.cli.settings import Settings
from lanekeeper.wire.limits import GRACE_SECONDS, MAX_DEADLINE_MS, MAX_GRACE_SECONDS

F = TypeVar("F", bound=Callable[..., object])
Decorator = Callable[[F], F]

pass_settings = click.make_pass_decorator(Settings)
"""Hands a verb its `Settings` as first argument."""

ADDRESS_HELP: Final = "[WORKSPACE/]LANE[:SESSION][.TERMINAL]"


def _set_json(ctx: click.Context, _parameter: click.Parameter, value: object) -> None:
    ctx.ensure_object(Settings).json = value is True


def json_option(text: str = "Print one JSON object.") -> Callable[[F], F]:
    """Add `--json`, which sets `Settings.json`."""
    return click.option("--json", is_flag=True, expose_value=False, callback=_set_json, help=text)


class Seconds(click.FloatRange):
    """A number of seconds; more than `most` is as good as that."""

    def __init__(self, *, most: float | None = None, min_open: bool = False) -> None:
        """Accept 0 and more, or with `min_open` more than 0."""
        super().__init__(0, min_open=min_open)
        self._most = math.inf if most is None else most

    def convert(
        self, value: float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; `nan` is none."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return min(number, self._most)


address = click.argument("address", metavar=ADDRESS_HELP, shell_complete=addresses)
"""What a verb is about."""

idempotency_key = click.option(
    "--idempotency-key",
    metavar="KEY",
    help="Command id: a repeated one is answered, not done again.",
)
"""Makes a retry of a changing verb safe across invocations."""

grace = click.option(
    "--grace",
    type=click.FloatRange(0, MAX_GRACE_SECONDS),
    default=GRACE_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="From SIGHUP to SIGKILL, with SIGTERM after a third of it.",
)
"""How long programs may take to end."""

timeout = click.option(
    "--timeout",
    type=Seconds(most=MAX_DEADLINE_MS / 1000, min_open=True),
    metavar="SECONDS",
    help="Give up after so long; what happened is then unknown.",
)
"""How long a verb may wait."""
