"""The literal tables of the contract: ids, codes, methods, topics and endpoints agree."""

import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.wire import limits
from lanekeeper.wire.endpoints import PlaneEndpoints
from lanekeeper.wire.errors import CODES, WireError
from lanekeeper.wire.ids import PREFIXES, RANDOM_BYTES, is_id, is_name, make_id
from lanekeeper.wire.methods import METHODS, Executor
from lanekeeper.wire.topics import EXTENSIONS, FORMAL, PUBLISHED, WORKER_REGISTERED

ROOT: Final = Path(__file__).parents[3]


@given(st.sampled_from(sorted(PREFIXES)), st.binary(min_size=10, max_size=10))
def test_an_id_has_its_prefix_and_sixteen_characters(kind: str, randomness: bytes) -> None:
    made = make_id(kind, randomness)
    assert made == made.lower()
    assert is_id(made, kind)
    assert len(made) == len(PREFIXES[kind]) + 1 + 16
    assert not any(is_id(made, other) for other in PREFIXES if PREFIXES[other] != PREFIXES[kind])


def test_an_id_needs_exactly_its_randomness() -> None:
    with pytest.raises(ValueError, match="10 random bytes"):
        make_id("lane", b"x" * (RANDOM_BYTES - 1))


@pytest.mark.parametrize("name", ["a", "_x", "build-1", "x" * 64, "0"])
def test_names_people_use_are_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", "-x", "a.b", "a:b", "a/b", "x" * 65, "é", "a b", "a\n", "\u0661"]
)
def test_what_would_make_an_address_ambiguous_is_no_name(name: str) -> None:
    assert not is_name(name)


def test_every_limit_is_used_by_its_name() -> None:
    code = "\n".join(
        path.read_text("utf-8")
        for part in ("broker", "client", "workers")
        for path in (ROOT / part).rglob("*.py")
        if path != Path(limits.__file__)
    )
    names = [name for name in vars(limits) if name.isupper()]
    assert names
    assert [name for name in names if not re.search(rf"\b{name}\b", code)] == []


def test_a_refusal_knows_whether_a_retry_can_help() -> None:
    error = WireError("BACKPRESSURE", "full", limit=3)
    assert error.info.retryable
    assert error.info.details == {"limit": 3}
    assert not WireError("INVALID_ARGUMENT", "no").info.retryable
    with pytest.raises(KeyError):
        WireError("NO_SUCH_CODE", "x")


def test_every_code_has_an_exit_status_a_shell_can_tell() -> None:
    assert {code.exit_status for code in CODES.values()} <= set(range(1, 10))


def test_deferred_methods_name_their_phase_and_the_others_their_executor() -> None:
    for name, method in METHODS.items():
        assert bool(method.phase) == (method.executor is None), name


def test_what_changes_something_is_answered_and_kept() -> None:
    for name, method in METHODS.items():
        assert not (method.one_way and method.mutates), name
        if method.lifecycle:
            assert method.executor is not None, name


def test_a_lane_method_says_how_the_lane_is_found() -> None:
    finders = {"lane_id", "session_id", "terminal_id"}
    for name, method in METHODS.items():
        if method.executor is Executor.LANE:
            assert finders & set(method.requires), name


def test_published_topics_are_formal_or_extensions_and_registration_is_neither() -> None:
    assert PUBLISHED <= FORMAL | EXTENSIONS
    assert not FORMAL & EXTENSIONS
    assert WORKER_REGISTERED not in FORMAL | EXTENSIONS


def test_endpoints_lie_in_the_runtime_directory() -> None:
    plane = PlaneEndpoints("/run/x")
    assert plane.commands == "ipc:///run/x/broker.sock"
    assert plane.output("lane_1") == "ipc:///run/x/lanes/lane_1.out"
    assert plane.control("lane_1") == "ipc:///run/x/lanes/lane_1.in"
    every = [plane.commands, plane.workers, plane.events, plane.collector]
    assert len(set(every)) == 4
