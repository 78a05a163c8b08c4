"""Bytes to checked values and back, in one place.

Everything that can go wrong while decoding foreign bytes becomes a `WireError` here: msgspec lets a
RecursionError and a UnicodeDecodeError through beside its own DecodeError.
"""

from typing import Final, TypeVar

import msgspec
from msgspec import Raw

from lanekeeper.wire.envelope import Command, Event, Glimpse, Response
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import MAX_CONTROL, MAX_FRAME, MAX_REGISTRATION
from lanekeeper.wire.version import SUPPORTED, VERSION

T = TypeVar("T")

REASON_MAX: Final = 300
"""Characters of a decoder's complaint that travel in an error."""

_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_ENCODER: Final = msgspec.msgpack.Encoder()
_ENVELOPE: Final[msgspec.msgpack.Decoder[Command | Response | Event]] = msgspec.msgpack.Decoder(
    Command | Response | Event
)
"""One decoder for all three: a decoder of a single Struct takes a map without `type` for it."""
_GLIMPSE: Final = msgspec.msgpack.Decoder(Glimpse)
_DECODERS: Final[dict[type, msgspec.msgpack.Decoder[object]]] = {}


def encode(message: Command | Response | Event) -> bytes:
    """Return the MessagePack map of one envelope."""
    return _ENCODER.encode(message)


def decode_command(data: bytes) -> Command:
    """Return the command in `data`.

    Raises:
        WireError: INVALID_ENVELOPE, UNSUPPORTED_VERSION or LIMIT_EXCEEDED (larger than
            `MAX_CONTROL`).
    """
    command = _decode(data, MAX_CONTROL)
    if not isinstance(command, Command):
        raise _misplaced(command, "command")
    if command.v not in SUPPORTED:
        raise _unsupported(command.v)
    return command


def decode_response(data: bytes) -> Response:
    """Return the response in `data`; raises as `decode_command` does."""
    response = _decode(data, MAX_FRAME)
    if not isinstance(response, Response):
        raise _misplaced(response, "response")
    return response


def decode_event(data: bytes) -> Event:
    """Return the event in `data`; raises as `decode_command` does."""
    event = _decode(data, MAX_FRAME)
    if not isinstance(event, Event):
        raise _misplaced(event, "event")
    return event


def decode_upward(data: bytes) -> Response | Event:
    """Return what a worker sends to the broker; raises as `decode_command` does."""
    message = _decode(data, MAX_REGISTRATION)
    if isinstance(message, Command):
        raise _misplaced(message, "response or event")
    return message


def decode_body(body: Raw | bytes, kind: type[T], what: str) -> T:
    """Return a payload or a result as the Struct `kind`.

    Args:
        body: the raw field of an envelope.
        kind: the Struct that the method or the topic names.
        what: the method or topic, for the message.

    Raises:
        WireError: INVALID_ARGUMENT, naming the field and the rule it broke.
    """
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.msgpack.Decoder(kind)
    try:
        value = decoder.decode(bytes(body))
    except _UNDECODABLE as error:
        raise WireError(
            "INVALID_ARGUMENT", f"{what}: {_reason(error)}; see docs/protocol.md for its fields"
        ) from None
    if not isinstance(value, kind):
        raise WireError("INVALID_ARGUMENT", f"{what}: a map is needed")
    return value


def glimpse(data: bytes) -> Glimpse:
    """Return what can still be read of a malformed message, to answer its sender; never raises."""
    if len(data) > MAX_FRAME:
        return Glimpse()
    try:
        return _GLIMPSE.decode(data)
    except _UNDECODABLE:
        return Glimpse()


def _decode(data: bytes, limit: int) -> Command | Response | Event:
    if len(data) > limit:
        raise WireError(
            "LIMIT_EXCEEDED",
            f"a message may have {limit} bytes, this one has {len(data)}; send it in pieces",
            limit=limit,
        )
    try:
        return _ENVELOPE.decode(data)
    except _UNDECODABLE as error:
        version = glimpse(data).v
        if version is not None and version not in SUPPORTED:
            raise _unsupported(version) from None
        raise WireError("INVALID_ENVELOPE", f"not an envelope: {_reason(error)}") from None


def _misplaced(message: Command | Response | Event, needed: str) -> WireError:
    word = type(message).__name__.lower()
    return WireError("INVALID_ENVELOPE", f"not an envelope: `type` must be {needed}, not {word}")


def _unsupported(version: int) -> WireError:
    return WireError(
        "UNSUPPORTED_VERSION",
        f"protocol version {version} is not spoken here; use {VERSION}",
        supported=list(SUPPORTED),
    )


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "text that is not UTF-8"
    said = str(error)
    if len(said) <= REASON_MAX:
        return said
    # It quotes the wrong value in its middle; what was expected and where stand at the ends.
    return f"{said[: REASON_MAX // 2]}...{said[-REASON_MAX // 2 :]}"
