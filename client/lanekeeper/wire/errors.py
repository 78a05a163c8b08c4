"""Errors as they travel: a stable code, a message that says what to do, can a retry help.

    WireError            a refusal of ours, on its way into a response
    CODES                every code with `retryable` and the exit status of the command line

Codes are few and never change their meaning. A message never shows a secret, an environment or
typed input.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct


class ErrorInfo(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The `error` of a response.

    `details` holds plain values that help a program: the bound that was hit, the choices of an
    ambiguity.
    """

    code: str
    message: str
    retryable: bool = False
    details: dict[str, Any] | None = None


class Code(Struct, frozen=True):
    """What is fixed about one error code: can a retry help, and the exit status of `lane`."""

    exit_status: int
    meaning: str
    retryable: bool = False


CODES: Final[dict[str, Code]] = {
    "INVALID_ENVELOPE": Code(3, "the message is not an envelope of this protocol"),
    "UNSUPPORTED_VERSION": Code(3, "another protocol version"),
    "UNKNOWN_METHOD": Code(3, "no such method"),
    "NOT_IMPLEMENTED": Code(3, "a formal method of a later phase"),
    "UNAUTHORIZED": Code(9, "the caller may not do this"),
    "WORKSPACE_NOT_FOUND": Code(4, "no such workspace"),
    "LANE_NOT_FOUND": Code(4, "no such lane"),
    "SESSION_NOT_FOUND": Code(4, "no such session"),
    "TERMINAL_NOT_FOUND": Code(4, "no such terminal"),
    "ALREADY_EXISTS": Code(5, "the name or id is taken"),
    "INVALID_TRANSITION": Code(5, "not possible in the present state"),
    "NOT_WRITER": Code(5, "another client holds the terminal's writer lease"),
    "INVALID_ARGUMENT": Code(3, "a field has a value that cannot be"),
    "LIMIT_EXCEEDED": Code(6, "a stated bound was hit"),
    "BACKPRESSURE": Code(6, "busy; the same command can succeed later", retryable=True),
    "TIMEOUT": Code(8, "no result in time; what happened is unknown", retryable=True),
    "WORKER_LOST": Code(7, "the lane's worker does not answer", retryable=True),
    "HARNESS_UNAVAILABLE": Code(7, "the provider's harness is away", retryable=True),
    "SPAWN_FAILED": Code(1, "the program could not be executed"),
    "INDETERMINATE": Code(8, "the command may or may not have been done"),
    "INTERNAL": Code(1, "a defect of ours"),
}


class WireError(Exception):
    """A refusal with a stable code.

    Attributes:
        info: the error as it goes on the wire.
    """

    def __init__(self, code: str, message: str, **details: object) -> None:
        """Make the error `code` (a key of `CODES`; another one is a KeyError)."""
        super().__init__(f"{code}: {message}")
        self.info = ErrorInfo(
            code=code,
            message=message,
            retryable=CODES[code].retryable,
            details=details or None,
        )

    @property
    def code(self) -> str:
        """The stable code."""
        return self.info.code
