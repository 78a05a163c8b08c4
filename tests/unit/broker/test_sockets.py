"""Listening anew where paths were deleted, with real sockets."""

import shutil
import socket
from collections.abc import Iterator

import pytest
import zmq

from kit import places
from lanekeeper.broker.sockets import Sockets, bind
from lanekeeper.keeper.rundir import Rundir


@pytest.fixture
def rundir() -> Iterator[Rundir]:
    made = Rundir(places.private_directory())
    yield made
    places.remove(made.path)


@pytest.fixture
def sockets(rundir: Rundir) -> Iterator[Sockets]:
    with zmq.Context() as context:
        bound = bind(context, rundir, {})
        yield bound
        bound.close()


def test_what_cannot_be_bound_anew_listens_on_as_before(rundir: Rundir, sockets: Sockets) -> None:
    shutil.rmtree(rundir.path)
    with pytest.raises(OSError, match="No such file"):
        sockets.rebind(rundir)
    for listener in sockets.listeners.values():
        with socket.socket(fileno=listener) as kept:
            assert kept.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            kept.detach()
    rundir.path.mkdir(mode=0o700)
    assert sockets.rebind(rundir)
    assert not sockets.rebind(rundir)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(rundir.broker_sock))
