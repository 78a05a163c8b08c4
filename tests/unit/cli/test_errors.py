"""Every failure becomes a line or an object with the documented exit status."""

import json

import pytest

from lanekeeper.cli.errors import LOCAL, CliError, exit_status, translate
from lanekeeper.client.errors import error_for
from lanekeeper.keeper.rundir import RundirError, RundirMissingError
from lanekeeper.wire.errors import CODES, WireError


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("INVALID_ARGUMENT", 3),
        ("NOT_IMPLEMENTED", 3),
        ("LANE_NOT_FOUND", 4),
        ("ALREADY_EXISTS", 5),
        ("BACKPRESSURE", 6),
        ("WORKER_LOST", 7),
        ("UNREACHABLE", 7),
        ("NO_PLANE", 7),
        ("TIMEOUT", 8),
        ("UNAUTHORIZED", 9),
        ("USAGE", 2),
        ("SPAWN_FAILED", 1),
        ("SOMETHING_NEW", 1),
    ],
)
def test_exit_statuses_are_those_of_the_conventions(code: str, status: int) -> None:
    assert exit_status(code) == status


def test_no_local_code_hides_one_of_the_wire() -> None:
    assert not set(LOCAL) & set(CODES)


def test_a_refusal_of_the_plane_keeps_its_code_and_details() -> None:
    error = error_for("LANE_NOT_FOUND", "no lane x", details={"name": "x"})
    failure = translate(error)
    assert failure is not None
    assert (failure.code, failure.message, failure.exit_status) == (
        "LANE_NOT_FOUND",
        "no lane x",
        4,
    )
    assert failure.hint
    assert failure.details == {"name": "x"}


def test_a_wire_error_is_told_too() -> None:
    failure = translate(WireError("BACKPRESSURE", "busy"))
    assert failure is not None
    assert failure.retryable
    assert failure.exit_status == 6


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RundirMissingError("no directory"), "NO_PLANE"),
        (RundirError("mode 0755"), "RUNTIME_DIR"),
        (PermissionError(13, "Permission denied", "/x"), "IO"),
    ],
)
def test_errors_of_the_system_are_translated_once(error: Exception, code: str) -> None:
    failure = translate(error)
    assert failure is not None
    assert failure.code == code


def test_a_defect_is_not_mistaken_for_a_refusal() -> None:
    assert translate(ValueError("x")) is None


def test_the_json_form_is_one_line_with_stable_fields() -> None:
    failure = CliError("TIMEOUT", "no answer\nin time", hint="look", details={"choices": ["a"]})
    line = failure.as_json()
    assert "\n" not in line
    assert json.loads(line) == {
        "schema": 1,
        "code": "TIMEOUT",
        "message": "no answer\nin time",
        "hint": "look",
        "retryable": False,
        "exit_status": 8,
        "details": {"choices": ["a"]},
    }
