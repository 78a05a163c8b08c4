"""Addresses on the command line."""

import pytest

from lanekeeper.cli.address import Address, of_lane, parse
from lanekeeper.cli.errors import CliError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("build", Address("build")),
        ("web/api", Address("api", "web")),
        ("build:main", Address("build", None, "main")),
        ("build.t1", Address("build", None, None, "t1")),
        ("web/api:main.t1", Address("api", "web", "main", "t1")),
    ],
)
def test_every_form(text: str, expected: Address) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["", "/", "web/", "/api", "a:", "a.", "a b", "-x", "a/b/c", "ä"])
def test_what_is_not_an_address_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(CliError, match="not an address") as caught:
        parse(text)
    assert caught.value.exit_status == 3


def test_a_lane_alone_is_wanted() -> None:
    assert of_lane("web/api").lane == "api"
    with pytest.raises(CliError, match="no more"):
        of_lane("web/api:main")
