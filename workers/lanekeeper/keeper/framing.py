"""One message of the keeper's channels: a small JSON object, and descriptors beside it.

Owns the codec and the rules of a message. Refuses what is not an object with a string "op", what is
larger than 64 KiB, and descriptors that do not match their count. Called by `channel`.
"""

import array
import contextlib
import json
import os
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

MESSAGE_MAX: Final = 64 * 1024
"""Bytes of one encoded message; below the default send buffer, so that it always fits."""

FDS_MAX: Final = 16
"""Descriptors beside one message: one terminal's. The kernel's own limit is 253."""

FD_SIZE: Final = array.array("i").itemsize


class ChannelError(Exception):
    """A message, a path or a peer broke the rules of the channel."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message and the descriptors that came with it; the receiver owns and closes them."""

    message: dict[str, Any]
    fds: tuple[int, ...] = ()
    short: bool = False
    """Whether descriptors that came with it were lost: this process has no room for more."""

    def close(self) -> None:
        """Close the descriptors; for a receiver that has no use for them."""
        close_all(self.fds)


def encode(message: dict[str, Any]) -> bytes:
    """Encode one message as ASCII JSON, so that undecodable bytes in names survive as escapes.

    Raises:
        ChannelError: no string "op", not JSON, or over 64 KiB.
    """
    if not isinstance(message.get("op"), str):
        raise ChannelError('a message needs a string "op"')
    try:
        data = json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise ChannelError(f"message {message['op']!r} is not JSON: {error}") from error
    if len(data) > MESSAGE_MAX:
        raise ChannelError(
            f"message {message['op']!r} has {len(data)} bytes, more than {MESSAGE_MAX}; "
            "send it in parts"
        )
    return data


def decode(data: bytes) -> dict[str, Any]:
    """Decode one message.

    Raises:
        ChannelError: not one JSON object with a string "op", or over 64 KiB.
    """
    if len(data) > MESSAGE_MAX:
        raise ChannelError(f"a message of {len(data)} bytes is more than {MESSAGE_MAX}")
    try:
        message = json.loads(data.decode("ascii"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ChannelError(f"not a JSON message: {error}") from error
    if not isinstance(message, dict) or not isinstance(message.get("op"), str):
        raise ChannelError('a message is one JSON object with a string "op"')
    return message


def checked(data: bytes, flags: int, count: int, *, lenient: bool = False) -> dict[str, Any]:
    """Return the message that was received with these flags and so many descriptors.

    A `lenient` receiver is given a message whose descriptors were lost for want of room, too.

    Raises:
        ChannelError: it breaks a rule.
    """
    lost = flags & socket.MSG_CTRUNC
    if lost and not lenient:
        raise ChannelError(
            f"descriptors were lost: over {FDS_MAX} of them, or the limit is reached"
        )
    if flags & socket.MSG_TRUNC:
        raise ChannelError(f"a message is longer than {MESSAGE_MAX} bytes")
    message = decode(data)
    said = message.get("fds", 0)
    if lost and isinstance(said, int) and count < said <= FDS_MAX:
        return message
    if said != count:
        raise ChannelError(f'"fds" says {message.get("fds", 0)!r}, {count} descriptors came')
    return message


def descriptors(ancillary: Iterable[tuple[int, int, bytes]]) -> tuple[int, ...]:
    """Return the descriptors that came beside a message."""
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % FD_SIZE])
    return tuple(fds)


def copies(fds: Sequence[int]) -> list[int]:
    """Return duplicates of descriptors.

    Raises:
        ChannelError: there are no more descriptors.
    """
    made: list[int] = []
    try:
        made.extend(os.dup(fd) for fd in fds)
    except OSError as error:
        close_all(made)
        raise ChannelError(f"descriptors cannot be copied: {error.strerror}") from error
    return made


def close_all(fds: Iterable[int]) -> None:
    """Close descriptors, those too that are closed already."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
