"""`orphans.*` in the core: looking, asking the keeper, judging, cleaning, watching."""

from dataclasses import replace

import msgspec
import pytest

from lanekeeper.broker.orphans import KEEPER_SECONDS, WATCH_SOON
from lanekeeper.broker.stimuli import FromKeeper, KeeperDown, Look, Looked, Tick, Tidied, Tidy
from lanekeeper.keeper.facts import Facts, Outcome, Place, Seen
from lanekeeper.wire.envelope import Response
from lanekeeper.wire.messages.orphans import OrphanClean, OrphanList, OrphansCleaned
from unit.broker.bench import Bench

DIR = "/run/plane"
STRAY = Seen((21, 210), 19, "lane-worker", 60.0, role="worker", directory=DIR)
BROKEN = b"mv\xd0".decode("utf-8", "surrogateescape")
FACTS = Facts(DIR, (STRAY,), (Place(DIR, 18),))


def tell(bench: Bench, *, vault: dict[str, int] | None = None, facts: Facts = FACTS) -> None:
    """Give facts, then the keeper's two answers."""
    bench.feed(Looked(facts))
    entries = [{"owner": owner, "held": held} for owner, held in (vault or {}).items()]
    for message in (
        {"op": "status", "processes": [{"pid": 18, "start_time": 180}], "more": False},
        {"op": "vault", "entries": entries, "more": False},
    ):
        bench.feed(FromKeeper({"id": "orphans", **message}))


def last(bench: Bench) -> Response:
    return bench.replies[-1][1]


def listed(bench: Bench) -> OrphanList:
    assert not bench.send(bench.command("orphans.list"))
    tell(bench)
    return msgspec.msgpack.decode(last(bench).result, type=OrphanList)


def test_facts_come_before_the_keeper_is_asked(bench: Bench) -> None:
    assert not bench.send(bench.command("orphans.list"))
    assert bench.looks == [Look()]
    assert not [one for one in bench.asked if one.get("id") == "orphans"]
    bench.feed(Looked(FACTS))
    assert [one["op"] for one in bench.asked[-2:]] == ["status", "vault"]
    assert not bench.replies


def test_a_stray_worker_is_listed_and_announced_once(bench: Bench) -> None:
    first, second = listed(bench), listed(bench)
    assert first == second
    assert [one.kind for one in first.orphans] == ["worker-without-lane"]
    assert first.complete
    assert [event.topic for event in bench.events].count("orphan.found") == 1


def test_those_who_ask_meanwhile_share_a_look(bench: Bench) -> None:
    bench.send(bench.command("orphans.list"), b"one")
    bench.send(bench.command("orphans.list"), b"two")
    assert bench.looks == [Look()]
    tell(bench)
    assert [route for route, _ in bench.replies] == [b"one", b"two"]


def test_a_silent_keeper_does_not_hold_up_the_answer(bench: Bench) -> None:
    bench.send(bench.command("orphans.list"))
    bench.feed(Looked(FACTS))
    bench.now += KEEPER_SECONDS + 0.1
    bench.feed(Tick())
    answer = msgspec.msgpack.decode(last(bench).result, type=OrphanList)
    assert (answer.orphans, answer.complete) == ([], False)


def test_without_a_keeper_the_answer_comes_at_once(bench: Bench) -> None:
    bench.feed(KeeperDown())
    bench.send(bench.command("orphans.list"))
    bench.feed(Looked(FACTS))
    answer = msgspec.msgpack.decode(last(bench).result, type=OrphanList)
    assert not answer.complete


def test_cleaning_looks_again_and_cleans_what_is_there(bench: Bench) -> None:
    (orphan,) = listed(bench).orphans
    wanted = OrphanClean(ids=[orphan.id, "orphan_gone"])
    command = bench.command("orphans.clean", wanted)
    assert not bench.send(command)
    tell(bench)
    tidy = bench.looks[-1]
    assert isinstance(tidy, Tidy)
    assert [one.processes for one in tidy.findings] == [((21, 210),)]
    bench.feed(Tidied(tidy.key, [Outcome(orphan.id, killed=1)]))
    done = msgspec.msgpack.decode(last(bench).result, type=OrphansCleaned)
    assert [(one.id, one.killed, one.gone) for one in done.cleaned] == [
        (orphan.id, 1, False),
        ("orphan_gone", 0, True),
    ]
    assert bench.events[-1].topic == "orphan.cleaned"
    looks = len(bench.looks)
    assert bench.send(command) == [last(bench)]
    assert len(bench.looks) == looks


