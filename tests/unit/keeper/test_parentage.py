"""Programs that became the keeper's own: reaped once nobody can ask any more how they ended."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from lanekeeper.keeper import identity
from lanekeeper.keeper.parentage import Parentage


class Vault:
    """The pidfds of programs, by lane."""

    def __init__(self) -> None:
        """Start one program, which has ended with 7."""
        self.process = subprocess.Popen(["sh", "-c", "exit 7"])
        self.entries = [("lane_a", os.pidfd_open(self.process.pid))]
        self.owned = list(self.entries)
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
        self.parentage = Parentage(lambda: self.entries)
        self.parentage.look()

    def reaped(self) -> bool:
        """Whether nobody can tell any more how it ended."""
        return identity.start_time(self.process.pid, zombies=True) is None


@pytest.fixture
def vault() -> Iterator[Vault]:
    made = Vault()
    yield made
    for _, pidfd in made.owned:
        os.close(pidfd)
    made.process.wait()


def test_end_is_told_until_a_worker_has_heard_it(vault: Vault) -> None:
    for _ in range(2):
        vault.parentage.look()
        assert [(one.lane_id, one.code) for one in vault.parentage.untold()] == [("lane_a", 7)]
    vault.parentage.told(vault.process.pid)
    assert vault.parentage.untold() == []


def test_program_is_reaped_when_its_worker_has_noted_its_end(vault: Vault) -> None:
    vault.parentage.told(vault.process.pid)
    vault.parentage.look()
    assert vault.parentage.untold() == []
    assert not vault.reaped(), "the worker may die before it has noted that"
    assert vault.process.pid in vault.parentage
    vault.entries.clear()
    vault.parentage.untold()
    assert vault.reaped()
    assert vault.process.pid not in vault.parentage


def test_program_of_a_lane_that_is_gone_is_reaped(vault: Vault) -> None:
    vault.entries.clear()
    assert vault.parentage.untold() == []
    assert vault.reaped()


def test_end_that_nobody_was_told_waits_for_a_worker_of_its_lane(vault: Vault) -> None:
    vault.entries[:] = [("lane_a", vault.owned[0][1] + 1000)]
    assert [one.code for one in vault.parentage.untold()] == [7]
    assert not vault.reaped()


def test_number_of_a_descriptor_that_is_anothers_now_keeps_nothing(vault: Vault) -> None:
    vault.parentage.told(vault.process.pid)
    with subprocess.Popen(["sleep", "1000"]) as other:
        pidfd = os.pidfd_open(other.pid)
        os.dup2(pidfd, vault.owned[0][1], inheritable=False)
        os.close(pidfd)
        vault.parentage.look()
        vault.parentage.untold()
        other.kill()
    assert vault.reaped()
    assert vault.process.pid not in vault.parentage
