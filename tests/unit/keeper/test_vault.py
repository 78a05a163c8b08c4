"""The vault's limit: what is replaced needs no room."""

import pytest

from lanekeeper.keeper.events import Discard, RequestError
from lanekeeper.keeper.vault import Vault


def test_what_replaces_something_fits_into_a_full_vault() -> None:
    vault = Vault(2)
    message = {"name": "lane", "kinds": ["output", "control"]}
    vault.deposit(1, "lane_a", message, (10, 11))
    assert Discard((10, 11)) in vault.deposit(1, "lane_a", message, (12, 13))
    assert vault.total == vault.held("lane_a") == 2
    for more in ({"name": "lane", "kinds": ["output", "log"]}, {"name": "x", "kinds": ["a", "b"]}):
        with pytest.raises(RequestError, match="at most 2"):
            vault.deposit(1, "lane_a", more, (14, 15))
    assert vault.held("lane_a") == 2
    vault.release(1, "lane_a", {"name": "lane", "kinds": ["control"]})
    vault.deposit(1, "lane_a", {"name": "lane", "kinds": ["output", "log"]}, (16, 17))
    assert vault.total == 2
