"""What a person sees of a recovery: states, events, a lane given up and brought back."""

import json
import os
import signal
from pathlib import Path

from kit.cluster import Plane
from kit.killing import give_up, worker
from kit.waiting import wait_until
from lanekeeper.client import Event
from lanekeeper.wire.messages.session import SessionAttach, SessionAttached


def story(plane: Plane) -> list[Event]:
    """Return all events that are kept."""
    with plane.connect() as client:
        return [event for event in client.events(since=0, follow=False) if isinstance(event, Event)]


def test_a_recovery_is_told_step_by_step(plane: Plane) -> None:
    with plane.connect() as client:
        lane = client.lane("build")
        terminal = lane.spawn(["sleep", "60"], name="sleeper")
        before = worker(plane, lane)
        assert before is not None
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: lane.refresh().generation == 2, 10, "the successor")
        wait_until(lambda: lane.refresh().status == "running", 10, "the lane to run again")
        assert terminal.refresh().state == "active"
    topics = [event.topic for event in story(plane)]
    started = topics.index("session.restore.started")
    completed = topics.index("session.restore.completed")
    assert started < completed
    assert topics[started - 1] == "lane.state.changed"


def test_a_lane_that_was_given_up_is_brought_back(plane: Plane) -> None:
    with plane.connect() as client:
        lane = client.lane("poisoned")
        terminal = lane.spawn(["cat"], name="cat")
        pid = terminal.refresh().pid
        give_up(plane, lane)
        assert "lane recover" in (lane.refresh().reason or "")
        refused = plane.lane("send", "poisoned", "x")
        assert refused.returncode == 7
        assert "lane recover" in refused.stderr
        done = plane.lane("recover", "poisoned", "--without-screen")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "recovered lane poisoned: 1 running program\n"
        info = terminal.refresh()
        assert (info.pid, info.state) == (pid, "active")
        terminal.send("still there\n", timeout=10)
        assert "without screens" in plane.lane("screen", "poisoned").stderr
        again = plane.lane("recover", "poisoned")
        assert again.returncode == 5
        assert "only a failed lane" in again.stderr
        assert lane.refresh().status == "running"


def test_down_asks_for_a_lane_that_has_no_worker(plane: Plane) -> None:
    with plane.connect() as client:
        lane = client.lane("poisoned")
        terminal = lane.spawn(["sleep", "1000"], name="kept")
        pid = terminal.refresh().pid
        give_up(plane, lane)
        planned = json.loads(plane.lane("down", "--dry-run", "--json").stdout)
        assert planned["lanes"] == [lane.id]
        refused = plane.lane("down")
        assert (refused.returncode, refused.stdout) == (3, "")
        assert "1 lane alive" in refused.stderr
        assert pid is not None
        assert Path(f"/proc/{pid}").exists()


def test_the_command_line_tells_what_a_restore_has_found(plane: Plane) -> None:
    with plane.connect() as client:
        lane = client.lane("build")
        lane.spawn(["sleep", "60"], name="sleeper")
        plane.kill("worker", signal.SIGKILL, lane=lane.id)
        with plane.start_lane("session", "attach", "build", "--restore", "--json") as holder:
            assert holder.stdout is not None
            told = json.loads(holder.stdout.readline())
            holder.send_signal(signal.SIGINT)
            holder.wait(10)
    assert [(one["name"], one["outcome"]) for one in told["restored"]] == [("sleeper", "recovered")]


def test_an_attach_with_restore_tells_what_is_left(plane: Plane) -> None:
    with plane.connect() as client:
        lane = client.lane("build")
        terminal = lane.spawn(["sleep", "60"], name="sleeper")
        lane.run(["true"], name="done")
        info = terminal.refresh()
        attached = client.call(
            "session.attach",
            SessionAttach(restore=True),
            result=SessionAttached,
            workspace_id=info.workspace_id,
            lane_id=lane.id,
            session_id=info.session_id,
        )
        found = {one.name: (one.outcome, one.state) for one in attached.restored}
        assert found == {"sleeper": ("recovered", "active"), "done": ("ended", "stopped")}
        assert attached.session.status == "attached"
    (completed,) = (one for one in story(plane) if one.topic == "session.restore.completed")
    assert completed.session_id == info.session_id
