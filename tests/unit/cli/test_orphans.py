"""`lane orphans clean`: which are chosen, and how those are refused that are not to be cleaned."""

import pytest

from lanekeeper.cli.errors import CliError
from lanekeeper.cli.orphans import select
from lanekeeper.wire.messages.orphans import Orphan


def orphan(name: str, *, cleanable: bool) -> Orphan:
    return Orphan(
        id=name,
        kind="lane",
        directory="/run/p",
        text="a lane without worker",
        remedy="lane recover build",
        signals=[],
        recoverable=False,
        cleanable=cleanable,
        processes=[],
        paths=[],
    )


def test_an_id_that_only_its_remedy_ends_is_refused_not_misused() -> None:
    known = [orphan("orphan_a", cleanable=True), orphan("orphan_b", cleanable=False)]
    assert select(known, ("orphan_a",), "/run/p") == known[:1]
    with pytest.raises(CliError, match="cannot be cleaned") as refused:
        select(known, ("orphan_b",), "/run/p")
    assert refused.value.exit_status == 3
    assert refused.value.hint == "lane recover build instead"
