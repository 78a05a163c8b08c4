"""What is checked of every command before anything happens: the envelope against its method.

Owns the refusals UNKNOWN_METHOD, NOT_IMPLEMENTED, missing ids and a missing correlation id, and the
unwrapping of `boundary.local.dispatch`. Sans-IO; called by the core.
"""

import difflib

import msgspec
from msgspec.structs import replace

from lanekeeper.broker.desk import Desk, Ids
from lanekeeper.broker.lane import Request
from lanekeeper.wire.codec import decode_body, encode
from lanekeeper.wire.envelope import Command
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.plane import Dispatch
from lanekeeper.wire.methods import METHODS, Boundary, Method

DISPATCH = "boundary.local.dispatch"


def method_of(command: Command) -> Method:
    """Return the row of a command's method, once its envelope has what the method needs.

    Raises:
        WireError: UNKNOWN_METHOD, NOT_IMPLEMENTED or INVALID_ENVELOPE.
    """
    name = command.method
    method = METHODS.get(name)
    if method is None:
        near = difflib.get_close_matches(name, METHODS, 1)
        hint = f"did you mean {near[0]}?" if near else "plane.hello lists those there are"
        raise WireError("UNKNOWN_METHOD", f"no method {name!r}; {hint}")
    if method.executor is None:
        raise WireError("NOT_IMPLEMENTED", f"{name} comes with {method.phase}", phase=method.phase)
    missing = [field for field in method.requires if getattr(command, field) is None]
    if method.lifecycle and command.correlation_id is None:
        missing.append("correlation_id")
    if missing:
        raise WireError("INVALID_ENVELOPE", f"{name} needs {' and '.join(missing)} in its envelope")
    return method


def unwrap(desk: Desk, request: Request, *, repeated: bool) -> Request:
    """Return the command inside a `boundary.local.dispatch`, and publish what becomes of it.

    The inner command has the envelope of the outer one, its id too, so a retry is one of both.

    Raises:
        WireError: INVALID_ARGUMENT for a method of another boundary or a dispatch in a dispatch;
            otherwise what `method_of` raises.
    """
    outer = request.command
    body = decode_body(outer.payload, Dispatch, outer.method)
    inner = replace(outer, method=body.method, payload=msgspec.Raw(bytes(body.payload)))
    ids = Ids(outer.workspace_id, outer.lane_id, outer.session_id, outer.terminal_id)
    cause = desk.cause(outer)
    try:
        _check_boundary(body.method)
        method = method_of(inner)
    except WireError as error:
        happened = Happened(method=body.method, error=error.info)
        desk.publish("boundary.dispatch.failed", happened, ids, cause)
        raise
    if not repeated:
        desk.publish("boundary.local.dispatched", Happened(method=body.method), ids, cause)
    return Request(request.route, inner, encode(inner), method, request.came)


def _check_boundary(name: str) -> None:
    method = METHODS.get(name)
    if name == DISPATCH:
        raise WireError("INVALID_ARGUMENT", "a dispatch cannot be dispatched; send its method")
    if method is not None and method.boundary is not Boundary.LOCAL:
        raise WireError(
            "INVALID_ARGUMENT",
            f"{name} belongs to the boundary {method.boundary}, not to {Boundary.LOCAL}; "
            "nothing passes from one to another",
            boundary=str(method.boundary),
        )
