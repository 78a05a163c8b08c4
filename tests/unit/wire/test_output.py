"""Output messages against plain msgpack, both ways, and hostile frames."""

import contextlib

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.terminal import ExitStatus
from lanekeeper.wire.output import (
    Kind,
    OutputMessage,
    decode_exit,
    decode_output,
    decode_size,
    encode_exit,
    encode_output,
    encode_size,
)


def test_frames_are_the_topic_a_plain_array_and_the_bytes() -> None:
    message = OutputMessage("term_1", Kind.DATA, 3, 100, 99, b"hello")
    topic, header, data = encode_output(message)
    assert (topic, data) == (b"term_1", b"hello")
    assert msgpack.unpackb(header) == [1, "data", 3, 100, 5, 99]
    assert message.end == 105


def test_frames_of_plain_msgpack_are_understood() -> None:
    frames = [b"tok_1", msgpack.packb([1, "joined", 2, 0, 0, 5]), b""]
    message = decode_output(frames)
    assert (message.topic, message.kind, message.epoch) == ("tok_1", Kind.JOINED, 2)


@given(
    st.sampled_from(list(Kind)),
    st.integers(0, 2**40),
    st.integers(0, 2**60),
    st.binary(max_size=200),
)
def test_messages_travel_both_ways(kind: Kind, epoch: int, offset: int, data: bytes) -> None:
    message = OutputMessage("term_1", kind, epoch, offset, 7, data)
    assert decode_output(list(encode_output(message))) == message
    assert message.end == offset + (len(data) if kind is Kind.DATA else 0)


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_no_frames_do_more_than_a_refusal(frames: list[bytes]) -> None:
    with contextlib.suppress(WireError):
        decode_output(frames)


@pytest.mark.parametrize(
    "frames",
    [
        [b"t", msgpack.packb([1, "data", 1, 0, 2, 0]), b"x"],
        [b"t", msgpack.packb([1, "news", 1, 0, 1, 0]), b"x"],
        [b"t", msgpack.packb([1, "data", 1, 0, 1, 0, 9]), b"x"],
        [b"t\xff", msgpack.packb([1, "data", 1, 0, 1, 0]), b"x"],
        [b"t", b"\x91" * 5_000, b"x"],
        [b"t", msgpack.packb([1, "data", 1, 0, 1, 0])],
    ],
)
def test_malformed_frames_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(WireError) as caught:
        decode_output(frames)
    assert caught.value.code == "INVALID_ENVELOPE"


def test_another_version_is_refused_as_such() -> None:
    with pytest.raises(WireError) as caught:
        decode_output([b"t", msgpack.packb([2, "data", 1, 0, 1, 0]), b"x"])
    assert caught.value.code == "UNSUPPORTED_VERSION"


def test_exit_and_size_travel_as_plain_msgpack() -> None:
    status = ExitStatus(kind="signaled", signal=9, core=True)
    assert msgpack.unpackb(encode_exit(status)) == {"kind": "signaled", "signal": 9, "core": True}
    assert decode_exit(encode_exit(status)) == status
    assert msgpack.unpackb(encode_size(80, 24)) == [80, 24]
    assert decode_size(msgpack.packb([132, 50])) == (132, 50)


@given(st.binary(max_size=60))
def test_hostile_bodies_are_refused(data: bytes) -> None:
    for decode in (decode_exit, decode_size):
        with contextlib.suppress(WireError):
            decode(data)
