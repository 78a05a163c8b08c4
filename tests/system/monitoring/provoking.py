"""Makes a plane do everything that its metrics are about: work, pressure, faults, nonsense.

Owns the order: what takes longest to show begins first, and faults come when there is something to
lose. Every step waits for its effect. Called by the tests and by `deploy/portrait.py`.
"""

import contextlib
import http.client
import json
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import zmq

from kit.cluster import Plane
from kit.observer import Observer
from kit.registered import registered
from kit.waiting import wait_until
from kit.wire_client import WireClient
from lanekeeper.client import Lane, LaneError
from lanekeeper.client import Plane as Connected
from lanekeeper.wire.limits import MIN_LOG_CAPACITY
from system.daemons.planes import replaced, successor

LANES: Final = 12
KEYS: Final = 25
TWICE: Final = 2
PATIENCE: Final = 20.0
DEATHS: Final = 5
ASKS: Final = r"printf '\033[6n'; head -c 4 >/dev/null"
"""A program that asks where the cursor is and waits for the answer."""


def everything(plane: Plane, client: Connected, lanes: list[Lane]) -> None:
    """Do all of it once, with lanes that have been at work; good work comes after the faults too.

    What happens before the first scrape is nothing that a rate could show.
    """
    first, second, *_ = lanes
    with held(plane, client):
        press(plane, client)
        reattach(first)
        break_things(plane, client, second)
        give_up(plane, client)
        nonsense(plane)
        work(client, "after")


def work(client: Connected, suffix: str) -> list[Lane]:
    """Create lanes, run programs that end well and badly, type into one; return the lanes."""
    lanes = [client.create_lane(f"lane-{number}-{suffix}") for number in range(LANES)]
    with contextlib.suppress(LaneError):
        client.create_lane(f"lane-0-{suffix}")
    first, second, third = lanes[:3]
    first.run(["sh", "-c", "seq 10000"])
    second.run(["sh", "-c", "exit 3"])
    third.run(["sh", "-c", "kill -9 $$"])
    third.spawn(["sh", "-c", f"stty raw -echo; {ASKS}"]).wait(PATIENCE)
    typed_into(first)
    return lanes


def more(plane: Plane) -> None:
    """Go on working in a lane of its own, as a plane does that is in use."""
    with plane.connect() as client:
        lane = client.lane("goes-on")
        lane.run(["sh", "-c", "seq 1000"])
        typed_into(lane)


def typed_into(lane: Lane) -> None:
    """Type at a program that echoes, a line at a time as a person would who looks on."""
    terminal = lane.spawn(["cat"])
    # Only what somebody subscribes to is published, and timed.
    with Observer(terminal) as seen:
        for number in range(KEYS):
            terminal.send(f"line {number}\n")
            for _ in range(TWICE):
                seen.until(f"line {number}\r\n".encode())
    terminal.close(grace_s=0)


@contextlib.contextmanager
def held(plane: Plane, client: Connected) -> Iterator[None]:
    """Have a program stand still meanwhile: who reads it may hold it for ever, and does."""
    terminal = client.lane("held").spawn(["yes"], capacity=MIN_LOG_CAPACITY, output="raw")
    with WireClient(plane.dir) as wire:
        registered(wire, terminal.info).consume("forever")
        wait_until(lambda: terminal.refresh().state == "throttled", PATIENCE, "holding back")
        yield
    terminal.close(grace_s=0)


def press(plane: Plane, client: Connected) -> None:
    """Hold a program back until its consumer is demoted; then read what the log no longer has."""
    terminal = client.lane("pressed").spawn(["yes"], capacity=MIN_LOG_CAPACITY, output="raw")
    with WireClient(plane.dir) as wire:
        viewer = registered(wire, terminal.info)
        viewer.consume()
        wait_until(viewer.demoted, PATIENCE, "demotion of a consumer that acknowledges nothing")
        terminal.read(0)
    terminal.close(grace_s=0)


def reattach(lane: Lane) -> None:
    """Attach to a session, leave it, and come back."""
    session = lane.session()
    for _ in range(2):
        session.attach().close()


def break_things(plane: Plane, client: Connected, lane: Lane) -> None:
    """Kill a worker, the broker, the collector, the nursery and the keeper, one after another."""
    lane.spawn(["cat"])
    for role in ("worker", "broker", "collector", "nursery"):
        killed = plane.kill(role, lane=lane.id if role == "worker" else None)
        replaced_or_back(plane, role, killed, lane)
    successor(plane, plane.kill("keeper")[0])
    wait_until(lambda: served(client, lane), PATIENCE, "a lane that serves")


def replaced_or_back(plane: Plane, role: str, old: list[int], lane: Lane) -> None:
    """Wait until somebody has taken the place of who was killed."""
    if role == "worker":
        wait_until(
            lambda: plane.pids("worker", lane.id) not in ([], old), PATIENCE, "another worker"
        )
    else:
        replaced(plane, role, old)


def give_up(plane: Plane, client: Connected) -> None:
    """Kill a lane's worker until the plane gives it up."""
    lane = client.lane("doomed")
    lane.spawn(["cat"])
    for _ in range(DEATHS):
        old = plane.kill("worker", lane=lane.id)
        wait_until(partial(succeeded, plane, lane, old), PATIENCE, "another worker, or none")
    wait_until(lambda: failed(lane), PATIENCE, "a lane that is given up")


def succeeded(plane: Plane, lane: Lane, old: list[int]) -> bool:
    """Return whether a lane has another worker, or will never have one."""
    return plane.pids("worker", lane.id) not in ([], old) or failed(lane)


def failed(lane: Lane) -> bool:
    """Return whether a lane has failed."""
    return lane.refresh().status == "failed"


def served(client: Connected, lane: Lane) -> bool:
    """Return whether a lane answers."""
    try:
        client.lanes()
        lane.session()
    except LaneError:
        return False
    return True


def nonsense(plane: Plane) -> None:
    """Push what is no sample to the collector."""
    with zmq.Context() as context, context.socket(zmq.PUSH) as push:
        push.set(zmq.LINGER, 1000)
        push.connect(f"ipc://{plane.dir}/collector.sock")
        push.send(b"not a sample")


@contextlib.contextmanager
def deaf(plane: Plane, role: str) -> Iterator[None]:
    """Stop a process for the duration: it lives and does nothing."""
    (pid,) = plane.pids(role)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def scrape(plane: Plane) -> bytes:
    """Return the page of metrics, asked for as anybody would who may read the token."""
    where = json.loads(plane.lane("status", "--json").stdout)["metrics"]
    token = Path(where["token_file"]).read_text("ascii").strip()
    asking = http.client.HTTPConnection("127.0.0.1", where["port"], timeout=PATIENCE)
    with contextlib.closing(asking):
        asking.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
        return asking.getresponse().read()
