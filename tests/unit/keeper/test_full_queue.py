"""A listener with as many peers in its queue as it takes: nobody waits for it without an end."""

import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from lanekeeper.cli import keeper_link
from lanekeeper.cli.errors import CliError
from lanekeeper.keeper import link
from lanekeeper.keeper.channel import connect
from lanekeeper.keeper.rundir import Rundir


@pytest.fixture
def full() -> Iterator[tuple[Rundir, socket.socket]]:
    """Yield a keeper that accepts nobody, its queue full."""
    with tempfile.TemporaryDirectory(prefix="lk") as directory, ExitStack() as ends:
        rundir = Rundir(Path(directory))
        listener = ends.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        listener.bind(str(rundir.keeper_sock))
        listener.listen(0)
        first = ends.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        first.connect(str(rundir.keeper_sock))
        yield rundir, listener


def test_nobody_waits_who_can_come_again(full: tuple[Rundir, socket.socket]) -> None:
    with pytest.raises(BlockingIOError):
        connect(full[0].keeper_sock)


def test_who_is_patient_waits_that_long(full: tuple[Rundir, socket.socket]) -> None:
    began = time.monotonic()
    with pytest.raises(BlockingIOError):
        connect(full[0].keeper_sock, 0.2)
    assert time.monotonic() - began >= 0.19


def test_who_is_patient_is_let_in(full: tuple[Rundir, socket.socket]) -> None:
    rundir, listener = full
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(connect, rundir.keeper_sock, 30.0)
        listener.accept()[0].close()
        with closing(coming.result(30)) as channel:
            channel.send({"op": "hello"})
            with listener.accept()[0] as peer:
                assert peer.recv(100) == b'{"op":"hello"}'


def test_daemon_does_not_take_a_keeper_that_is_busy_for_none(
    full: tuple[Rundir, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "WELCOME_SECONDS", 0.05)
    with pytest.raises(link.SilentKeeperError):
        link.Link(full[0], "broker").open(0.0)


def test_command_line_says_so(
    full: tuple[Rundir, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_link, "HELLO_SECONDS", 0.05)
    with pytest.raises(CliError, match="accepts nobody"):
        keeper_link.reach(full[0])
