"""The bytes of ZMTP 3.1, for connections that no library would make.

Owns greetings, commands and frames with whatever is wrong with them on purpose, and a raw stream to
a socket of a plane. Refuses to interpret answers. Called by tests of bad input.
"""

import contextlib
import socket
import struct
from pathlib import Path
from typing import Final

SIGNATURE: Final = b"\xff\0\0\0\0\0\0\0\x01\x7f"
_LONG: Final = 0x02
_COMMAND: Final = 0x04
_MORE: Final = 0x01
_SHORT_MAX: Final = 255
_TIMEOUT_S: Final = 5.0
_READ: Final = 4096


def greeting(mechanism: bytes = b"NULL", *, version: tuple[int, int] = (3, 1)) -> bytes:
    """Return the 64 bytes with which a connection begins."""
    return SIGNATURE + bytes(version) + mechanism.ljust(20, b"\0")[:20] + b"\0" * 32


def frame(data: bytes, *, more: bool = False, length: int | None = None) -> bytes:
    """Return one frame; `length` is what its head says instead of the truth."""
    return _framed(_MORE if more else 0, data, length)


def command(name: bytes, data: bytes, *, length: int | None = None) -> bytes:
    """Return one command frame."""
    return _framed(_COMMAND, bytes([len(name)]) + name + data, length)


def ready(kind: bytes, **properties: bytes) -> bytes:
    """Return the READY command of a socket of this type."""
    named = {b"Socket-Type": kind, **{k.encode(): v for k, v in properties.items()}}
    return command(b"READY", b"".join(_property(key, value) for key, value in named.items()))


def connect(path: Path) -> socket.socket:
    """Return a stream connected to a socket of a plane; the caller closes it."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stream.settimeout(_TIMEOUT_S)
    try:
        stream.connect(str(path))
    except BaseException:
        stream.close()
        raise
    return stream


def throw(path: Path, data: bytes, kind: bytes = b"") -> None:
    """Connect, send what the other side takes, wait until it has read all of it, and vanish.

    With a `kind` the two sides have introduced themselves properly before `data` is sent.
    """
    with connect(path) as stream, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        if kind:
            _introduce(stream, kind)
        stream.sendall(data)
        stream.shutdown(socket.SHUT_WR)
        while stream.recv(_READ):
            pass


def speak(path: Path, kind: bytes, data: bytes, until: bytes) -> bool:
    """Connect properly as a socket of this type, send `data`, and read until `until` comes.

    Returns:
        Whether it came; False when the other side closed the connection instead.
    """
    with connect(path) as stream, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        _introduce(stream, kind)
        stream.sendall(data)
        heard = b""
        while until not in heard:
            piece = stream.recv(_READ)
            if not piece:
                return False
            heard += piece
        return True
    return False


def _introduce(stream: socket.socket, kind: bytes) -> None:
    stream.sendall(greeting() + ready(kind))
    heard = b""
    while b"Socket-Type" not in heard:
        piece = stream.recv(_READ)
        if not piece:  # this kind is not for that socket
            return
        heard += piece


def _property(key: bytes, value: bytes) -> bytes:
    return bytes([len(key)]) + key + struct.pack(">I", len(value)) + value


def _framed(flags: int, data: bytes, length: int | None) -> bytes:
    said = len(data) if length is None else length
    if said > _SHORT_MAX:
        return struct.pack(">BQ", flags | _LONG, said) + data
    return bytes([flags, said]) + data
