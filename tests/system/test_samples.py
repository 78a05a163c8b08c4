"""What the collector has heard of a plane that was used."""

from kit.cluster import Plane


def test_broker_and_worker_have_told_their_totals_when_the_plane_is_down() -> None:
    with Plane() as plane:
        assert plane.lane("run", "build", "--", "echo", "hello").returncode == 0
        assert plane.lane("down", "--yes").returncode == 0
        log = (plane.dir / "log" / "collector.log").read_text("utf-8")
    last = log.splitlines()[-1]
    assert "refused=0" in last
    for name in ("broker.commands", "worker.output_published_messages"):
        assert f"'{name}': " in last
