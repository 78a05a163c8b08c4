"""Daemons that the nursery is asked to fork instead of the keeper executing them.

Owns the requests that are not answered, and the word on how such a daemon ended: its parent is the
nursery, not the keeper. Refuses to wait: a nursery that is cold, hangs or has gone is done without,
and a daemon that comes after all is ended. Sans-IO: called by `supervisor` alone, with the time.
"""

import math
import signal
from collections.abc import Callable
from typing import Final

from lanekeeper.keeper.daemons import Daemons
from lanekeeper.keeper.events import (
    BROKER,
    NURSERY,
    Action,
    Beget,
    Ended,
    Kill,
    Launch,
    Launched,
    Message,
    Note,
    Watch,
    require_number,
)
from lanekeeper.keeper.roster import how
from lanekeeper.keeper.states import Daemon

FORKED: Final = frozenset({BROKER})
"""Roles that the nursery can take."""

PATIENCE: Final = 0.3
"""Seconds for the nursery's answer: a hundred times what it takes, twice an interpreter's start."""


class Births:
    """The nursery's share in starting daemons."""

    def __init__(
        self,
        daemons: Daemons,
        running: Callable[[], bool],
        ended: Callable[[Ended, float], list[Action]],
        exited: Callable[[Message, float], list[Action]],
    ) -> None:
        """Ask for nothing while the plane is not `running`.

        Args:
            daemons: their records.
            running: whether the plane is to be up.
            ended: takes the end of a daemon that runs.
            exited: takes the nursery's word on how a worker ended.
        """
        self._daemons, self._running = daemons, running
        self._ended, self._exited = ended, exited
        self._asked: dict[str, tuple[str, int, float]] = {}
        self._asks = 0
        self._unknown: dict[int, str] = {}

    @property
    def deadline(self) -> float:
        """When an answer is late."""
        return min((late for _, _, late in self._asked.values()), default=math.inf)

    def route(self, actions: list[Action], now: float) -> list[Action]:
        """Let the nursery start what it can; what it was asked for before it went is executed."""
        routed: list[Action] = []
        peer = self._nursery()
        for number, (role, asked, _) in tuple(self._asked.items()):
            if asked != peer:
                routed += self._without(number, role, now)
        for action in actions:
            if isinstance(action, Launch) and peer is not None and self._can(action):
                self._asks += 1
                number = f"start-{self._asks}"
                self._asked[number] = (action.role, peer, now + PATIENCE)
                routed.append(Beget(peer, number, action.role))
            else:
                routed.append(action)
        return routed

    def started(self, message: Message, now: float) -> list[Action]:
        """Take a process that the nursery has forked; one that comes too late is ended.

        Raises:
            RequestError: the message is wrong.
        """
        pid, began = require_number(message, "pid"), require_number(message, "start_time")
        role, _, _ = self._asked.pop(str(message.get("id")), ("", 0, 0.0))
        if not role:
            late = Note(f"the nursery forked a daemon too late, as pid {pid}: ending it", "warning")
            return [late, Watch(pid, began), Kill(pid, signal.SIGKILL)]
        return [Watch(pid, began), *self._daemons.launched(Launched(role, pid, began), now)]

    def cold(self, message: Message, now: float) -> list[Action]:
        """Execute what the nursery cannot fork."""
        number = str(message.get("id"))
        role, _, _ = self._asked.get(number, ("", 0, 0.0))
        return self._without(number, role, now) if role else []

    def due(self, now: float) -> list[Action]:
        """Execute what the nursery should have forked by now."""
        actions: list[Action] = []
        for number, (role, _, late) in tuple(self._asked.items()):
            if late <= now:
                actions.append(Note(f"the nursery does not fork a {role}", "warning"))
                actions += self._without(number, role, now)
        return actions

    def ended(self, role: str, event: Ended) -> None:
        """Note that a daemon's process has ended, somebody else's child perhaps."""
        if not event.known:
            self._unknown = {event.pid: role}

    def told(self, message: Message, now: float) -> list[Action]:
        """Take the nursery's word on how one that it forked for the keeper ended.

        Raises:
            RequestError: there is no pid in it.
        """
        pid = require_number(message, "pid")
        code, number = (
            value if isinstance(value, int) else None
            for value in (message.get("code"), message.get("signal"))
        )
        role = self._unknown.pop(pid, None)
        if role is not None:
            text = f"{role} ended: {how(code, number)}"
            record = self._daemons.get(role)
            if record is not None and record.state is Daemon.WAITING:
                record.reason = text
            return [Note(f"{text} (pid {pid})", "warning")]
        if self._daemons.of_pid(pid) is not None:
            return self._ended(Ended(pid, code, number), now)
        return self._exited(message, now)

    def _nursery(self) -> int | None:
        record = self._daemons.get(NURSERY)
        return record.peer if record is not None and record.state is Daemon.READY else None

    def _can(self, action: Launch) -> bool:
        return action.role in FORKED and not action.anew and self._running()

    def _without(self, number: str, role: str, now: float) -> list[Action]:
        del self._asked[number]
        if self._running():
            return [Launch(role, anew=True)]
        return self._daemons.launch_failed(role, "the plane goes down", now)
