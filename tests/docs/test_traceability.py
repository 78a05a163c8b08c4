"""The specification, its boundary and its traces agree, and name only what exists.

Every requirement has a state, a trace and (where it works) tests that are there; every formal
method and topic has a contract or a task; every link of every document leads somewhere.
"""

import ast
import re
from pathlib import Path

import pytest

from lanekeeper.wire.methods import METHODS
from lanekeeper.wire.topics import FORMAL, PUBLISHED

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "kitty-specs" / "001-colab-agent-terminal-control-plane"
BOUNDARY = (SPEC / "checklists" / "mvp-boundary.md").read_text("utf-8")
DOCUMENTS = sorted(
    path
    for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *SPEC.glob("**/*.md")]
    if "node_modules" not in path.parts
)
STATES = {"works", "partly", "next", "deferred"}


def rows(text: str) -> dict[str, list[str]]:
    """Return the cells of each table row that begins with a requirement's id."""
    found = re.findall(r"^\| ((?:FR|NFR|SC)-\d{3}[ab]?) \| (.*) \|$", text, re.MULTILINE)
    return {name: rest.split(" | ") for name, rest in found}


def requirements() -> set[str]:
    return set(rows((SPEC / "spec.md").read_text("utf-8")))


def functions_in(path: Path) -> set[str]:
    syntax = ast.parse(path.read_text("utf-8"))
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in ast.walk(syntax) if isinstance(node, functions)}


def tasks() -> set[str]:
    text = (SPEC / "tasks.md").read_text("utf-8")
    return set(re.findall(r"^\| (T\d+) \|", text, re.MULTILINE))


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def test_every_requirement_has_a_state_and_a_trace() -> None:
    assert len(requirements()) == 32
    assert set(rows(BOUNDARY)) == requirements()
    assert {cells[0] for cells in rows(BOUNDARY).values()} <= STATES
    assert set(rows((SPEC / "traceability.md").read_text("utf-8"))) == requirements()


@pytest.mark.parametrize("name", sorted(rows(BOUNDARY)))
def test_what_works_is_shown_by_tests_that_exist(name: str) -> None:
    state, shown = rows(BOUNDARY)[name]
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", shown)
    assert named or state != "works"
    for path, test in named:
        assert test in functions_in(ROOT / path), f"{name}: no {test} in {path}"


def test_traces_lead_to_files() -> None:
    text = (SPEC / "traceability.md").read_text("utf-8")
    paths = re.findall(r"`([\w/]+\.py)`", text)
    assert paths
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_every_formal_name_has_a_contract_or_a_task() -> None:
    deferred = {name for name, method in METHODS.items() if not method.executor}
    with_task = dict(re.findall(r"^\| (`.*`) \| (T\d+) \|$", BOUNDARY, re.MULTILINE))
    listed = {name for cell in with_task for name in re.findall(r"`([^`]+)`", cell)}
    assert listed == deferred | (FORMAL - PUBLISHED)
    assert set(with_task.values()) <= tasks()
    contracts = {path.name.removesuffix(".schema.json") for path in SPEC.rglob("methods/*.json")}
    assert set(METHODS) - deferred <= contracts


def test_the_formal_lists_are_those_of_the_specification() -> None:
    text = (SPEC / "spec.md").read_text("utf-8")
    methods, topics = (
        set(re.findall(r"`([a-z.0-9]+)`", text.partition(f"**{what}**")[2].partition("\n\n")[0]))
        for what in ("Methods", "Topics")
    )
    assert methods == {name for name, method in METHODS.items() if method.formal}
    assert topics == FORMAL


def test_the_mission_s_tasks_are_there_and_ours_begin_at_101() -> None:
    numbers = {int(task[1:]) for task in tasks()}
    assert {n for n in numbers if n < 101} == {26, 27, 28, 29, 30}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{link} has no heading"
