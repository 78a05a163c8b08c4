"""`lane record -o`: the file is there only for a recording."""

from pathlib import Path

import pytest

from lanekeeper.cli.main import run
from unit.client.fakeplane import FakePlane


def test_an_address_that_means_nothing_leaves_no_file(
    fake: FakePlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(fake.directory))
    path = tmp_path / "rec.cast"
    words = ["--runtime-dir", str(fake.directory), "record", "build", "-o", str(path)]
    assert run(words) == 4
    assert not path.exists()
