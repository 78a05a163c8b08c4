"""`lane events`: what happened, in order and without holes, and what happens now."""

from collections.abc import Iterator

import click

from lanekeeper.cli.fields import fields
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.plane import connected
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import paint, safe
from lanekeeper.client import LaneError
from lanekeeper.wire.codec import decode_body
from lanekeeper.wire.envelope import Event
from lanekeeper.wire.messages.events import Happened

EXAMPLES = """lane events
lane events --follow --topic terminal.
lane events --since 120 --json"""


@click.command(cls=Verb, epilog=EXAMPLES)
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now on.")
@click.option("--since", type=click.IntRange(0), metavar="SEQ", help="Only events after this one.")
@click.option("--topic", multiple=True, help="Only topics that begin so; repeatable.")
@json_option("Print one JSON object a line.")
@pass_settings
def events(settings: Settings, since: int | None, topic: tuple[str, ...], *, follow: bool) -> None:
    """Show what happened, and follow it.

    The broker keeps the last 10,000 events; --since is the number at the start of a line.
    """
    color = settings.colored()
    with connected(settings) as plane:
        for event in unbroken(settings, plane.events(since=since or 0, follow=follow)):
            if topic and not event.topic.startswith(topic):
                continue
            if settings.json:
                settings.emit(as_json(event))
            else:
                click.echo(as_text(event, color=color))


def unbroken(settings: Settings, found: Iterator[Event]) -> Iterator[Event]:
    """Yield the events, and say where some are gone."""
    while True:
        try:
            yield next(found)
        except StopIteration:
            return
        except LaneError as error:
            if error.code != "EVENTS_LOST":
                raise
            settings.notice(f"lane: {error.message}")


def as_json(event: Event) -> dict[str, object]:
    """Return an event as plain data, what happened decoded."""
    happened = decode_body(event.payload, Happened, event.topic)
    return {**fields(event), "payload": told(happened)}


def as_text(event: Event, *, color: bool) -> str:
    """Return an event as one line."""
    happened = decode_body(event.payload, Happened, event.topic)
    words = [
        f"{event.seq:>6}",
        paint(event.ts, "dim", color=color),
        paint(f"{event.topic:<24}", "bold", color=color),
        *subjects(happened),
        f"[{safe(event.correlation_id)}]",
    ]
    return " ".join(words)


def told(happened: Happened) -> dict[str, object]:
    """Return what an event says, without the fields that are silent."""
    return {name: value for name, value in fields(happened).items() if value is not None}


def subjects(happened: Happened) -> Iterator[str]:
    """Yield what an event is about, as words."""
    named = (
        ("workspace", happened.workspace),
        ("lane", happened.lane),
        ("session", happened.session),
        ("terminal", happened.terminal),
    )
    for kind, info in named:
        if info is not None:
            yield f"{kind} {safe(info.name)}"
    state = happened.terminal.state if happened.terminal else None
    if happened.previous:
        now = state or (happened.lane.status if happened.lane else "")
        yield f"{happened.previous} -> {now}"
    for text in (happened.method, happened.reason):
        if text:
            yield safe(text)
    if happened.error is not None:
        yield f"{happened.error.code}: {safe(happened.error.message)}"
