"""The commands a client has sent: matching, sending again, deadlines.

Sans-IO. Rules: an unanswered command is sent again with the same id when its link was lost, and
after 0.5 s, 1 s, 2 s, 4 s and then every 5 s, until its deadline; BACKPRESSURE is retried until the
deadline; WORKER_LOST is retried for `LOST_PATIENCE` seconds of each loss, unless the lane is known
to have failed. The executor answers one id once, so none of this does anything twice. Late and
foreign answers are counted. Called by `hub` with bytes and the time; it refuses commands that are
too large to travel.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from lanekeeper.client.errors import LaneError, error_for, from_info
from lanekeeper.wire.codec import decode_response, encode
from lanekeeper.wire.envelope import Command, Response
from lanekeeper.wire.errors import ErrorInfo, WireError
from lanekeeper.wire.limits import MAX_CONTROL

RESEND_FIRST: Final = 0.5
RESEND_MOST: Final = 5.0
"""Seconds between sendings of an unanswered command, at first and at most."""
RETRY_FIRST: Final = 0.02
RETRY_MOST: Final = 0.5
"""Seconds before a command is sent again that was refused for now."""
LOST_PATIENCE: Final = 2.0
"""Seconds for which a lane may go on being refused as without its worker."""
LOST_ANEW: Final = 10.0
"""Seconds after which a refusal is of another loss: the broker itself waits 2 s before each."""
DOUBT: Final = 1.0
"""Seconds of silence on a hot path before the broker is asked what became of the lane."""
DOUBT_AGAIN: Final = 5.0
NOTICES_KEPT: Final = 512
"""One-way commands whose refusal can still be recognised."""


class Transmission(Struct, frozen=True):
    """Bytes to send on a link; `link` None is the broker's."""

    link: str | None
    data: bytes


class Traffic(Struct, frozen=True):
    """One thing that happened to a command on the wire, for an observer.

    Attributes:
        word: `sent`, `again` or `one-way` for what leaves; `ok` and `error` for answers; `late` for
            a command that got none in time.
        link: the hot path it took, None for the broker's.
        size: bytes of the message, 0 for `late`.
        seconds: since the command was given.
        code: of the error.
    """

    word: str
    command: Command
    link: str | None
    size: int
    seconds: float = 0.0
    code: str | None = None


Observer = Callable[[Traffic], None]


class Request(Struct, eq=False):
    """One command on its way; `response` or `error` is set when it is done."""

    command: Command
    data: bytes
    link: str | None
    deadline: float
    send_at: float
    doubt_at: float
    given_at: float
    interval: float
    sendings: int = 0
    retry: float = RETRY_FIRST
    refusal: LaneError | None = None
    lost_since: float = 0.0
    lost_at: float | None = None
    response: Response | None = None
    error: LaneError | None = None

    @property
    def done(self) -> bool:
        """Whether an answer or a failure is there."""
        return self.response is not None or self.error is not None


Refused = Callable[[LaneError], None]


