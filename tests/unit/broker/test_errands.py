"""Looking and cleaning beside strangers: nothing that they do ends the broker."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanekeeper.broker import errands
from lanekeeper.broker.stimuli import Tidy
from lanekeeper.keeper.facts import Finding, Kind
from lanekeeper.keeper.rundir import Rundir


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
        facts = errands.look(plane).facts
    assert facts is not None
    assert [(one.directory, one.unheard) for one in facts.places[:1]] == [(str(plane.path), ())]


def test_what_fails_in_a_look_is_told_as_that() -> None:
    assert errands.look(Rundir(Path("/run/no\0path"))).facts is None


def test_what_cannot_be_cleaned_is_told_and_the_rest_is_cleaned(tmp_path: Path) -> None:
    stale = tmp_path / "stale"
    stale.touch()
    findings = [
        Finding(name, Kind.SOCKET, str(tmp_path), "text", "remedy", (), paths=(path,))
        for name, path in (("orphan_a", "/run/no\0path"), ("orphan_b", str(stale)))
    ]
    failed, done = errands.clean(Tidy("key", findings)).outcomes
    assert (failed.id, failed.removed, "null" in failed.error) == ("orphan_a", 0, True)
    assert (done.id, done.removed, done.error) == ("orphan_b", 1, "")
    assert not stale.exists()
