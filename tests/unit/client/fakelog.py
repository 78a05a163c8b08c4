"""A lane's side of one terminal's output: its log, its messages, its answers to reads."""

from dataclasses import dataclass, field

from lanekeeper.client.items import Item
from lanekeeper.client.stream import Assembly, ReadNeeded
from lanekeeper.wire.messages.terminal import ExitStatus, ReadResult
from lanekeeper.wire.messages.terminal import Gap as LogGap
from lanekeeper.wire.output import Kind, OutputMessage, encode_exit

EXIT = ExitStatus(kind="exited", code=7)


@dataclass
class FakeLog:
    """A lane's side: one log, its messages, and the answers to reads."""

    log: bytearray = field(default_factory=bytearray)
    tail: int = 0
    epoch: int = 1
    ended: bool = False

    def message(self, kind: Kind, offset: int, data: bytes = b"") -> OutputMessage:
        """Return a message of the present epoch."""
        return OutputMessage("term_1", kind, self.epoch, offset, 0, data)

    def write(self, data: bytes) -> OutputMessage:
        """Append and return the message that publishes it."""
        offset = len(self.log)
        self.log += data
        return self.message(Kind.DATA, offset, data)

    def head(self) -> OutputMessage:
        """Return the beacon."""
        return self.message(Kind.HEAD, len(self.log))

    def end(self) -> OutputMessage:
        """End the program and return the message."""
        self.ended = True
        return self.message(Kind.END, len(self.log), encode_exit(EXIT))

    def read(self, need: ReadNeeded) -> ReadResult:
        """Answer a read as a worker does."""
        asked = self.tail if need.offset is None else need.offset
        offset = max(asked, self.tail)
        return ReadResult(
            offset=offset,
            data=bytes(self.log[offset : offset + need.size]),
            head=len(self.log),
            tail=self.tail,
            epoch=self.epoch,
            gap=LogGap(start=asked, end=offset) if asked < offset else None,
            end=len(self.log) if self.ended else None,
            exit=EXIT if self.ended else None,
        )


def answer_reads(assembly: Assembly, log: FakeLog) -> int:
    """Answer reads until none is needed; return how many there were."""
    count = 0
    while (need := assembly.begin_read()) is not None:
        assembly.answer(log.read(need))
        count += 1
        assert count < 10_000
    return count


def take_all(assembly: Assembly) -> list[Item]:
    """Take everything that is there."""
    items: list[Item] = []
    while (item := assembly.take()) is not None:
        items.append(item)
    return items


def started(log: FakeLog, start: int | None = 0, *, follow: bool = True) -> Assembly:
    """Return an assembly that has looked at the log."""
    assembly = Assembly(start, follow=follow)
    answer_reads(assembly, log)
    return assembly
