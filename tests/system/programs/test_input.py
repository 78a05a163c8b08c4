"""Input arrives whole or is refused with a reason: pastes, pipes, programs that do not read."""

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from kit.cluster import LANE, Plane
from kit.waiting import wait_until
from lanekeeper.client import Conflict, LaneError, TimedOut

MEGA = 1024 * 1024
RAW = "stty raw -echo; echo ready; exec head -c {size} > {path}"
LINES = "echo ready; exec cat > {path}"
BRACKETS = r"stty raw -echo; printf '\033[?2004hready'; exec head -c {size} | od -An -c"


def text_lines(size: int) -> bytes:
    """Return numbered lines of different lengths, the longest just within canonical mode."""
    lines, length, number = [], 0, 0
    while length < size:
        line = b"%d " % number + b"x" * (number * 37 % 4080) + b"\n"
        lines.append(line)
        length += len(line)
        number += 1
    return b"".join(lines)


def start(plane: Plane, name: str, script: str, path: Path | str = "", size: int = 0) -> None:
    command = script.format(path=path, size=size)
    done = plane.lane("run", "-d", name, "--", "sh", "-c", command)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: "ready" in plane.lane("read", name).stdout, 20.0, "program that is ready")


def send_file(
    plane: Plane, name: str, data: bytes, *options: str
) -> subprocess.CompletedProcess[str]:
    source = plane.base / f"{name}.in"
    source.write_bytes(data)
    with source.open("rb") as stdin:
        return subprocess.run(
            [LANE, "send", name, "--stdin", *options],
            check=False,
            stdin=stdin,
            env=plane.env,
            capture_output=True,
            text=True,
            timeout=50,
        )


@pytest.mark.parametrize("how", ["raw", "canonical"])
def test_ten_megabytes_arrive_whole(shared_plane: Plane, how: str) -> None:
    path = shared_plane.base / f"paste.{how}"
    if how == "raw":
        data = os.urandom(10 * MEGA)
        start(shared_plane, how, RAW, path, len(data))
        done = send_file(shared_plane, how, data)
    else:
        data = text_lines(10 * MEGA)
        start(shared_plane, how, LINES, path)
        done = send_file(shared_plane, how, data, "--eof")
    assert done.returncode == 0, done.stderr
    assert shared_plane.lane("wait", how, "--exit", "--timeout", "30").returncode == 0
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(data).digest()


def test_a_line_that_canonical_mode_cuts_is_refused_with_what_went_before(
    shared_plane: Plane,
) -> None:
    path = shared_plane.base / "cut"
    start(shared_plane, "cut", LINES, path)
    before = text_lines(MEGA)
    done = send_file(shared_plane, "cut", before + b"x" * 5000 + b"\n")
    assert done.returncode == 3
    assert "4095" in done.stderr
    assert "sent before" in done.stderr
    assert shared_plane.lane("send", "cut", "--eof").returncode == 0
    assert before.startswith(path.read_bytes())


def test_a_pipe_waits_for_a_program_that_reads_slowly(shared_plane: Plane) -> None:
    path = shared_plane.base / "slow"
    script = (
        "stty raw -echo; echo ready; while :; do "
        "dd bs=4096 count=16 iflag=fullblock >> {path} 2>/dev/null || exit; done"
    )
    start(shared_plane, "slow", script, path)
    data = os.urandom(2 * MEGA)
    with subprocess.Popen(
        [LANE, "send", "slow", "--stdin"], stdin=subprocess.PIPE, env=shared_plane.env
    ) as sender:
        assert sender.stdin is not None
        for start_at in range(0, len(data), 10_000):
            sender.stdin.write(data[start_at : start_at + 10_000])
        sender.stdin.close()
        assert sender.wait(40) == 0
    wait_until(lambda: path.stat().st_size == len(data), 20.0, "whole file")
    assert path.read_bytes() == data


