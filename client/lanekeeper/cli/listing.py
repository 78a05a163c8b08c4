"""Whole listings, page by page."""

from lanekeeper.client import Plane
from lanekeeper.wire.messages.session import SessionInfo, SessionList, SessionListRequest
from lanekeeper.wire.messages.terminal import TerminalInfo, TerminalList, TerminalListRequest


def sessions_of(plane: Plane, lane_id: str | None = None) -> list[SessionInfo]:
    """Return the sessions of a lane, or of all lanes."""
    found: list[SessionInfo] = []
    after: str | None = None
    while True:
        request = SessionListRequest(after=after)
        page = plane.call("session.list", request, result=SessionList, lane_id=lane_id)
        found += page.sessions
        after = page.next
        if after is None:
            return found


def terminals_of(plane: Plane, lane_id: str | None = None) -> list[TerminalInfo]:
    """Return the terminals of a lane, or of all lanes."""
    found: list[TerminalInfo] = []
    after: str | None = None
    while True:
        request = TerminalListRequest(after=after)
        page = plane.call("terminal.list", request, result=TerminalList, lane_id=lane_id)
        found += page.terminals
        after = page.next
        if after is None:
            return found