class Requests:
    """All commands of one client."""

    def __init__(self) -> None:
        """Start without any."""
        self._pending: dict[str, Request] = {}
        self._notices: OrderedDict[str, Refused] = OrderedDict()
        self._outbox: list[Transmission] = []
        self.strays = 0
        self.observer: Observer | None = None

    def submit(self, command: Command, link: str | None, deadline: float, now: float) -> Request:
        """Take a command that is to be answered before `deadline` and return its state.

        Raises:
            LaneError: LIMIT_EXCEEDED, the command is too large; INVALID_TRANSITION, its id is
                already on its way.
        """
        if command.id in self._pending:
            raise error_for(
                "INVALID_TRANSITION", f"command {command.id} is already on its way; wait for it"
            )
        data = _encoded(command)
        request = Request(
            command, data, link, deadline, now, now + DOUBT, now, interval=RESEND_FIRST
        )
        self._pending[command.id] = request
        return request

    def notify(self, command: Command, link: str | None, refused: Refused) -> None:
        """Send a one-way command; `refused` is called with the error if it is refused."""
        data = _encoded(command)
        self._outbox.append(Transmission(link, data))
        if self.observer is not None:
            self.observer(Traffic("one-way", command, link, len(data)))
        self._notices[command.id] = refused
        while len(self._notices) > NOTICES_KEPT:
            self._notices.popitem(last=False)

    def receive(self, data: bytes, now: float) -> None:
        """Take one message from a link; what nobody waits for is counted and dropped."""
        try:
            response = decode_response(data)
        except WireError:
            self.strays += 1
            return
        request = self._pending.get(response.id)
        if request is not None:
            code = None if response.error is None else response.error.code
            self._observe(response.status, request, len(data), now, code)
            self._answer(request, response, now)
            return
        refused = self._notices.pop(response.id, None)
        if refused is None:
            self.strays += 1
        elif response.status == "error":
            refused(from_info(_error_of(response)))

    def lost(self, link: str | None, now: float) -> None:
        """Send again, over the next connection, what the lost one may not have delivered."""
        for request in self._pending.values():
            if request.link == link and request.sendings:
                request.send_at = now
                request.interval = RESEND_FIRST

    def expire(self, now: float) -> None:
        """Fail the commands past their deadline; call it before `outgoing`."""
        for request in list(self._pending.values()):
            if now >= request.deadline:
                self._observe("late", request, 0, now)
                self._finish(request, error=_expired(request))

    def outgoing(self, now: float) -> list[Transmission]:
        """Return what is to be sent now."""
        chosen, self._outbox = self._outbox, []
        for request in self._pending.values():
            if now >= request.send_at:
                chosen.append(Transmission(request.link, request.data))
                self._observe("again" if request.sendings else "sent", request, None, now)
                request.sendings += 1
                request.refusal = None  # what becomes of this sending is another matter
                request.send_at = now + request.interval
                request.interval = min(request.interval * 2, RESEND_MOST)
        return chosen

    def doubtful(self, now: float) -> list[Request]:
        """Return requests that a hot path leaves unanswered for so long that one should ask."""
        chosen = [
            request
            for request in self._pending.values()
            if request.link is not None and now >= request.doubt_at
        ]
        for request in chosen:
            request.doubt_at = now + DOUBT_AGAIN
        return chosen

    def fail(self, request: Request, error: LaneError) -> None:
        """Give up a request with `error`; one that is done stays as it is."""
        if not request.done:
            self._finish(request, error=error)

    def forget(self, request: Request) -> None:
        """Wait for the answer of a request no longer."""
        self._pending.pop(request.command.id, None)

    def uses(self, link: str) -> bool:
        """Return whether a pending request waits on this link."""
        return any(request.link == link for request in self._pending.values())

    def next_deadline(self) -> float | None:
        """Return when `outgoing` or `doubtful` has something to do without a message coming in."""
        if self._outbox:
            return 0.0
        times = [
            min(request.deadline, request.send_at)
            if request.link is None
            else min(request.deadline, request.send_at, request.doubt_at)
            for request in self._pending.values()
        ]
        return min(times, default=None)

    def _observe(
        self, word: str, request: Request, size: int | None, now: float, code: str | None = None
    ) -> None:
        if self.observer is not None:
            shown = len(request.data) if size is None else size
            passed = now - request.given_at
            self.observer(Traffic(word, request.command, request.link, shown, passed, code))

    def _answer(self, request: Request, response: Response, now: float) -> None:
        if response.status == "ok":
            self._finish(request, response=response)
            return
        error = from_info(_error_of(response))
        if not self._patient(request, error, now):
            self._finish(request, error=error)
            return
        request.refusal = error
        request.send_at = now + request.retry
        request.retry = min(request.retry * 2, RETRY_MOST)
        request.interval = RESEND_FIRST

    def _patient(self, request: Request, error: LaneError, now: float) -> bool:
        if not error.retryable:
            return False
        if error.code == "WORKER_LOST" and error.details.get("status") != "failed":
            if request.lost_at is None or now - request.lost_at > LOST_ANEW:
                request.lost_since = now  # another worker than the one that was lost before
            request.lost_at = now
            return now - request.lost_since < LOST_PATIENCE
        return error.code == "BACKPRESSURE"

    def _finish(
        self, request: Request, response: Response | None = None, error: LaneError | None = None
    ) -> None:
        request.response = response
        request.error = error
        del self._pending[request.command.id]


def _encoded(command: Command) -> bytes:
    data = encode(command)
    if len(data) > MAX_CONTROL:
        raise error_for(
            "LIMIT_EXCEEDED",
            f"{command.method} has {len(data)} bytes, at most {MAX_CONTROL} travel; "
            "make its arguments or its environment smaller",
            details={"limit": MAX_CONTROL},
        )
    return data


def _error_of(response: Response) -> ErrorInfo:
    return response.error or ErrorInfo(code="INTERNAL", message="an error without its description")


def _expired(request: Request) -> LaneError:
    if request.refusal is not None:
        return request.refusal
    command = request.command
    return error_for(
        "TIMEOUT",
        f"{command.method} was not answered in time and may still happen; look before you repeat "
        f"it, or repeat it with command id {command.id}",
        retryable=True,
        details={"command_id": command.id},
    )
