"""The detach key: its names, and finding it in what is typed."""

import click
import pytest

from lanekeeper.cli.keys import DEFAULT, detach_key


@pytest.mark.parametrize(
    ("name", "typed"),
    [("ctrl-]", b"\x1d"), ("ctrl-a", b"\x01"), ("^\\", b"\x1c"), ("C-Q", b"\x11")],
)
def test_a_key_by_its_name(name: str, typed: bytes) -> None:
    key = detach_key(name)
    assert key.find(b"before" + typed + b"after") == b"before"
    assert key.find(b"nothing of it") is None


@pytest.mark.parametrize("typed", [b"\x1d", b"\x1b[93;5u", b"\x1b[93;5:1u", b"\x1b[27;5;93~"])
def test_the_default_in_every_form_a_terminal_sends_it(typed: bytes) -> None:
    assert detach_key(DEFAULT).find(typed) == b""


def test_none_never_detaches() -> None:
    assert detach_key("none").find(bytes(range(256))) is None


@pytest.mark.parametrize("name", ["", "x", "ctrl-", "ctrl-ab", "alt-x", "F1"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(click.BadParameter, match="detach key"):
        detach_key(name)


def test_the_key_shows_its_name() -> None:
    assert detach_key("^]").name == "ctrl-]"
