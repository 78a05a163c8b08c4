"""The way from a verb to the broker: connect, find what an address means, change it.

Owns the command id that a changing verb shows and accepts. Called by every verb that needs the
broker.
"""

import os
from collections.abc import Mapping
from typing import Final, TypeVar

from msgspec import Struct

from lanekeeper.cli.errors import no_broker
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.traffic import observer
from lanekeeper.client import LaneError, Plane, connect
from lanekeeper.wire.envelope import Actor
from lanekeeper.wire.ids import RANDOM_BYTES, make_id
from lanekeeper.wire.messages.terminal import TerminalInfo

T = TypeVar("T", bound=Struct)
CONNECT_SECONDS: Final = 5.0
SPACE: Final = 5.0
"""Seconds an answer may take beyond what was asked to be waited for."""


def connected(settings: Settings, *, timeout: float = CONNECT_SECONDS) -> Plane:
    """Return the plane of this run, to be used in a `with`.

    Raises:
        RundirError: no plane, or an unsafe runtime directory.
        CliError: UNREACHABLE, no broker answers.
    """
    rundir = settings.rundir
    rundir.check()
    actor = Actor(kind="operator", id=f"uid:{os.getuid()}")
    try:
        return connect(rundir.path, timeout=timeout, actor=actor, observer=observer(settings))
    except LaneError as error:
        if error.code != "UNREACHABLE":
            raise
        raise no_broker(rundir) from None


class Target(Struct, frozen=True):
    """The ids of a command's envelope."""

    workspace_id: str | None = None
    lane_id: str | None = None
    session_id: str | None = None
    terminal_id: str | None = None


NOWHERE: Final = Target()


def of_terminal(info: TerminalInfo) -> Target:
    """Return the ids of a terminal."""
    return Target(info.workspace_id, info.lane_id, info.session_id, info.id)


class Change:
    """One changing command: its id comes from `--idempotency-key`, or is fresh."""

    def __init__(
        self, settings: Settings, key: str | None, *, timeout: float | None = None
    ) -> None:
        """Take the key and the seconds that were given."""
        self._settings = settings
        self._timeout = timeout
        self.id = key or make_id("command", os.urandom(RANDOM_BYTES))

    def make(
        self,
        plane: Plane,
        method: str,
        payload: Struct | None,
        result: type[T],
        target: Target = NOWHERE,
    ) -> T:
        """Send the command and return its result; `-v` shows its id.

        It may take `timeout` seconds, the library's default when that is None, and what a payload
        grants the programs to end comes on top.
        """
        self._settings.detail(f"{method}: command {self.id}")
        return plane.call(
            method,
            payload,
            result=result,
            workspace_id=target.workspace_id,
            lane_id=target.lane_id,
            session_id=target.session_id,
            terminal_id=target.terminal_id,
            command_id=self.id,
            timeout=self._patience(payload),
        )

    def _patience(self, payload: Struct | None) -> float | None:
        grace = getattr(payload, "grace_s", None)
        if self._timeout is None and isinstance(grace, int | float):
            return grace + SPACE
        return self._timeout

    def done(self, text: str, fields: Mapping[str, object]) -> None:
        """Print the outcome: one line, or one JSON object with the command's id."""
        if self._settings.json:
            self._settings.emit({"command_id": self.id, **fields})
        else:
            self._settings.say(text)
