"""Output messages: what a lane publishes for its terminals.

Three frames: the terminal id (the topic), a MessagePack array, and the bytes.

    data    `length` bytes of output that start at `offset`
    head    no bytes; the log ends at `offset` now (sent after silence: a lost last message shows)
    end     the program has ended; `offset` is the final one, the bytes are an `ExitStatus` map
    resize  the size changed when the log ended at `offset`; the bytes are the array [cols, rows]
    joined  a subscriber's own token came back: subscriptions made before it are in force

The topic of `joined` is the token itself. Messages of an older `epoch` than the newest seen are
stale.
"""

from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.terminal import ExitStatus
from lanekeeper.wire.version import VERSION


class Kind(StrEnum):
    """What an output message says."""

    DATA = "data"
    HEAD = "head"
    END = "end"
    RESIZE = "resize"
    JOINED = "joined"


class Header(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The middle frame.

    `epoch` is the lane's generation, `time_ns` the wall clock at publishing.
    """

    v: int
    kind: Kind
    epoch: int
    offset: int
    length: int
    time_ns: int


class OutputMessage(Struct, frozen=True):
    """One output message, decoded."""

    topic: str
    kind: Kind
    epoch: int
    offset: int
    time_ns: int
    data: bytes

    @property
    def end(self) -> int:
        """The offset after this message's bytes (data), else `offset`."""
        return self.offset + (len(self.data) if self.kind is Kind.DATA else 0)


FRAMES: Final = 3
_ENCODE: Final = msgspec.msgpack.Encoder().encode
_HEADER: Final = msgspec.msgpack.Decoder(Header)
_EXIT: Final = msgspec.msgpack.Decoder(ExitStatus)
_SIZE: Final = msgspec.msgpack.Decoder(tuple[int, int])


def encode_output(message: OutputMessage) -> tuple[bytes, bytes, bytes]:
    """Return the three frames of `message`."""
    header = Header(
        VERSION, message.kind, message.epoch, message.offset, len(message.data), message.time_ns
    )
    return message.topic.encode("ascii"), _ENCODE(header), message.data


def decode_output(frames: list[bytes]) -> OutputMessage:
    """Return the message in three frames.

    Raises:
        WireError: INVALID_ENVELOPE for anything that is not one.
    """
    if len(frames) != FRAMES:
        raise WireError("INVALID_ENVELOPE", "an output message has three frames")
    try:
        topic = frames[0].decode("ascii")
        header = _HEADER.decode(frames[1])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError("INVALID_ENVELOPE", f"not an output message: {error}") from None
    if header.v != VERSION:
        raise WireError("UNSUPPORTED_VERSION", f"output of version {header.v}")
    if header.length != len(frames[2]):
        raise WireError(
            "INVALID_ENVELOPE", "an output message whose length is not that of its bytes"
        )
    return OutputMessage(topic, header.kind, header.epoch, header.offset, header.time_ns, frames[2])


def encode_exit(status: ExitStatus) -> bytes:
    """Return the bytes of an `end` message."""
    return _ENCODE(status)


def decode_exit(data: bytes) -> ExitStatus:
    """Return the exit status in the bytes of an `end` message; raises INVALID_ENVELOPE."""
    try:
        return _EXIT.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError("INVALID_ENVELOPE", f"not an exit status: {error}") from None


def encode_size(cols: int, rows: int) -> bytes:
    """Return the bytes of a `resize` message."""
    return _ENCODE((cols, rows))


def decode_size(data: bytes) -> tuple[int, int]:
    """Return columns and rows of a `resize` message; raises INVALID_ENVELOPE."""
    try:
        return _SIZE.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise WireError("INVALID_ENVELOPE", f"not a size: {error}") from None
