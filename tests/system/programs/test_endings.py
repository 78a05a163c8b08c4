"""How programs end, and that nothing of them stays: exit statuses, signals, daemons, closing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from kit import processes
from kit.cluster import Plane
from kit.observer import Observer
from kit.waiting import wait_exit, wait_until
from lanekeeper.client import Lane, LaneError, NotFound, Terminal
from lanekeeper.client import Plane as Connected

FLOOD = ["sh", "-c", "echo up; exec yes flood"]
DEAF = "trap '' HUP TERM INT; echo up $$; while :; do sleep 600; done"


@pytest.fixture
def client(shared_plane: Plane) -> Iterator[Connected]:
    with shared_plane.connect() as connected:
        yield connected


@pytest.fixture
def lane(client: Connected) -> Lane:
    return client.lane("ends")


def numbers_after(terminal: Terminal, word: bytes, count: int) -> list[int]:
    """Watch until the program has written `word PID` so many times; return the pids."""
    with Observer(terminal) as seen:
        seen.until(word, count=count)
        seen.until(b"\n", count=count)
    lines = [line.split() for line in bytes(seen.data).splitlines()]
    return [int(line[1]) for line in lines if line and line[0] == word]


def gone(pid: int) -> bool:
    found = processes.look(pid)
    return found is None or found.zombie


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_the_exit_code_is_the_programs(shared_plane: Plane, lane: Lane, code: int) -> None:
    assert lane.run(["sh", "-c", f"exit {code}"]).returncode == code
    done = shared_plane.lane("run", "ends", "--", "sh", "-c", f"exit {code}")
    assert done.returncode == code


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "KILL", "USR1", "SEGV", "PIPE", "TERM"])
def test_death_by_a_signal_is_told_as_one(lane: Lane, name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    done = lane.run(["sh", "-c", f"ulimit -c 0; kill -{name} $$"])
    assert (done.exit.kind, done.exit.signal, done.code) == ("signaled", number, None)
    assert done.returncode == 128 + number


def test_signals_are_at_their_defaults_in_the_program(lane: Lane) -> None:
    script = (
        "import signal\n"
        "odd = [s.name for s in signal.valid_signals() if isinstance(s, signal.Signals)\n"
        "       and signal.getsignal(s) == signal.SIG_IGN]\n"
        "print(odd, signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    )
    # Python ignores SIGPIPE and SIGXFSZ by itself.
    output = lane.run([sys.executable, "-c", script]).output.decode()
    assert sorted(output.split("[")[1].split("]")[0].split(", ")) == ["'SIGPIPE'", "'SIGXFSZ'"]
    assert output.rstrip().endswith("set()")


@pytest.mark.parametrize("target", ["foreground", "leader", "tree"])
def test_a_signal_goes_where_it_is_sent(lane: Lane, target: str) -> None:
    script = "trap 'echo hit; exit 5' USR1; echo up; while :; do sleep 600 & wait; done"
    terminal = lane.spawn(["bash", "-c", script])
    with Observer(terminal) as seen:
        seen.until(b"up")
        match target:
            case "foreground":
                terminal.signal("USR1")
            case "leader":
                terminal.signal(signal.SIGUSR1.value, target="leader")
            case _:
                terminal.signal("SIGUSR1", target="tree")
        seen.until(b"hit")
        assert seen.to_end().code == 5


def test_a_program_killed_from_outside_is_noticed(lane: Lane) -> None:
    terminal = lane.spawn(["sh", "-c", "echo up; exec sleep 600"])
    with Observer(terminal) as seen:
        seen.until(b"up")
        pid = terminal.info.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert seen.to_end().signal == signal.SIGKILL
    assert terminal.wait(5).signal == signal.SIGKILL
    assert terminal.refresh().state == "stopped"
    wait_until(lambda: processes.look(pid) is None, 5, "reaping of the program")


def test_a_program_that_closes_its_output_lives_on(lane: Lane) -> None:
    script = "echo before; exec >&- 2>&-; read -r answer; exit ${#answer}"
    terminal = lane.spawn(["bash", "-c", script])
    with Observer(terminal) as seen:
        seen.until(b"before")
        assert terminal.refresh().state == "active"
        terminal.send(b"123456\n")
        assert seen.to_end().code == 6


def test_output_goes_on_after_every_descriptor_was_closed(lane: Lane) -> None:
    script = (
        "echo before; exec <&- >&- 2>&-; sleep 0.2; exec >/dev/tty; echo after; seq 1 20000; exit 4"
    )
    terminal = lane.spawn(["bash", "-c", script], output="raw")
    with Observer(terminal) as seen:
        seen.until(b"after")
        assert seen.to_end().code == 4
    assert bytes(seen.data).endswith(b"\n19999\n20000\n")


def test_a_deaf_program_is_killed_with_its_terminal(lane: Lane) -> None:
    terminal = lane.spawn(["bash", "-c", DEAF])
    (pid,) = numbers_after(terminal, b"up", 1)
    ended = terminal.close(0.3)
    assert ended.terminals == 1
    assert ended.processes >= 2
    assert ended.killed >= 1
    assert gone(pid)
    with pytest.raises(NotFound):
        terminal.refresh()


def test_a_polite_program_says_goodbye(lane: Lane) -> None:
    script = "trap 'echo bye; exit 3' HUP; echo up; while :; do sleep 600 & wait; done"
    terminal = lane.spawn(["bash", "-c", script])
    with Observer(terminal) as seen:
        seen.until(b"up")
        ended = terminal.close(5)
        seen.until(b"bye")
        assert seen.to_end().code == 3
    assert ended.killed == 0


DAEMON = 'sh -c "echo away \\$\\$; exec sleep 600 >/dev/null 2>&1 </dev/null"'
ESCAPES = {
    "setsid": "setsid sh -c 'echo away $$; exec sleep 600' & wait",
    "double fork": f"(setsid sh -c '{DAEMON} & exit' &) ; sleep 600",
    "nohup": "nohup sh -c 'echo away $$ >/dev/tty; exec sleep 600' >/dev/null 2>&1 & wait",
    "wiped": f"(setsid env -i PATH=/usr/bin:/bin sh -c '{DAEMON} & exit' &) ; sleep 600",
    "renamed": (
        "(LANEKEEPER_TERMINAL=x LANEKEEPER_SESSION=x LANEKEEPER_LANE=x "
        f"setsid sh -c '{DAEMON} & exit' &) ; sleep 600"
    ),
    "deaf": (
        "setsid sh -c \"trap '' HUP TERM; echo away \\$\\$; while :; do sleep 600; done\" & wait"
    ),
}


@pytest.mark.parametrize("way", ESCAPES)
@pytest.mark.parametrize("scope", ["terminal", "session", "lane"])
def test_what_a_program_leaves_elsewhere_is_ended_with_it(lane: Lane, way: str, scope: str) -> None:
    terminal = lane.spawn(["sh", "-c", ESCAPES[way]])
    (pid,) = numbers_after(terminal, b"away", 1)
    match scope:
        case "terminal":
            terminal.close(0.3)
        case "session":
            lane.session("main").terminate(0.3)
        case _:
            lane.cleanup(0.3)
    assert gone(pid)
    left = [s for s in processes.everybody() if s.variable("LANEKEEPER_TERMINAL") == terminal.id]
    assert [str(one) for one in left if not one.zombie] == []


def test_strangers_are_left_alone(lane: Lane) -> None:
    ending, neighbour = (lane.spawn(["sh", "-c", ESCAPES["wiped"]]) for _ in range(2))
    (own,), (other,) = (numbers_after(one, b"away", 1) for one in (ending, neighbour))
    with subprocess.Popen(["sleep", "600"], env={}, start_new_session=True) as stranger:
        ending.close(0.3)
        assert gone(own)
        assert not gone(other)
        assert stranger.poll() is None
        stranger.kill()
    lane.session("main").terminate(0.3)
    assert gone(other)


def test_a_daemon_outlives_its_program_and_not_its_lane(lane: Lane) -> None:
    script = "setsid sh -c 'echo away $$; exec sleep 600 >/dev/null 2>&1 </dev/null' & sleep 0.1"
    terminal = lane.spawn(["sh", "-c", script])
    (pid,) = numbers_after(terminal, b"away", 1)
    assert terminal.wait(10).code == 0
    assert not gone(pid)
    assert lane.cleanup(1.0).processes == 1
    assert gone(pid)


def test_fifty_children_are_ended_with_their_terminal(lane: Lane) -> None:
    script = "for n in $(seq 50); do sleep 600 & echo child $!; done; wait"
    terminal = lane.spawn(["sh", "-c", script])
    pids = numbers_after(terminal, b"child", 50)
    ended = terminal.close(1.0)
    assert ended.processes == 51
    assert len(pids) == 50
    assert all(map(gone, pids))


def test_a_throttled_terminal_can_be_closed(client: Connected, lane: Lane) -> None:
    terminal = lane.spawn(FLOOD, policy="forever", capacity=65536)
    with Observer(terminal, policy="forever") as seen:
        seen.until(b"up")

        def throttled() -> bool:
            client.wait((), 0.02)
            return terminal.refresh().state == "throttled"

        wait_until(throttled, 10, "throttling of the flood")
        assert terminal.close(1.0).processes == 1
    with pytest.raises(NotFound):
        terminal.refresh()


def test_a_lane_is_cleaned_while_it_floods(client: Connected, lane: Lane) -> None:
    flooding = [lane.spawn(FLOOD) for _ in range(4)]
    with Observer(flooding[0]) as seen:
        seen.to_size(1_000_000)
        ended = lane.cleanup(1.0)
    assert (ended.terminals, ended.processes) == (4, 4)
    assert client.lanes() == []


def test_a_program_is_started_again_on_the_same_terminal(lane: Lane) -> None:
    terminal = lane.spawn(["sh", "-c", "echo run; read -r code; exit $code"])
    with pytest.raises(LaneError) as caught:
        terminal.respawn()
    assert caught.value.code == "INVALID_TRANSITION"
    terminal.send("4\n")
    assert terminal.wait(5).code == 4
    before = terminal.refresh().head
    terminal.respawn()
    with Observer(terminal, before) as seen:
        seen.until(b"run")
        terminal.send("5\n")
        assert seen.to_end().code == 5
    assert seen.data.startswith(b"run\r\n")
    with Observer(terminal) as whole:
        whole.to_end()
    assert whole.data.count(b"run\r\n") == 2
    assert terminal.refresh().runs == 2


def test_an_ended_terminal_is_kept_as_long_as_it_was_asked_for(lane: Lane) -> None:
    brief = lane.spawn(["echo", "brief"], keep_s=0.2)
    long = lane.spawn(["echo", "long"])
    for terminal in (brief, long):
        pid = terminal.info.pid
        assert pid is not None
        wait_exit(pid, 5)

    def forgotten() -> bool:
        try:
            brief.refresh()
        except NotFound:
            return True
        return False

    wait_until(forgotten, 5, "end of the time it is kept")
    assert long.read().data == b"long\r\n"
