"""When a terminal's output came, written once for both shells."""

from lanekeeper.client.effects import Call, Ids, Operation, ask
from lanekeeper.wire.messages.recording import Timeline, TimelineResult


def timeline(
    terminal_id: str, offset: int | None, link: str | None = None
) -> Operation[TimelineResult]:
    """Return all times from `offset` on (None: from the oldest kept byte), with all sizes."""
    whole: TimelineResult | None = None
    while True:
        body = Timeline(offset=offset)
        call = Call("terminal.timeline", TimelineResult, body, Ids(terminal_id=terminal_id), link)
        page = yield from ask(call)
        if whole is None:
            whole = page
        else:
            last = whole.times[-1][0]
            whole.times += [entry for entry in page.times if entry[0] > last]
        offset = page.next
        if offset is None:
            whole.next = None
            return whole
