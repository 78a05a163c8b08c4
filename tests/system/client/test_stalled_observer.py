"""An observer that stopped taking, and goes on after the program has ended."""

import time

from kit.cluster import Plane
from kit.waiting import wait_until
from lanekeeper.client import Data, Ended, Gap
from lanekeeper.client.stream import QUEUE_BYTES

FLOOD = 24 * 1024 * 1024
"""Well beyond what the sockets hold, so that the last messages are dropped."""
PROMPT_S = 4.0
"""Below the 5 s of silence after which any observer looks at the log."""


def test_an_observer_who_takes_again_gets_the_end_at_once(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        lane = plane.lane("stalled")
        steps = [f"head -c {size} /dev/zero; read step" for size in (2 * QUEUE_BYTES, FLOOD)]
        script = f"stty raw -echo; read step; {'; '.join(steps)}; exit 3"
        terminal = lane.spawn(["sh", "-c", script], capacity=2 * FLOOD)
        with terminal.output(policy="drop") as output:
            assert lane.run(["true"]).code == 0  # meanwhile the observer has joined and looked
            terminal.send("\n")

            def filled() -> bool:
                plane.step()
                return (output.position or 0) >= QUEUE_BYTES

            wait_until(filled, 10, "full queue of the observer")
            terminal.send("\n\n")
            assert terminal.wait(20).code == 3
            # Longer than the lane's beacon, which would tell the head to a queue that has room.
            assert lane.run(["sleep", "0.3"]).code == 0
            began = time.monotonic()
            items = list(output)
            took = time.monotonic() - began
    assert isinstance(items[-1], Ended)
    assert not [item for item in items if isinstance(item, Gap)]
    assert items[-1].offset == 2 * QUEUE_BYTES + FLOOD
    assert sum(len(item.data) for item in items if isinstance(item, Data)) == items[-1].offset
    assert took < PROMPT_S
