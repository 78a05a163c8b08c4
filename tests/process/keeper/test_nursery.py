"""Terminal children through a real nursery: gate, surroundings, how they end."""

import errno
import os
import resource
import select
from pathlib import Path

import pytest

from lanekeeper.keeper import identity
from process.keeper.plane import TIMEOUT, Peer, Plane, read_until, terminal, until


@pytest.fixture
def nursery(plane: Plane) -> Peer:
    return plane.nursery()


def test_status_is_told_and_the_child_reaped_on_demand(nursery: Peer) -> None:
    with terminal(nursery, ["/bin/sh", "-c", "exit 7"]) as child:
        spawned = nursery.expect("spawned", id="s")
        child.open_gate()
        assert child.error() is None
        exited = nursery.expect("exited").message
        pid = exited["pid"]
        assert exited == {
            "op": "exited",
            "pid": spawned.message["pid"],
            "start_time": spawned.message["start_time"],
            "code": 7,
            "signal": None,
            "core": False,
        }
        readable, _, _ = select.select([spawned.fds[0]], [], [], TIMEOUT)
        assert readable, "the pidfd shows the end"
        assert identity.start_time(pid, zombies=True) == exited["start_time"]
        nursery.ask({"op": "reap", "id": "r", "pid": pid})
        until(lambda: identity.start_time(pid, zombies=True) is None, "the child to be reaped")
        spawned.close()


def test_end_without_an_owner_is_kept_for_who_claims_it(plane: Plane) -> None:
    nursery = plane.nursery()
    with terminal(nursery, ["/bin/sh", "-c", "read line; exit 7"]) as child:
        spawned = nursery.expect("spawned")
        spawned.close()
        child.open_gate()
        assert child.error() is None
        nursery.close()
        os.write(child.master, b"\n")
        pid, started = spawned.message["pid"], spawned.message["start_time"]
        until(lambda: identity.start_time(pid) is None, "the child to end")
        heir = plane.nursery()
        who = {"pid": pid, "start_time": started}
        heir.ask({"op": "claim", "id": 2, **who})
        claimed = heir.expect("claimed", id=2)
        readable, _, _ = select.select([claimed.fds[0]], [], [], TIMEOUT)
        assert readable
        claimed.close()
        assert heir.expect("exited", **who).message["code"] == 7
        heir.ask({"op": "reap", "id": 3, "pid": pid})
        until(lambda: identity.start_time(pid, zombies=True) is None, "the child to be reaped")
        heir.ask({"op": "claim", "id": 4, **who})
        assert heir.expect("error", id=4).message["code"] == "NOT_FOUND"


def test_running_child_is_claimed_from_an_owner_that_hangs(plane: Plane) -> None:
    first, heir = plane.nursery(), plane.nursery()
    with terminal(first, ["/bin/sh", "-c", "read line; kill -9 $$"]) as child:
        spawned = first.expect("spawned")
        spawned.close()
        child.open_gate()
        assert child.error() is None
        who = {"pid": spawned.message["pid"], "start_time": spawned.message["start_time"]}
        heir.ask({"op": "claim", "id": 2, **who, "start_time": who["start_time"] - 1})
        assert heir.expect("error", id=2).message["code"] == "NOT_FOUND"
        heir.ask({"op": "claim", "id": 3, **who})
        heir.expect("claimed", id=3).close()
        first.close()
        os.write(child.master, b"\n")
        assert heir.expect("exited", **who).message["signal"] == 9


def test_nobody_claims_what_a_lane_that_ended_has_left(plane: Plane) -> None:
    nursery = plane.nursery()
    with terminal(nursery, ["/bin/sh", "-c", "read line"]) as child:
        spawned = nursery.expect("spawned")
        spawned.close()
        child.open_gate()
        assert child.error() is None
        nursery.ask({"op": "forget", "lane_id": "lane_test"})
        nursery.close()
        os.write(child.master, b"\n")
        pid = spawned.message["pid"]
        until(lambda: identity.start_time(pid, zombies=True) is None, "the child to be reaped")