def test_cleaning_that_is_asked_for_again_happens_once(bench: Bench) -> None:
    (orphan,) = listed(bench).orphans
    command = bench.command("orphans.clean", OrphanClean(ids=[orphan.id]))
    bench.send(command, b"first")
    bench.send(command, b"again")
    tell(bench)
    assert len([one for one in bench.looks if isinstance(one, Tidy)]) == 1
    assert [event.topic for event in bench.events].count("orphan.cleaned") == 1
    bench.feed(Tidied(command.id, [Outcome(orphan.id, killed=1)]))
    assert bench.replies[-1][0] == b"again"


def test_a_vault_entry_that_nobody_owns_is_swept_by_the_keeper(bench: Bench) -> None:
    bench.send(bench.command("orphans.list"))
    tell(bench, vault={"lane_gone": 9, "broker": 1})
    found = msgspec.msgpack.decode(last(bench).result, type=OrphanList).orphans
    (entry,) = [one for one in found if one.kind == "vault-entry-without-owner"]
    assert (entry.lane_id, entry.recoverable) == ("lane_gone", False)
    assert "lane orphans clean" in entry.remedy
    assert bench.refusal("lane.recover", lane_id="lane_gone").code == "LANE_NOT_FOUND"
    bench.send(bench.command("orphans.clean", OrphanClean(ids=[entry.id])))
    tell(bench, vault={"lane_gone": 9})
    assert bench.asked[-1] == {"op": "sweep", "id": "orphan:lane_gone", "lane_id": "lane_gone"}


def test_a_look_that_failed_is_answered_and_the_next_one_looks_again(bench: Bench) -> None:
    assert not bench.send(bench.command("orphans.list"))
    bench.feed(Looked(None))
    error = last(bench).error
    assert error is not None
    assert (error.code, "lane logs broker" in error.message) == ("INTERNAL", True)
    assert listed(bench).orphans


def test_a_name_that_is_no_text_is_written_out(bench: Bench) -> None:
    strange = Facts(
        DIR,
        (Seen((21, 210), 1, BROKEN, 60.0, directory=DIR, terminal_id="term_gone"),),
        (Place(DIR, 18),),
    )
    assert not bench.send(bench.command("orphans.list"))
    tell(bench, facts=strange)
    (found,) = msgspec.msgpack.decode(last(bench).result, type=OrphanList).orphans
    assert r"mv\xd0 21 outlived" in found.text
    assert bench.events[-1].topic == "orphan.found"


def test_a_defect_in_judging_is_answered_and_the_next_one_looks_again(bench: Bench) -> None:
    assert not bench.send(bench.command("orphans.list"), b"one")
    assert not bench.send(bench.command("orphans.list"), b"two")
    bench.feed(Looked(FACTS))
    looking = bench.core.desk.looking
    looking.facts = replace(FACTS, places=(Place("\ud800", None, files=("x",)),))
    with pytest.raises(UnicodeEncodeError):
        bench.keeper(id="orphans", op="vault", entries=[], more=False)
    bench.rescue()
    assert [(route, one.error.code) for route, one in bench.replies if one.error] == [
        (b"one", "INTERNAL"),
        (b"two", "INTERNAL"),
    ]
    assert listed(bench).orphans


def test_a_defect_at_one_deadline_leaves_the_others(bench: Bench) -> None:
    lane_id, _ = bench.lane()
    bench.send(bench.command("orphans.list"))
    bench.feed(Looked(replace(FACTS, places=(Place("\ud800", None, files=("x",)),))))
    late = bench.command("session.create", lane_id=lane_id, deadline_ms=3_100)
    bench.send(late)
    bench.now += KEEPER_SECONDS + 1.0
    with pytest.raises(UnicodeEncodeError):
        bench.feed(Tick())
    bench.rescue()
    bench.wait(0.0)
    refused = {one.id: one.error.code for _, one in bench.replies if one.error is not None}
    assert refused[late.id] == "TIMEOUT"


def test_the_broker_looks_by_itself_after_a_while(bench: Bench) -> None:
    bench.now += WATCH_SOON + 0.1
    bench.feed(Tick())
    assert bench.looks == [Look()]
    tell(bench)
    assert bench.events[-1].topic == "orphan.found"
    assert not bench.replies
