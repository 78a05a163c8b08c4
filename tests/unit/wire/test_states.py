"""The state tables: closed, reachable, final where they say so, and strict."""

from enum import StrEnum
from typing import Any

import pytest

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.states import (
    LANE,
    SESSION,
    TERMINAL,
    LaneState,
    SessionState,
    Table,
    TerminalState,
    step,
)

TABLES: list[tuple[Table[Any], type[StrEnum], StrEnum]] = [
    (LANE, LaneState, LaneState.NEW),
    (SESSION, SessionState, SessionState.DETACHED),
    (TERMINAL, TerminalState, TerminalState.IDLE),
]


def reachable(table: Table[Any], start: StrEnum) -> set[StrEnum]:
    found, todo = {start}, [start]
    while todo:
        fresh = set(table[todo.pop()].values()) - found
        found |= fresh
        todo += fresh
    return found


@pytest.mark.parametrize(("table", "states", "start"), TABLES)
def test_every_state_has_a_row_and_can_be_reached(
    table: Table[Any], states: type[StrEnum], start: StrEnum
) -> None:
    assert set(table) == set(states)
    assert reachable(table, start) == set(states)


@pytest.mark.parametrize(("table", "states", "start"), TABLES)
def test_step_follows_the_table_and_refuses_everything_else(
    table: Table[Any], states: type[StrEnum], start: StrEnum
) -> None:
    events = {event for row in table.values() for event in row}
    assert start in states
    for state in states:
        for event in events:
            if event in table[state]:
                assert step(table, state, event, "it") is table[state][event]
                continue
            with pytest.raises(WireError) as caught:
                step(table, state, event, "lane build")
            assert caught.value.code == "INVALID_TRANSITION"
            assert "lane build" in caught.value.info.message


def test_a_closed_lane_and_a_terminated_session_are_final() -> None:
    assert LANE[LaneState.CLOSED] == {}
    assert SESSION[SessionState.TERMINATED] == {}


def test_an_ended_terminal_can_only_be_spawned_again() -> None:
    assert set(TERMINAL[TerminalState.STOPPED]) == {"spawn"}
    assert set(TERMINAL[TerminalState.ERRORED]) == {"spawn"}
