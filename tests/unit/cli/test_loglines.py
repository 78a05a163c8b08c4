"""Lines of a log as JSON: both forms of a log, and what is neither."""

import json
import logging
from pathlib import Path

import pytest

from lanekeeper.cli.loglines import Objects, as_object
from lanekeeper.keeper import logs


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_was_logged_comes_back(form: str, tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    logs.configure("worker", path, "info", form)
    try:
        logger = logging.getLogger("lanekeeper.workers.core")
        logger.warning("is held: 3 behind", extra={"lane": "lane_a", "request": "r1"})
        logger.info("key=value it is")
    finally:
        logs.reset()
    first, second = (as_object(line) for line in path.read_bytes().splitlines())
    assert first["level"] == "WARNING"
    assert (first["role"], first["logger"]) == ("worker", "lanekeeper.workers.core")
    assert isinstance(first["pid"], int)
    assert str(first["time"]).endswith("Z")
    assert (first["message"], first["lane"], first["request"]) == (
        "is held: 3 behind",
        "lane_a",
        "r1",
    )
    assert (second["message"], "lane" in second) == ("key=value it is", False)


@pytest.mark.parametrize("line", [b"Segmentation fault", b"{broken", b"[1, 2]", b"\xff\xfe", b""])
def test_a_line_of_another_kind_is_a_message(line: bytes) -> None:
    found = as_object(line)
    assert found["message"] == line.decode("utf-8", "backslashreplace")
    assert (found["time"], found["level"], found["pid"]) == (None, None, None)


def test_a_line_that_comes_in_pieces_is_one_object() -> None:
    objects = Objects()
    told = objects.take([b"first\nsec"])
    told += objects.take([b"ond\nthi"])
    assert [json.loads(line)["message"] for line in told.splitlines()] == ["first", "second"]
    assert json.loads(objects.take([b"rd\n"]))["message"] == "third"
    assert all(json.loads(line)["schema"] == 1 for line in told.splitlines())
