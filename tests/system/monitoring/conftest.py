"""One plane that has been through everything, and a Prometheus that has watched it."""

import time
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
    """A plane and who watches it, since a time of the epoch."""

    plane: Plane
    prometheus: Prometheus
    began: float


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with ExitStack() as stack:
        plane = stack.enter_context(Plane())
        prometheus = stack.enter_context(Prometheus(plane, NAME))
        began = time.time()
        with plane.connect() as client:
            lanes = provoking.work(client, "before")
            wait_until(lambda: prometheus.number("up"), 15.0, "first scrape")
            provoking.everything(plane, client, lanes)
            yield Watched(plane, prometheus, began)
