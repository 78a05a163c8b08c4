"""Output on its way: bytes, history, safe words, JSON lines; and a stdout that is not read."""

import base64
import json
import os
import select
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.cli.render import Bytes, History, Lines, Words
from lanekeeper.cli.sink import HIGH_WATER, Sink
from lanekeeper.client import Data, Ended, ExitStatus, Gap, Item, Resized

EXIT = ExitStatus(kind="exited", code=3)


def test_bytes_are_bytes() -> None:
    renderer = Bytes(tty=False)
    data = bytes(range(256))
    assert renderer.render(Data(0, data)) == data
    assert renderer.render(Resized(80, 24)) == b""
    assert renderer.undo() == b""


def test_a_terminal_is_put_right_afterwards() -> None:
    renderer = Bytes(tty=True)
    renderer.render(Data(0, b"\x1b[?1049h"))
    assert b"\x1b[?1049l" in renderer.undo()


@given(until=st.integers(0, 30), cut=st.integers(0, 30))
def test_only_history_loses_its_questions(until: int, cut: int) -> None:
    data = b"one\x1b[6ntwo\x1b[cthree\x1b[6n"
    renderer = History(until)
    shown = renderer.render(Data(0, data[:cut])) + renderer.render(Data(cut, data[cut:]))
    if until == 0:
        assert shown == data
    elif until >= len(data):
        assert shown == b"onetwothree" or until > len(data)
    else:
        assert shown.endswith(data[until:])


def test_live_output_keeps_its_questions() -> None:
    renderer = History(3)
    assert renderer.render(Data(0, b"old\x1b[6n")) == b"old\x1b[6n"
    assert renderer.render(Data(7, b"\x1b[6n")) == b"\x1b[6n"


def test_words_for_a_person() -> None:
    renderer = Words(color=False)
    assert renderer.render(Data(0, b"a\x1b]0;t\x07b")) == b"ab"
    assert renderer.render(Ended(2, EXIT)) == b""


def test_lines_for_programs() -> None:
    renderer = Lines()
    items: list[Item] = [Data(5, b"\xff\n"), Gap(7, 9), Resized(80, 24), Ended(9, EXIT)]
    told = [json.loads(renderer.render(item)) for item in items]
    assert base64.b64decode(told[0]["data"]) == b"\xff\n"
    assert told[1] == {"schema": 1, "event": "gap", "start": 7, "end": 9}
    assert told[2] == {"schema": 1, "event": "resized", "cols": 80, "rows": 24}
    assert (told[3]["event"], told[3]["returncode"], told[3]["exit"]["code"]) == ("exited", 3, 3)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that is closed afterwards."""
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            continue


def test_a_reader_that_stands_still_blocks_nobody(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    sink = Sink(writing)
    data = os.urandom(HIGH_WATER)
    sink.put(data)
    assert sink.waiting > 0
    assert os.get_blocking(writing), "the flags of the shell's descriptor stay as they were"
    taken = b""
    while len(taken) < len(data):
        taken += os.read(reading, 65536)
        sink.flush()
    assert taken == data
    assert sink.waiting == 0
    sink.close()


def test_full_means_that_a_bound_was_hit(pipe: tuple[int, int]) -> None:
    sink = Sink(pipe[1])
    sink.put(b"x" * (HIGH_WATER * 2))
    assert sink.full
    sink.close()


def test_a_reader_that_has_gone_is_noticed(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    sink = Sink(pipe[1])
    with pytest.raises(BrokenPipeError):
        sink.put(b"x")
    sink.close()


def test_a_file_takes_everything(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("sink") / "out"
    with path.open("ab") as file:
        file.write(b"before ")
        file.flush()
        sink = Sink(file.fileno())
        sink.put(b"after")
        sink.close()
    assert path.read_bytes() == b"before after"


def test_the_sink_is_writable_when_there_is_room(pipe: tuple[int, int]) -> None:
    sink = Sink(pipe[1])
    poller = select.poll()
    poller.register(sink.fileno(), select.POLLOUT)
    assert poller.poll(0)
    sink.close()


def test_the_last_words_follow_what_waits_for_a_pipe(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    sink = Sink(writing)
    data = os.urandom(HIGH_WATER)
    sink.put(data)
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read_exactly, reading, len(data) + 3)
        sink.leave(b"bye", 5.0)
        sink.close()
        assert reader.result(5) == data + b"bye"


def test_leaving_waits_for_a_reader_only_so_long(pipe: tuple[int, int]) -> None:
    sink = Sink(pipe[1])
    sink.put(b"x" * HIGH_WATER)
    began = time.monotonic()
    sink.leave(b"bye", 0.1)
    assert 0.1 <= time.monotonic() - began < 2
    sink.close()


def read_exactly(descriptor: int, size: int) -> bytes:
    taken = b""
    while len(taken) < size:
        taken += os.read(descriptor, 65536)
    return taken
