"""What can go wrong for a caller, as one tree of exceptions with stable codes.

    LaneError                  everything below; `code`, `message`, `retryable`, `details`
    ├── UnreachableError       nobody answers: no broker (UNREACHABLE), a lane without its worker
    │   └── WorkerLostError    WORKER_LOST
    ├── TimedOutError          no answer in time; what happened is unknown (TIMEOUT)
    │   └── IndeterminateError the command may or may not have been done (INDETERMINATE)
    ├── RefusedError           the command can never succeed as it is (INVALID_ARGUMENT, ...)
    ├── NotFoundError          WORKSPACE_, LANE_, SESSION_ and TERMINAL_NOT_FOUND
    ├── ConflictError          ALREADY_EXISTS, INVALID_TRANSITION, NOT_WRITER
    ├── BusyError              BACKPRESSURE (retry), LIMIT_EXCEEDED (a bound was hit)
    ├── SpawnFailedError       the program could not be executed (SPAWN_FAILED)
    ├── EventsLostError        events between two points are gone (EVENTS_LOST)
    ├── ClosedError            used after close (CLOSED)
    └── InternalError          a defect of the plane (INTERNAL)

Raised by every call of the client library; foreign exceptions are translated into it once, in the
shells. The package exports the same classes under the short names too (`Unreachable`, ...).
"""

from typing import Final

from lanekeeper.wire.errors import CODES, ErrorInfo, WireError

_OWN: Final = {"UNREACHABLE": 7, "EVENTS_LOST": 1, "CLOSED": 1}
"""Codes that never travel, with their exit status."""


class LaneError(Exception):
    """An operation that did not succeed.

    Attributes:
        code: a stable code: one of `lanekeeper.wire.errors.CODES`, or UNREACHABLE, EVENTS_LOST,
            CLOSED.
        message: what happened and what to do next.
        retryable: whether the same command can succeed later.
        details: plain values for programs: the bound that was hit, the choices of an ambiguity.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retryable: bool = False,
        details: dict[str, object] | None = None,
    ) -> None:
        """Make the error; use `error_for` to get the class that fits the code."""
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.retryable = retryable
        self.details: dict[str, object] = details or {}

    @property
    def exit_status(self) -> int:
        """The exit status of the command line for this error."""
        known = CODES.get(self.code)
        return known.exit_status if known else _OWN.get(self.code, 1)


class UnreachableError(LaneError):
    """Nobody answers."""


class WorkerLostError(UnreachableError):
    """The lane's worker does not answer."""


class TimedOutError(LaneError):
    """No answer in time; what happened is unknown."""


class IndeterminateError(TimedOutError):
    """The command may or may not have been done; look before doing it again."""


class RefusedError(LaneError):
    """The command can never succeed as it is."""


class NotFoundError(LaneError):
    """No such workspace, lane, session or terminal."""


class ConflictError(LaneError):
    """The name is taken, or the present state does not allow it."""


class BusyError(LaneError):
    """A bound was hit; with `retryable` the same command can succeed later."""


class SpawnFailedError(LaneError):
    """The program could not be executed."""


class EventsLostError(LaneError):
    """Lifecycle events are gone; `details` holds `start`, `end` (sequence numbers) and `epoch`."""


class ClosedError(LaneError):
    """The object was closed."""


class InternalError(LaneError):
    """A defect of the plane; the message names what to quote."""


_CLASSES: Final[dict[str, type[LaneError]]] = {
    "UNREACHABLE": UnreachableError,
    "WORKER_LOST": WorkerLostError,
    "HARNESS_UNAVAILABLE": UnreachableError,
    "TIMEOUT": TimedOutError,
    "INDETERMINATE": IndeterminateError,
    "WORKSPACE_NOT_FOUND": NotFoundError,
    "LANE_NOT_FOUND": NotFoundError,
    "SESSION_NOT_FOUND": NotFoundError,
    "TERMINAL_NOT_FOUND": NotFoundError,
    "ALREADY_EXISTS": ConflictError,
    "INVALID_TRANSITION": ConflictError,
    "NOT_WRITER": ConflictError,
    "LIMIT_EXCEEDED": BusyError,
    "BACKPRESSURE": BusyError,
    "SPAWN_FAILED": SpawnFailedError,
    "EVENTS_LOST": EventsLostError,
    "CLOSED": ClosedError,
    "INTERNAL": InternalError,
}


def error_for(
    code: str,
    message: str,
    *,
    retryable: bool = False,
    details: dict[str, object] | None = None,
) -> LaneError:
    """Return the error of the class that fits `code`; an unknown code is a `RefusedError`."""
    kind = _CLASSES.get(code, RefusedError)
    return kind(code, message, retryable=retryable, details=details)


def from_info(info: ErrorInfo) -> LaneError:
    """Return the error that a response carries."""
    return error_for(info.code, info.message, retryable=info.retryable, details=info.details)


def from_wire(error: WireError) -> LaneError:
    """Return a refusal of the wire layer as an error of this tree."""
    return from_info(error.info)
