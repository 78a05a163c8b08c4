"""Logs: one clean line a record, capped files, shared between processes."""

import fcntl
import json
import logging
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.keeper import logs

LOGGER = logging.getLogger("lanekeeper.test")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    ours = logging.getLogger("lanekeeper").level
    root.handlers.clear()
    yield
    logs.reset()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("lanekeeper").setLevel(ours)


def test_text_line_has_the_fixed_keys(tmp_path: Path) -> None:
    path = tmp_path / "broker.log"
    logs.configure("broker", path, "info", "text")
    LOGGER.info("granted %s", "it", extra={"lane": "lane_a", "worker": 7})
    LOGGER.debug("unseen")
    (line,) = path.read_text().splitlines()
    assert line.endswith(" lanekeeper.test: granted it lane=lane_a worker=7")
    assert f" INFO broker[{os.getpid()}] " in line
    assert path.stat().st_mode & 0o777 == 0o600


def test_json_lines_are_objects_whatever_was_logged(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    logs.configure("x", path, "debug", "json")
    for text in ("plain", "\x1b]0;title\x07\n\x7f\x9b\u202e", "x" * 9000, "\U0001f600" * 2000):
        LOGGER.info("%s", text, extra={"lane": text})
    try:
        int("y" * 900)
    except ValueError:
        LOGGER.exception("failed")
    for line in path.read_bytes().splitlines():
        assert len(line) < logs.LINE_MAX
        assert json.loads(line)["role"] == "x"


@given(st.text())
def test_line_is_one_line_without_control_characters(text: str) -> None:
    line = logs.clean_line(text)
    assert line.endswith(b"\n")
    assert len(line) <= logs.LINE_MAX
    assert not [one for one in line[:-1].decode() if unicodedata.category(one) == "Cc"]


def test_long_line_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    logs.configure("x", path, "info", "text")
    LOGGER.info("\u00e9" * 5000)
    data = path.read_bytes()
    assert len(data) <= logs.LINE_MAX
    assert data.endswith(b"...\n")
    data.decode()


def test_files_stay_below_their_cap_with_two_writers(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    logs.configure("worker", path, "info", "text")
    other = logs.LogFile(path)
    other.setFormatter(logs.TextLines("other"))
    record = logging.LogRecord("lanekeeper.x", logging.INFO, "", 0, "z" * 3000, None, None)
    for _ in range(500):
        LOGGER.info("y" * 3000)
        other.emit(record)
    other.close()
    assert {one.name for one in tmp_path.iterdir()} == {"worker.log", "worker.log.1"}
    for one in tmp_path.iterdir():
        assert one.stat().st_size < logs.FILE_MAX + 2 * logs.LINE_MAX
        assert {line[-1] for line in one.read_text().splitlines()} <= {"y", "z"}


def test_full_disk_drops_lines_and_nothing_else() -> None:
    handler = logs.LogFile(Path("/dev/full"))
    handler.setFormatter(logs.TextLines("x"))
    record = logging.LogRecord("lanekeeper.x", logging.INFO, "", 0, "text", None, None)
    handler.emit(record)
    assert handler.dropped == 1
    handler.close()


def test_unknown_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="level"):
        logs.configure("x", tmp_path / "x.log", "loud", "text")
    with pytest.raises(ValueError, match="format"):
        logs.configure("x", tmp_path / "x.log", "info", "xml")


def test_writer_that_was_stopped_while_it_moved_the_file_stops_no_other(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    path.write_bytes(b"x" * logs.FILE_MAX)
    logs.configure("worker", path, "info", "text")
    with path.open("ab") as stopped:
        fcntl.flock(stopped, fcntl.LOCK_EX)
        LOGGER.info("meanwhile")
        assert path.read_text().endswith("meanwhile\n")
    LOGGER.info("afterwards")
    assert path.read_text().endswith("afterwards\n")
    assert path.with_name("worker.log.1").read_text().endswith("meanwhile\n")
