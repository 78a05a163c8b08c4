"""Everything that can go wrong, as one line for people or one JSON object for programs.

    CliError              ours: a code of the wire, or a local one
    LaneError, WireError of the libraries: their code decides
    RundirError, OSError translated here, once

Owns the exit statuses: the table of the wire's codes, and the few codes that only a command line
has. Called by `main` at the end of a run that failed.
"""

import json
from collections.abc import Mapping
from typing import Final

from lanekeeper.keeper.rundir import Rundir, RundirError, RundirMissingError
from lanekeeper.wire.errors import CODES

LOCAL: Final[dict[str, int]] = {
    "UNREACHABLE": 7,
    "NO_PLANE": 7,
    "PLANE_RUNS": 5,
    "ORPHAN_NOT_FOUND": 4,
    "CONFIRMATION_NEEDED": 3,
    "CONFIG": 3,
    "RUNTIME_DIR": 3,
    "USAGE": 2,
    "IO": 1,
    "CHECK_FAILED": 1,
}
"""Codes of the command line itself with their exit status; all others are the wire's."""

SIGNAL_BASE: Final = 128
"""A shell reports an end by signal N as 128 + N."""
UNKNOWN: Final = 1
"""Exit status when nobody knows the program's."""
INTERRUPTED: Final = 130
TERMINATED: Final = 143
BROKEN_PIPE: Final = 141
"""128 + SIGPIPE: what a shell reports of a program whose reader went away."""

SCHEMA: Final = 1
"""Version of every JSON object this command line prints."""


class CliError(Exception):
    """A verb cannot do what it was asked.

    Attributes:
        code: a key of `LOCAL` or of the wire's `CODES`.
        message: what happened and why.
        hint: what to do next.
        retryable: whether the same command can succeed later.
        details: plain values for programs.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        retryable: bool = False,
        details: Mapping[str, object] | None = None,
    ) -> None:
        """Make the failure; it is to be raised."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.retryable = retryable
        self.details = dict(details or {})

    @property
    def exit_status(self) -> int:
        """The status the process ends with."""
        return exit_status(self.code)

    def as_json(self) -> str:
        """Return the one line of JSON for stderr."""
        fields: dict[str, object] = {
            "schema": SCHEMA,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "retryable": self.retryable,
            "exit_status": self.exit_status,
        }
        if self.details:
            fields["details"] = self.details
        return json.dumps(fields, default=str)


class ReaderGoneError(Exception):
    """Nobody reads stdout any more."""


def no_broker(rundir: Rundir) -> CliError:
    """Return the failure of a plane whose broker does not answer."""
    return CliError(
        "UNREACHABLE",
        f"no broker answers in {rundir.path}",
        hint="`lane status` shows what runs, `lane up` starts a plane",
        retryable=True,
    )


def exit_status(code: str) -> int:
    """Return the exit status of an error code; 1 for one that is not known."""
    if code in LOCAL:
        return LOCAL[code]
    return CODES[code].exit_status if code in CODES else 1


def translate(error: BaseException) -> CliError | None:
    """Return the failure that an exception stands for; None for a defect of ours."""
    if isinstance(error, CliError):
        return error
    if isinstance(error, RundirMissingError):
        return CliError("NO_PLANE", str(error))
    if isinstance(error, RundirError):
        return CliError("RUNTIME_DIR", str(error))
    told = _of_code(error)
    if told is None and isinstance(error, OSError):
        return CliError("IO", f"{error.filename or 'the system'}: {error.strerror or error}")
    return told


def _of_code(error: BaseException) -> CliError | None:
    """Return the failure of an exception that carries a stable code, as those of the libraries do.

    They are told by their fields: importing the client library to name its class would cost every
    run of every verb that does without it.
    """
    info: object = getattr(error, "info", error)
    code = getattr(info, "code", None)
    message = getattr(info, "message", None)
    if not isinstance(code, str) or not isinstance(message, str):
        return None
    details = getattr(info, "details", None)
    return CliError(
        code,
        message,
        hint=_hint(code),
        retryable=getattr(info, "retryable", False) is True,
        details=dict(details) if isinstance(details, dict) else {},
    )


def _hint(code: str) -> str:
    return {
        "UNREACHABLE": "`lane status` shows what runs, `lane up` starts a plane",
        "TIMEOUT": "what happened is unknown: look with `lane ls` and `lane events`",
        "INDETERMINATE": "look with `lane ls` and `lane events` before you repeat it",
        "LANE_NOT_FOUND": "`lane ls` lists the lanes",
        "SESSION_NOT_FOUND": "`lane session ls` lists the sessions",
        "TERMINAL_NOT_FOUND": "`lane terminal ls` lists the terminals",
        "WORKSPACE_NOT_FOUND": "`lane workspace ls` lists the workspaces",
        "BACKPRESSURE": "the same command can succeed in a moment",
        "WORKER_LOST": "`lane status` shows the plane's processes, `lane logs worker` their log",
        "INTERNAL": "`lane logs broker` and `lane logs worker` show more",
    }.get(code, "")
