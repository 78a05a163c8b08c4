"""The journal: whatever instant its writer is killed at, whole records are there and no others."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.keeper.journal import (
    COMPACT_MIN,
    PAYLOAD_MAX,
    Journal,
    JournalError,
    Region,
    frame,
    header,
    locate,
    plan_compaction,
    scan,
)

PAYLOADS = st.lists(st.binary(min_size=1, max_size=40), max_size=8)


@pytest.fixture
def journal() -> Iterator[Journal]:
    one = Journal.create("test")
    yield one
    one.close()


def append_until_due(journal: Journal, length: int) -> None:
    while not journal.needs_compaction:
        journal.append(bytes(length))


def image_of(journal: Journal) -> bytes:
    return os.pread(journal.fd, os.fstat(journal.fd).st_size, 0)


def records_of(image: bytes | bytearray) -> list[bytes]:
    region = locate(image)
    assert region is not None
    return scan(image[region.start :], region.generation).payloads


@given(PAYLOADS, st.integers(0, 2**32 - 1))
def test_frames_are_scanned_back(payloads: list[bytes], generation: int) -> None:
    data = b"".join(frame(payload, generation) for payload in payloads)
    assert scan(data, generation).payloads == payloads
    assert scan(data, generation).end == len(data)


@given(PAYLOADS, st.data())
def test_truncation_gives_exactly_the_records_before(
    payloads: list[bytes], data: st.DataObject
) -> None:
    frames = [frame(payload) for payload in payloads]
    whole = b"".join(frames)
    cut = data.draw(st.integers(0, len(whole)))
    kept = [i for i in range(len(frames)) if sum(map(len, frames[: i + 1])) <= cut]
    assert scan(whole[:cut]).payloads == [payloads[i] for i in kept]


@given(PAYLOADS.filter(bool), st.data())
def test_changed_byte_ends_the_scan_there(payloads: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(b"".join(frame(payload) for payload in payloads))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    found = scan(whole).payloads
    assert found == payloads[: len(found)]
    assert len(found) < len(payloads)


@given(PAYLOADS, st.integers(0, 2**31))
def test_records_of_another_generation_are_none(payloads: list[bytes], generation: int) -> None:
    data = b"".join(frame(payload, generation) for payload in payloads)
    assert scan(data, generation + 1).payloads == []


@given(st.lists(PAYLOADS, min_size=1, max_size=4), st.data())
def test_compaction_killed_at_any_byte_gives_old_or_new(
    images: list[list[bytes]], data: st.DataObject
) -> None:
    region = Region(0, 64, 0)
    disk = bytearray(64)
    disk[: len(header(region).data)] = header(region).data
    end, old = 64, list[bytes]()
    for payloads in images:
        following, writes = plan_compaction(region, end, payloads)
        total = sum(len(write.data) for write in writes)
        left = data.draw(st.integers(0, total))
        killed = bytearray(disk)
        for write in writes:
            part = write.data[:left]
            left -= len(part)
            apply(killed, write.offset, part)
            apply(disk, write.offset, write.data)
        assert records_of(killed) in (old, payloads)
        assert records_of(disk) == payloads
        region, end, old = following, following.start + following.base, payloads
        del disk[end:]


def apply(disk: bytearray, offset: int, data: bytes) -> None:
    if len(disk) < offset + len(data):
        disk.extend(bytes(offset + len(data) - len(disk)))
    disk[offset : offset + len(data)] = data


def test_successor_reads_what_was_appended_and_goes_on(journal: Journal) -> None:
    for number in range(10):
        journal.append(b"%d" % number)
    successor = Journal.open(journal.fd)
    assert list(successor.records()) == [b"%d" % number for number in range(10)]
    successor.append(b"more")
    assert list(Journal.open(journal.fd).records())[-2:] == [b"9", b"more"]


def test_torn_record_is_cut_off_and_overwritten(journal: Journal) -> None:
    journal.append(b"whole")
    torn = frame(b"torn" + frame(b"inside"))[:-1]
    os.pwrite(journal.fd, torn, os.fstat(journal.fd).st_size)
    successor = Journal.open(journal.fd)
    assert list(successor.records()) == [b"whole"]
    successor.append(b"next")
    assert list(Journal.open(journal.fd).records()) == [b"whole", b"next"]


def test_descriptor_stays_good_over_compactions(journal: Journal) -> None:
    vaulted = os.dup(journal.fd)
    for number in range(6):
        journal.append(b"before" * 50)
        journal.compact([b"kept", b"%d" % number])
        journal.append(b"after")
        assert records_of(image_of(journal)) == [b"kept", b"%d" % number, b"after"]
    assert list(Journal.open(vaulted).records()) == [b"kept", b"5", b"after"]
    os.close(vaulted)


def test_compaction_keeps_the_file_small(journal: Journal) -> None:
    for _ in range(50):
        append_until_due(journal, 100)
        journal.compact([bytes(100)] * 100)
    assert os.fstat(journal.fd).st_size < 4 * COMPACT_MIN


def test_compaction_is_due_when_the_records_have_doubled(journal: Journal) -> None:
    assert not journal.needs_compaction
    append_until_due(journal, 1000)
    assert journal.size > COMPACT_MIN
    journal.compact([bytes(1000)] * 100)
    base = journal.size
    assert not journal.needs_compaction
    assert not Journal.open(journal.fd).needs_compaction
    append_until_due(journal, 1000)
    assert journal.size >= 2 * base


@pytest.mark.parametrize("payload", [b"", bytes(PAYLOAD_MAX + 1)])
def test_payload_that_cannot_be_stored_changes_nothing(journal: Journal, payload: bytes) -> None:
    journal.append(b"there")
    with pytest.raises(JournalError):
        journal.append(payload)
    with pytest.raises(JournalError):
        journal.compact([b"x", payload])
    assert list(journal.records()) == [b"there"]


def test_other_memfd_is_refused() -> None:
    fd = os.memfd_create("other")
    os.write(fd, b"x" * 100)
    with pytest.raises(JournalError):
        Journal.open(fd)
    os.close(fd)
