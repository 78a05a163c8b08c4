"""The transition tables: every state has a way out, and no other ways are taken."""

from enum import Enum
from typing import Any

import pytest

from lanekeeper.keeper import states


@pytest.mark.parametrize(
    ("table", "every", "end"),
    [
        (states.DAEMON_TABLE, states.Daemon, states.Daemon.ENDED),
        (states.WORKER_TABLE, states.Worker, states.Worker.ENDED),
        (states.PLANE_TABLE, states.Plane, states.Plane.DONE),
    ],
)
def test_every_state_leads_to_the_end(table: dict[Any, Any], every: type[Enum], end: Enum) -> None:
    reached = {end}
    while True:
        more = {state for (state, _), following in table.items() if following in reached}
        if more <= reached:
            break
        reached |= more
    assert reached == set(every)


def test_change_that_is_not_in_the_table_raises() -> None:
    with pytest.raises(states.TransitionError, match="ended does not allow launched"):
        states.follow(states.DAEMON_TABLE, states.Daemon.ENDED, states.DaemonCause.LAUNCHED)
