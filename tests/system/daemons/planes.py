"""How a plane is seen to be whole again."""

from kit.cluster import Plane
from kit.waiting import wait_until


def whole(plane: Plane) -> bool:
    """Whether a keeper answers and misses nothing."""
    try:
        with plane.keeper_client() as keeper:
            page = keeper.page()
    except OSError:
        return False
    return not page["degraded"]


def successor(plane: Plane, old: int) -> int:
    """Wait until another keeper serves a whole plane; return its pid."""
    wait_until(lambda: whole(plane) and plane.pids("keeper") != [old], 25.0, "a new keeper")
    return plane.pids("keeper")[0]


def replaced(plane: Plane, role: str, old: list[int]) -> None:
    """Wait until a role has another process and the plane is whole."""

    def done() -> bool:
        return whole(plane) and plane.pids(role) not in ([], old)

    wait_until(done, 15.0, f"a new {role}")
