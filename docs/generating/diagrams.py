"""The generated blocks of docs/states.md: a diagram and a table for each state machine.

Draws what is in `wire.states`, nothing else. Called by `docs/generate.py`.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from generating.reference import table
from lanekeeper.wire.states import LANE, SESSION, TERMINAL

MACHINES: Final[dict[str, Mapping[StrEnum, Mapping[str, StrEnum]]]] = {
    "lane": {state: dict(edges) for state, edges in LANE.items()},
    "session": {state: dict(edges) for state, edges in SESSION.items()},
    "terminal": {state: dict(edges) for state, edges in TERMINAL.items()},
}
_FIRST: Final = {"lane": "new", "session": "detached", "terminal": "idle"}


def blocks() -> dict[str, Callable[[], str]]:
    """Return what fills each block of the page, by the block's name."""
    return {name: _later(name) for name in MACHINES}


def _later(name: str) -> Callable[[], str]:
    return lambda: f"{_diagram(name)}\n\n{_table(name)}"


def _diagram(name: str) -> str:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {_FIRST[name]}"]
    for state, edges in MACHINES[name].items():
        following: dict[str, list[str]] = {}
        for event, target in edges.items():
            following.setdefault(str(target), []).append(event)
        lines += [
            f"    {state} --> {target}: {', '.join(events)}" for target, events in following.items()
        ]
        if not edges:
            lines.append(f"    {state} --> [*]")
    return "\n".join([*lines, "```"])


def _table(name: str) -> str:
    machine = MACHINES[name]
    events = list(dict.fromkeys(event for edges in machine.values() for event in edges))
    rows = [
        (f"**{state}**", *(str(edges.get(event, "")) for event in events))
        for state, edges in machine.items()
    ]
    return table(("state", *events), rows)
