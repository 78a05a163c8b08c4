"""Names of what lives, for the completion."""

from lanekeeper.cli.live import addresses
from lanekeeper.cli.settings import Settings
from lanekeeper.client import Plane
from unit.client.fakeplane import FakePlane


def test_all_pages_of_a_listing_are_offered(fake: FakePlane, plane: Plane) -> None:
    lane = plane.lane("build")
    names = [lane.spawn(["cat"]).info.name for _ in range(3)]
    offered = addresses(Settings(runtime_dir=str(fake.directory)), "build.")
    assert {f"build.{name}" for name in names} <= set(offered)
    assert "build:main" in addresses(Settings(runtime_dir=str(fake.directory)), "build:")