def test_shut_gate_means_no_exec_and_is_told_from_a_program_that_succeeds(nursery: Peer) -> None:
    with terminal(nursery, ["/bin/sh", "-c", "echo ran; exit 9"]) as child:
        nursery.expect("spawned").close()
        child.shut_gate()
        error = child.error()
        assert error is not None
        assert (error["stage"], error["errno"]) == ("gate", errno.ECANCELED)
        assert nursery.expect("exited").message["code"] == 127


@pytest.mark.parametrize(
    ("program", "spec", "stage", "number"),
    [
        ("no-such-program", {}, "exec", errno.ENOENT),
        ("/etc/passwd", {}, "exec", errno.EACCES),
        ("true", {"cwd": "/no/such/place"}, "chdir", errno.ENOENT),
        ("true", {"limits": [[resource.RLIMIT_NOFILE, 10, 5]]}, "limits", errno.EINVAL),
    ],
)
def test_failure_before_the_program_is_told(
    nursery: Peer, program: str, spec: dict[str, object], stage: str, number: int
) -> None:
    with terminal(nursery, [program], **spec) as child:
        nursery.expect("spawned").close()
        child.open_gate()
        error = child.error()
        assert error is not None
        assert (error["stage"], error["errno"]) == (stage, number)
        assert error["strerror"]
        assert nursery.expect("exited").message["code"] == 127


def test_specification_that_is_none_is_refused(nursery: Peer) -> None:
    with terminal(nursery, [], cwd=7):
        failed = nursery.expect("failed", id="s").message
        assert failed["errno"] == errno.EINVAL
    nursery.ask({"op": "spawn", "id": "n", "stdin": "tty"})
    assert nursery.expect("error", id="n").message["code"] == "INVALID_ARGUMENT"


def test_child_holds_nothing_but_its_terminal(nursery: Peer) -> None:
    script = 'tty; cut -d" " -f5,6 /proc/$$/stat; echo ready; read line'
    with terminal(nursery, ["/bin/sh", "-c", script]) as child:
        spawned = nursery.expect("spawned")
        spawned.close()
        pid = spawned.message["pid"]
        name = os.ttyname(child.slave)
        child.open_gate()
        lines = read_until(child.master, b"ready").decode().split("\n")
        # Some shells keep the terminal at 10 or 255 too.
        held = {int(fd.name): os.fspath(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()}
        os.write(child.master, b"\n")
        nursery.expect("exited")
    assert {0, 1, 2} <= held.keys() <= {0, 1, 2, 10, 255}
    assert set(held.values()) <= {name, "/dev/tty"}
    assert lines[:2] == [name, f"{pid} {pid}"]


def test_child_gets_its_surroundings(nursery: Peer) -> None:
    script = (
        'pwd; umask; ulimit -n; echo "$NAME"; grep -E "Sig(Ign|Blk)" /proc/self/status; echo done'
    )
    with terminal(
        nursery,
        ["sh", "-c", script],
        cwd="/usr",
        env={"PATH": "/bin:/usr/bin", "NAME": "caf\udce9"},
        umask=0o027,
        limits=[[resource.RLIMIT_NOFILE, 99, 100]],
    ) as child:
        nursery.expect("spawned").close()
        child.open_gate()
        lines = read_until(child.master, b"done").split(b"\n")
    assert lines[:4] == [b"/usr", b"0027", b"99", b"caf\xe9"]
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(b"Sig")]
    # The C library keeps 32 and 33 for itself; nobody can reset those.
    assert [mask & ~(0b11 << 31) for mask in masks] == [0, 0]


def test_child_without_limits_gets_those_of_who_started_the_plane(nursery: Peer) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    with terminal(nursery, ["sh", "-c", "ulimit -n; echo done"]) as child:
        nursery.expect("spawned").close()
        child.open_gate()
        assert read_until(child.master, b"done").split(b"\n")[0] == str(soft).encode()


def test_orphans_are_reaped(nursery: Peer) -> None:
    script = "sh -c 'sh -c \"echo pid=\\$\\$; exit 3\" & exit' ; read line"
    with terminal(nursery, ["sh", "-c", script]) as child:
        nursery.expect("spawned").close()
        child.open_gate()
        said = read_until(child.master, b"\n")
        pid = int(said.partition(b"pid=")[2])
        until(lambda: identity.start_time(pid, zombies=True) is None, "the orphan to be reaped")
        os.write(child.master, b"\n")
        nursery.expect("exited")
