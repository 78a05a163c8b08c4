"""Output over a lossy link: what is delivered equals the log, with gaps where it has none."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from lanekeeper.client.items import Data, Ended, Gap, Item, Resized
from lanekeeper.client.stream import Assembly
from lanekeeper.wire.output import Kind, OutputMessage, encode_size
from unit.client.fakelog import EXIT, FakeLog, answer_reads, take_all

SCRIPT = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.binary(min_size=1, max_size=30)),
        st.tuples(st.just("resize"), st.just(b"")),
        st.tuples(st.just("beacon"), st.just(b"")),
        st.tuples(st.just("retire"), st.binary(min_size=1, max_size=1)),
        st.tuples(st.just("successor"), st.just(b"")),
        st.tuples(st.just("reconnect"), st.just(b"")),
        st.tuples(st.just("read"), st.just(b"")),
        st.tuples(st.just("take"), st.just(b"")),
    ),
    max_size=40,
)
FATES = st.lists(st.sampled_from(["deliver", "deliver", "lose", "twice", "hold"]), max_size=40)


@dataclass
class LossyLink:
    """Loses, doubles and holds back messages; a reconnect lets out what was held, shuffled."""

    assembly: Assembly
    fates: list[str]
    held: list[OutputMessage] = field(default_factory=list)

    def send(self, message: OutputMessage) -> None:
        """Carry a message, or not."""
        fate = self.fates.pop() if self.fates else "deliver"
        if fate == "hold":
            self.held.append(message)
        for _ in range({"deliver": 1, "twice": 2}.get(fate, 0)):
            self.assembly.message(message)

    def reconnect(self) -> None:
        """Let out what was held, the last first."""
        while self.held:
            self.assembly.message(self.held.pop())


@given(script=SCRIPT, fates=FATES, from_zero=st.booleans())
@settings(max_examples=300)
def test_whatever_the_link_does_the_log_is_delivered(
    *, script: list[tuple[str, bytes]], fates: list[str], from_zero: bool
) -> None:
    log = FakeLog()
    assembly = Assembly(0 if from_zero else None)
    link = LossyLink(assembly, list(fates))
    items: list[Item] = []
    for word, data in script:
        match word:
            case "write":
                link.send(log.write(data))
            case "resize":
                link.send(log.message(Kind.RESIZE, len(log.log), encode_size(80, 25)))
            case "beacon":
                link.send(log.head())
            case "retire":
                log.tail = min(len(log.log), log.tail + data[0] % 20)
            case "successor":
                log.epoch += 1
            case "reconnect":
                link.reconnect()
            case "read":
                need = assembly.begin_read()
                if need is not None:
                    assembly.answer(log.read(need))
            case _:
                items += take_all(assembly)
    link.send(log.end())
    link.reconnect()
    assembly.look()
    answer_reads(assembly, log)
    items += take_all(assembly)
    check(items, log, 0 if from_zero else None)
    assert assembly.finished


def check(items: list[Item], log: FakeLog, start: int | None) -> None:
    """Everything once, in order; gaps only where the log has nothing left; the end last."""
    assert isinstance(items[-1], Ended)
    assert items[-1] == Ended(len(log.log), EXIT)
    position = start
    for item in items[:-1]:
        if isinstance(item, Resized):
            continue
        assert isinstance(item, Data | Gap)
        begin = item.offset if isinstance(item, Data) else item.start
        assert position is None or begin == position
        if isinstance(item, Data):
            assert item.data == log.log[begin : item.end]
        else:
            assert item.end <= log.tail
        position = item.end
    assert position is None or position == len(log.log)