def test_many_senders_wait_for_room_and_none_is_cut(shared_plane: Plane) -> None:
    path = shared_plane.base / "many"
    count, size = 24, 64 * 1024
    script = "stty raw -echo; echo ready; kill -STOP $$; exec head -c {size} > {path}"
    start(shared_plane, "many", script, path, count * size)
    with shared_plane.connect() as plane:
        senders = [plane.terminal("many") for _ in range(count)]
        pieces = [bytes([number]) * size for number in range(count)]
        sent = [one.send_nowait(piece) for one, piece in zip(senders, pieces, strict=True)]
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            plane.wait(timeout=0.1)
        assert not all(one.done for one in sent)
        senders[0].signal("CONT", target="leader")
        assert [one.wait(30) for one in sent] == [size] * count
        senders[0].wait(20)
    got = path.read_bytes()
    assert sorted(got[i * size : (i + 1) * size] for i in range(count)) == pieces


def test_a_program_that_does_not_read_makes_the_sender_wait_no_longer_than_it_wants(
    shared_plane: Plane,
) -> None:
    start(shared_plane, "deaf", "stty raw -echo; echo ready; exec sleep 100")
    with shared_plane.connect() as plane:
        terminal = plane.terminal("deaf")
        with pytest.raises(TimedOut) as late:
            terminal.send(bytes(MEGA), timeout=0.5)
        assert late.value.details["delivered"] == 0


def test_a_program_that_exits_refuses_what_it_did_not_read(shared_plane: Plane) -> None:
    start(shared_plane, "exits", "stty raw -echo; echo ready; exec sleep 100")
    with shared_plane.connect() as plane:
        terminal = plane.terminal("exits")
        sent = terminal.send_nowait(bytes(MEGA))
        terminal.signal(signal.SIGKILL, target="leader")
        with pytest.raises(LaneError) as refused:
            sent.wait(20)
        assert refused.value.code in {"INVALID_TRANSITION", "TERMINAL_NOT_FOUND"}


def test_a_pipe_for_standard_input_gets_every_byte(shared_plane: Plane) -> None:
    data = os.urandom(10 * MEGA)
    with shared_plane.connect() as plane:
        done = plane.lane("piped").run(["sha256sum"], input=data, timeout=40)
    assert done.output.decode().split()[0] == hashlib.sha256(data).hexdigest()


def test_a_paste_is_bracketed_only_for_a_program_that_asked(shared_plane: Plane) -> None:
    size = len("\x1b[200~two words\x1b[201~")
    start(shared_plane, "asks", BRACKETS, size=size)
    assert shared_plane.lane("send", "asks", "--paste", "two words").returncode == 0
    shared_plane.lane("wait", "asks", "--exit", "--timeout", "20")
    seen = "".join(shared_plane.lane("read", "asks").stdout.split())
    assert "033[200~twowords033[201~" in seen
    start(shared_plane, "plain", "stty raw -echo; echo ready; exec head -c 9 | od -An -c")
    assert shared_plane.lane("send", "plain", "--paste", "two words").returncode == 0
    shared_plane.lane("wait", "plain", "--exit", "--timeout", "20")
    assert "200~" not in shared_plane.lane("read", "plain").stdout


def test_a_large_paste_is_bracketed_once(shared_plane: Plane) -> None:
    path = shared_plane.base / "pasted"
    data = text_lines(300_000)
    script = r"stty raw -echo; printf '\033[?2004hready'; exec head -c {size} > {path}"
    start(shared_plane, "large", script, path, len(data) + 12)
    assert send_file(shared_plane, "large", data, "--paste").returncode == 0
    shared_plane.lane("wait", "large", "--exit", "--timeout", "20")
    assert path.read_bytes() == b"\x1b[200~" + data + b"\x1b[201~"


def test_a_client_program_holds_the_writer_lease(shared_plane: Plane) -> None:
    start(shared_plane, "agent", "echo ready; exec cat")
    with shared_plane.connect() as plane, shared_plane.connect() as other:
        mine, theirs = plane.terminal("agent"), other.terminal("agent")
        with mine.lease() as writer:
            assert mine.send("mine\n") == 5
            with pytest.raises(Conflict) as refused:
                theirs.send("theirs\n")
            assert refused.value.code == "NOT_WRITER"
            with pytest.raises(Conflict):
                theirs.lease()
            with theirs.lease(take=True):
                wait_until(lambda: plane.step() and writer.lost, 10.0, "word of the loss")
                assert theirs.send("theirs\n") == 7
                with pytest.raises(Conflict):
                    mine.send("late\n")
        assert mine.send("free\n") == 5
