"""The protocol page and the code say the same, both ways, and its example runs as it stands.

Reads the page as text, independently of what generates its tables: a method, topic, code, limit or
field that only one of the two has is found here.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kit.document_shell import Shell, matches
from lanekeeper.wire import limits
from lanekeeper.wire.envelope import Actor, Command, Event, Response
from lanekeeper.wire.errors import CODES, ErrorInfo
from lanekeeper.wire.ids import PREFIXES
from lanekeeper.wire.messages.events import Assignment, Happened, Registration
from lanekeeper.wire.methods import METHODS
from lanekeeper.wire.output import Header, Kind
from lanekeeper.wire.topics import EXTENSIONS, FORMAL, PUBLISHED, WORKER_REGISTERED

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "protocol.md").read_text("utf-8")
CONTRACTS = ROOT / "kitty-specs" / "001-colab-agent-terminal-control-plane" / "contracts"
LIMITS = {name: value for name, value in vars(limits).items() if name.isupper()}
NOUNS = {name.partition(".")[0] for name in [*METHODS, *FORMAL, *EXTENSIONS]}
OTHER_CAPITALS = {
    "ZMQ_MAXMSGSIZE",
    "LANE_ID",
    "NOT_FOUND",
    "XDG_RUNTIME_DIR",
    "LANEKEEPER_DIR",
    "LANEKEEPER_LANE",
} | {f"LANEKEEPER_{name}" for name in ("SESSION", "TERMINAL")}


def section(title: str, level: int = 2) -> str:
    """Return the text below a heading, up to the next one of its level or above."""
    found = re.search(
        rf"^{'#' * level} {re.escape(title)}\n(.*?)(?=^#{{1,{level}}} |\Z)",
        PAGE,
        re.DOTALL | re.MULTILINE,
    )
    assert found, f"no section {title}"
    return found.group(1)


def first_column(text: str) -> list[str]:
    """Return what is in the first cells of all tables, without their heads."""
    return re.findall(r"^\| \[?`([^`]+)`", text, re.MULTILINE)


def table_after(text: str, mark: str) -> list[str]:
    """Return the first column of the table that follows a mark, empty without one."""
    following = text.partition(mark)[2]
    found = re.match(r"\n*(?:[^\n|]*\n)?\n*((?:\|[^\n]*\n)+)", following + "\n")
    return first_column(found.group(1)) if found else []


def names(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def dotted(text: str) -> Iterator[str]:
    """Yield what looks like a method or topic; paths of sockets do not."""
    for word in re.findall(r"(?<![\w/.])[a-z0-9]+(?:\.[a-z0-9]+)+\b", text):
        if word.partition(".")[0] in NOUNS:
            yield word


def test_generating_again_changes_nothing() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_method_has_a_section_and_no_section_is_about_another() -> None:
    implemented = {name for name, method in METHODS.items() if method.executor}
    headings = set(re.findall(r"^#### (\S+)$", section("Methods"), re.MULTILINE))
    assert headings == implemented
    deferred = {name for name, method in METHODS.items() if not method.executor}
    assert set(table_after(PAGE, "<!-- generated: deferred methods -->")) == deferred


@pytest.mark.parametrize("name", sorted(n for n, method in METHODS.items() if method.executor))
def test_a_method_is_described_as_it_is(name: str) -> None:
    method, text = METHODS[name], section(name, 4)
    for needed in method.requires:
        assert f"`{needed}`" in text.partition("Payload")[0]
    assert ("`correlation_id`" in text.partition("Payload")[0]) is method.lifecycle
    assert ("One-way" in text) is method.one_way
    for what, kind in (("Payload", method.payload), ("Result", method.result)):
        assert f"{what}:" in text or f"{what} (`{kind.__name__}`)" in text
        fields = table_after(text, f"{what} (`{kind.__name__}`):")
        linked = f"{what}: [{kind.__name__}]" in text
        assert linked or fields == names(kind)


@pytest.mark.parametrize(
    "kind",
    [Command, Response, Event, Actor, ErrorInfo, Header, Happened, Registration, Assignment],
)
def test_the_fields_of_an_envelope_are_those_of_the_code(kind: type[msgspec.Struct]) -> None:
    assert table_after(PAGE, f"<!-- generated: fields {kind.__name__} -->") == names(kind)


def test_the_tables_of_topics_codes_kinds_and_limits_are_those_of_the_code() -> None:
    published = PUBLISHED - {"terminal.output"}
    assert set(table_after(PAGE, "<!-- generated: topics -->")) == published
    assert table_after(PAGE, "<!-- generated: codes -->") == list(CODES)
    assert table_after(PAGE, "<!-- generated: kinds -->") == [str(kind) for kind in Kind]
    assert table_after(PAGE, "<!-- generated: limits -->") == list(LIMITS)
    for name, value in LIMITS.items():
        assert f"| `{name}` | {value:,} |" in PAGE
    unpublished = section("Deferred").partition("deferred topics")[2]
    assert all(f"`{topic}`" in unpublished for topic in FORMAL - PUBLISHED)


def test_nothing_on_the_page_is_unknown_to_the_code() -> None:
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    known = {*METHODS, *FORMAL, *EXTENSIONS, WORKER_REGISTERED}
    assert {word for word in dotted(prose) if word not in known} == set()
    shouted = set(re.findall(r"\b[A-Z]{2,}(?:_[A-Z]+)+\b", prose))
    assert shouted - {*CODES, *LIMITS} - OTHER_CAPITALS == set()
    prefixes = set(re.findall(r"`([a-z]+)_(?:\.\.\.)?`", prose))
    assert prefixes - set(PREFIXES.values()) == set()


def test_every_method_has_its_contract_and_every_contract_its_method() -> None:
    files = {path.name.removesuffix(".schema.json") for path in CONTRACTS.glob("methods/*.json")}
    assert files == {name for name, method in METHODS.items() if method.executor}
    surface = msgspec.json.decode((CONTRACTS / "surface.json").read_bytes())
    assert set(surface["methods"]) == set(METHODS)
    assert set(surface["topics"]) == FORMAL | EXTENSIONS
    assert set(surface["error_codes"]) == set(CODES)


@pytest.mark.timeout(90)
def test_the_example_runs_as_it_stands() -> None:
    program, wanted = (
        re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[0]
        for language in ("python", "output")
    )
    imported = set(re.findall(r"^(?:import|from) (\w+)", program, re.MULTILINE))
    assert imported - set(sys.stdlib_module_names) == {"msgpack", "zmq"}
    with Shell() as shell:
        shell.run("lane up --detach")
        seen = shell.run_program(program)
        shell.run("lane down --yes")
    assert matches(wanted, seen), seen
