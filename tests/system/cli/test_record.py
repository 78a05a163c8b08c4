"""`lane record`: what was printed, as it came, for asciinema."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from kit.cluster import Plane

SCRIPT = "printf 'one tw\\303\\266\\n'; sleep 0.6; stty size; read x; stty size; exit 3"


def events(text: str) -> tuple[dict[str, Any], list[Any]]:
    header, *lines = map(json.loads, text.splitlines())
    return header, lines


def text_of(lines: list[Any]) -> str:
    return "".join(text for _, code, text in lines if code == "o")


def recorded(plane: Plane, *options: str) -> tuple[dict[str, Any], list[Any]]:
    done = plane.lane("record", "rec", *options)
    assert done.returncode == 0, done.stderr
    return events(done.stdout)


def run(plane: Plane, *words: str) -> None:
    done = plane.lane(*words)
    assert done.returncode == 0, done.stderr


def test_times_and_sizes_are_those_of_the_program(shared_plane: Plane, tmp_path: Path) -> None:
    run(shared_plane, "run", "-d", "rec", "--", "sh", "-c", SCRIPT)
    run(shared_plane, "wait", "rec", "--match", "[0-9]+ [0-9]+", "--from", "0", "--timeout", "20")
    run(shared_plane, "resize", "rec", "100x30")
    run(shared_plane, "send", "rec", "x", "--enter")
    run(shared_plane, "wait", "rec", "--timeout", "20")
    header, lines = recorded(shared_plane)
    assert header["version"] == 2
    assert header["command"].startswith("sh -c")
    assert "lost" not in header["lanekeeper"]
    times = [at for at, _, _ in lines]
    assert times == sorted(times)
    assert times[0] == 0
    second = next(at for at, code, _ in lines if code == "o" and at > 0)
    assert 0.5 < second < 3
    assert "one tw\u00f6\r\n" in text_of(lines)
    size = lines.index(next(line for line in lines if line[1] == "r"))
    assert lines[size][2] == "100x30"
    assert "30 100" not in text_of(lines[:size])
    assert "30 100" in text_of(lines[size:])
    path = tmp_path / "new.cast"
    run(shared_plane, "record", "rec", "-o", str(path))
    assert events(path.read_text("utf-8"))[1] == lines
    assert path.stat().st_mode & 0o077 == 0
    again = shared_plane.lane("record", "rec", "-o", str(path))
    assert (again.returncode, "ALREADY_EXISTS" in again.stderr) == (5, True)


@pytest.mark.needs("asciinema")
def test_asciinema_plays_it(shared_plane: Plane, tmp_path: Path) -> None:
    path = tmp_path / "play.cast"
    script = "printf 'a\\033[1mb\\033[0m\\n'; sleep 0.5; seq 1 2000"
    run(shared_plane, "run", "-d", "rec", "--", "sh", "-c", script)
    run(shared_plane, "wait", "rec", "--timeout", "20")
    run(shared_plane, "record", "rec", "-o", str(path))
    output = shared_plane.lane_bytes("read", "rec", "--raw").stdout
    with shared_plane.connect() as plane:
        env = shared_plane.env | {"LC_ALL": "C.UTF-8", "ASCIINEMA_CONFIG_HOME": str(tmp_path)}
        before = time.monotonic()
        played = plane.lane("play").run(["asciinema", "play", str(path)], env=env, stdin="tty")
    assert played.code == 0, played.output
    assert time.monotonic() - before > 0.5
    assert output.replace(b"\r\n", b"\n") in played.output.replace(b"\r", b"")


def test_following_goes_on_to_the_end(shared_plane: Plane) -> None:
    script = "echo old; sleep 0.5; echo mid; sleep 0.5; echo new"
    run(shared_plane, "run", "-d", "rec", "--", "sh", "-c", script)
    run(shared_plane, "wait", "rec", "--match", "mid", "--from", "0", "--timeout", "20")
    _, lines = recorded(shared_plane, "--follow")
    assert text_of(lines) == "old\r\nmid\r\nnew\r\n"
    assert lines[-1][0] > 0.8


def test_what_is_gone_is_said(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        terminal = plane.lane("rec").spawn(["seq", "1", "60000"], capacity=65536)
        terminal.wait(20)
        tail = terminal.refresh().tail
        whole = terminal.read().data
    header, lines = recorded(shared_plane)
    assert header["lanekeeper"]["lost"] == tail
    assert lines[0][1:] == ["m", f"{tail} bytes of output are gone"]
    assert text_of(lines).encode().startswith(whole[:1000])
    done = shared_plane.lane("record", "rec", "--from", str(tail))
    assert "lost" not in events(done.stdout)[0]["lanekeeper"]


def test_a_terminal_that_printed_nothing_is_a_recording_too(shared_plane: Plane) -> None:
    run(shared_plane, "run", "-d", "rec", "--", "true")
    run(shared_plane, "wait", "rec", "--timeout", "20")
    header, lines = recorded(shared_plane)
    assert (header["version"], lines) == (2, [])
