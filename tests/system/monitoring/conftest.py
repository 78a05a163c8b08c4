"""One plane that has been through everything, and a Prometheus that has watched it."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from kit.cluster import Plane
from kit.prometheus import Prometheus
from kit.waiting import wait_until
from system.monitoring import provoking

NAME = "watched"


@dataclass(frozen=True)
class Watched:
    """A plane and who watches it."""

    plane: Plane
    prometheus: Prometheus


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with ExitStack() as stack:
        plane = stack.enter_context(Plane())
        prometheus = stack.enter_context(Prometheus(plane, NAME))
        with plane.connect() as client:
            lanes = provoking.work(client, "before")
            wait_until(lambda: prometheus.number("up"), 15.0, f"scrape: {prometheus.targets()}")
            wait_until(
                lambda: prometheus.number("sum(lanekeeper_echo_seconds_count)"),
                15.0,
                "first figures",
            )
            provoking.press(plane, client)
            provoking.reattach(lanes[0])
            provoking.break_things(plane, client, lanes[1])
            provoking.give_up(plane, client)
            provoking.nonsense(plane)
            provoking.work(client, "after")
            yield Watched(plane, prometheus)
