"""Looking and cleaning beside strangers: nothing that they do ends the broker."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lanekeeper.broker.errands import Errands
from lanekeeper.broker.stimuli import Look, Looked, Tidied, Tidy
from lanekeeper.keeper import survey
from lanekeeper.keeper.facts import Facts, Finding, Kind
from lanekeeper.keeper.identity import start_time
from lanekeeper.keeper.rundir import Rundir


def done(errands: Errands, *, turns: int = 100_000) -> Looked | Tidied:
    """Let turns pass until something has come to its end."""
    for _ in range(turns):
        ended = errands.turn()
        if ended is not None:
            return ended
    raise AssertionError(turns)


def look(rundir: Rundir) -> Facts | None:
    errands = Errands(rundir)
    errands.begin(Look())
    looked = done(errands)
    assert isinstance(looked, Looked)
    assert not errands.busy
    return looked.facts


def clean(rundir: Rundir, findings: list[Finding]) -> Tidied:
    errands = Errands(rundir)
    errands.begin(Tidy("key", findings))
    tidied = done(errands)
    assert isinstance(tidied, Tidied)
    return tidied


@pytest.fixture
def hostile() -> Iterator[None]:
    """A socket of anybody's whose name looks like another line of /proc/net/unix, a wrong one."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(b"\0strange\n1 2 3 zz 5 6 7 /run/strange/broker.sock")
        listener.listen()
        yield


@pytest.mark.usefixtures("hostile")
def test_a_look_goes_on_beside_a_socket_with_a_strange_name(tmp_path: Path) -> None:
    plane = Rundir(tmp_path / "plane")
    plane.path.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(plane.broker_sock))
        listener.listen()
        facts = look(plane)
    assert facts is not None
    assert [(one.directory, one.unheard) for one in facts.places[:1]] == [(str(plane.path), ())]


def test_what_fails_in_a_look_is_told_as_that() -> None:
    assert look(Rundir(Path("/run/no\0path"))) is None


def test_what_cannot_be_cleaned_is_told_and_the_rest_is_cleaned(tmp_path: Path) -> None:
    stale = tmp_path / "stale"
    stale.touch()
    findings = [
        Finding(name, Kind.SOCKET, str(tmp_path), "text", "remedy", (), paths=(path,))
        for name, path in (("orphan_a", "/run/no\0path"), ("orphan_b", str(stale)))
    ]
    failed, done = clean(Rundir(tmp_path), findings).outcomes
    assert (failed.id, failed.removed, "null" in failed.error) == ("orphan_a", 0, True)
    assert (done.id, done.removed, done.error) == ("orphan_b", 1, "")
    assert not stale.exists()


def test_a_look_is_done_a_step_at_a_time(tmp_path: Path) -> None:
    plane = Rundir(tmp_path / "plane")
    errands = Errands(plane, seconds=0.0)
    errands.begin(Look())
    assert errands.busy
    assert errands.turn() is None
    looked = done(errands)
    assert isinstance(looked, Looked)
    assert looked.facts is not None
    assert looked.facts.places[0] == survey.look(plane).places[0]


def test_a_look_under_way_begins_anew_and_after_what_is_to_be_cleaned(tmp_path: Path) -> None:
    errands = Errands(Rundir(tmp_path), seconds=0.0)
    errands.begin(Look())
    errands.turn()
    stale = tmp_path / "stale"
    stale.touch()
    found = Finding("orphan", Kind.SOCKET, str(tmp_path), "", "", (), paths=(str(stale),))
    errands.begin(Tidy("key", [found]))
    errands.begin(Look())
    assert isinstance(done(errands), Tidied)
    assert isinstance(done(errands), Looked)
    assert not errands.busy


def test_everything_is_struck_before_anything_is_waited_for(tmp_path: Path) -> None:
    with ExitStack() as stack:
        sleeping = [stack.enter_context(subprocess.Popen(["sleep", "1000"])) for _ in range(3)]
        for one in sleeping:
            stack.callback(one.kill)
        findings = [
            Finding(str(one.pid), Kind.CHILD, "", "", "", (), processes=(identity_of(one),))
            for one in sleeping
        ]
        errands = Errands(Rundir(tmp_path), seconds=0.0)
        errands.begin(Tidy("key", findings))
        for _ in sleeping:
            assert errands.turn() is None
        assert [one.wait(10.0) for one in sleeping] == [-signal.SIGKILL] * 3
        tidied = done(errands)
    assert isinstance(tidied, Tidied)
    assert [(one.killed, one.error) for one in tidied.outcomes] == [(1, "")] * 3


def identity_of(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    started = start_time(process.pid)
    assert started is not None
    return process.pid, started
