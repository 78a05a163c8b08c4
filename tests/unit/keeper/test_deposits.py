"""What a process says of its descriptors to the vault, and when it may take them for kept."""

import socket
from collections.abc import Iterator

import pytest

from lanekeeper.keeper.channel import Channel
from lanekeeper.keeper.deposits import Deposits


@pytest.fixture
def ends() -> Iterator[tuple[Deposits, Channel]]:
    near, far = (Channel(one) for one in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    deposits = Deposits()
    deposits.use(near)
    yield deposits, far
    near.close()
    far.close()


def heard(far: Channel) -> list[tuple[str, list[str]]]:
    """Return what has been said: name and kinds of each deposit, whose descriptors are closed."""
    found = []
    for received in far.receive():
        assert len(received.fds) == len(received.message["kinds"])
        found.append((received.message["name"], received.message["kinds"]))
        received.close()
    return found


def fds(*kinds: str) -> dict[str, int]:
    return dict.fromkeys(kinds, 0)


def test_entry_that_grows_is_said_by_what_is_new(ends: tuple[Deposits, Channel]) -> None:
    deposits, far = ends
    deposits.put("term", fds("master", "log"))
    deposits.put("term", fds("pidfd"))
    assert heard(far) == [("term", ["master", "log"]), ("term", ["pidfd"])]
    assert deposits.held == 3
    deposits.answered({"op": "deposited", "id": 1})
    assert not deposits.sure("term")
    deposits.answered({"op": "deposited", "id": 2})
    assert deposits.sure("term")


def test_entry_that_was_refused_is_said_again_as_a_whole(ends: tuple[Deposits, Channel]) -> None:
    deposits, far = ends
    deposits.put("term", fds("master", "log"))
    assert deposits.answered({"op": "error", "id": 1}) == "term"
    deposits.put("term", fds("pidfd"))
    assert heard(far)[1:] == [("term", ["master", "log", "pidfd"])]
    assert not deposits.sure("term")


def test_new_keeper_is_given_everything(ends: tuple[Deposits, Channel]) -> None:
    deposits, far = ends
    deposits.put("journal", fds("journal"))
    deposits.put("term", fds("master"))
    deposits.put("term", fds("pidfd"))
    heard(far)
    near, other = (Channel(one) for one in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    deposits.close()
    deposits.drop("term", ["master"])
    deposits.put("lane", fds("output"))
    deposits.open(near)
    assert heard(other) == [("journal", ["journal"]), ("term", ["pidfd"]), ("lane", ["output"])]
    near.close()
    other.close()


def test_what_is_released_before_it_was_said_is_not_said(ends: tuple[Deposits, Channel]) -> None:
    deposits, far = ends
    deposits.close()
    deposits.put("term", fds("master", "log"))
    deposits.drop("term", ["master"])
    assert deposits.held == 1
    deposits.drop("term")
    assert deposits.held == 0
    deposits.put("other", fds("log"))
    assert not heard(far)
