"""The log budget: what runs counts with its capacity, what has ended with what it left."""

import pytest
from msgspec.structs import replace

from lanekeeper.broker.budget import Budget
from lanekeeper.wire.envelope import Command, raw
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import LOG_CAPACITY
from lanekeeper.wire.messages.terminal import Spawn, TerminalInfo

ENDED = TerminalInfo(
    id="term_a",
    workspace_id="ws",
    lane_id="lane",
    session_id="sess",
    name="t1",
    state="stopped",
    argv=["sh"],
    cols=80,
    rows=24,
    head=5000,
    tail=1000,
    capacity=100_000,
    created="",
    updated="",
)
RUNS = replace(ENDED, id="term_b", state="active")


def spawn(command_id: str, capacity: int = LOG_CAPACITY) -> Command:
    body = Spawn(argv=["sh"], capacity=capacity)
    return Command(v=1, id=command_id, ts="", method="terminal.spawn", payload=raw(body))


def code_of(budget: Budget, command: Command, *terminals: TerminalInfo) -> str:
    try:
        budget.admit(command, terminals)
    except WireError as error:
        return error.code
    return "ok"


def test_what_runs_counts_whole_and_what_has_ended_with_what_is_kept() -> None:
    budget = Budget()
    assert budget.used([ENDED]) == 4000
    assert budget.used([RUNS]) == 100_000
    assert budget.used([ENDED, RUNS]) == 104_000


def test_a_spawn_that_does_not_fit_is_refused_and_names_the_budget() -> None:
    budget = Budget(300_000)
    assert code_of(budget, spawn("a", 200_000), RUNS) == "ok"
    with pytest.raises(WireError) as refused:
        budget.admit(spawn("b", 65_536), [RUNS])
    assert refused.value.code == "LIMIT_EXCEEDED"
    assert "log budget" in refused.value.info.message
    assert refused.value.info.details == {"limit": 300_000, "used": 300_000, "wanted": 65_536}


def test_a_spawn_on_its_way_counts_until_it_is_answered() -> None:
    budget = Budget(2 * LOG_CAPACITY)
    assert code_of(budget, spawn("a")) == "ok"
    assert code_of(budget, spawn("b")) == "ok"
    assert code_of(budget, spawn("c")) == "LIMIT_EXCEEDED"
    budget.settle("a")
    assert code_of(budget, spawn("c")) == "ok"


def test_a_retry_is_counted_once_and_never_refused() -> None:
    admitted: set[str] = set()
    budget = Budget(LOG_CAPACITY, admitted)
    assert code_of(budget, spawn("a")) == "ok"
    assert code_of(budget, spawn("a")) == "ok"
    assert budget.used([]) == LOG_CAPACITY
    admitted.add("a")
    budget.settle("a")
    assert code_of(budget, spawn("a"), RUNS) == "ok"
    assert budget.used([]) == 0


def test_what_was_not_sent_is_not_counted() -> None:
    budget = Budget(LOG_CAPACITY)
    assert code_of(budget, spawn("a")) == "ok"
    budget.settle("a")
    assert code_of(budget, spawn("b")) == "ok"
    assert code_of(budget, spawn("a")) == "LIMIT_EXCEEDED"


def test_a_respawn_needs_the_rest_of_its_capacity() -> None:
    budget = Budget(150_000)
    again = Command(v=1, id="r", ts="", method="terminal.respawn", terminal_id="term_a")
    assert code_of(budget, again, ENDED) == "ok"
    assert budget.used([ENDED]) == 100_000
    budget.settle("r")
    assert code_of(Budget(150_000), again, ENDED, RUNS) == "LIMIT_EXCEEDED"


def test_other_commands_are_not_its_business() -> None:
    budget = Budget(0)
    assert code_of(budget, Command(v=1, id="a", ts="", method="terminal.get")) == "ok"
