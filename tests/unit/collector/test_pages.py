"""Who gets which page: those with the token, by our own names, and no web page."""

import pytest

from lanekeeper.collector.pages import Asked, Page, answer

TOKEN = "0123456789abcdef" * 4
GOOD = {"host": ["127.0.0.1:9464"], "authorization": [f"Bearer {TOKEN}"]}


def ask(
    target: str = "/metrics", method: str = "GET", token: str = TOKEN, **headers: list[str] | None
) -> Page:
    named = GOOD | {name.replace("_", "-"): value for name, value in headers.items()}
    kept = {name: value for name, value in named.items() if value is not None}
    return answer(Asked(method, target, kept), token, 9464, lambda accept: ("a/b", accept.encode()))


def test_the_figures_are_for_those_who_show_the_token() -> None:
    page = ask(accept=["text/plain"])
    assert (page.status, page.content_type, page.body) == (200, "a/b", b"text/plain")
    assert ask(authorization=[f"bearer {TOKEN}"]).status == 200
    assert ask("/metrics?a=b").status == 200


@pytest.mark.parametrize(
    "shown",
    [
        None,
        [],
        [""],
        ["Bearer"],
        ["Bearer "],
        [f"Bearer {TOKEN[:-1]}"],
        [f"Bearer {TOKEN}x"],
        [f"Bearer {TOKEN.upper()}"],
        [f"Basic {TOKEN}"],
        [TOKEN],
        [f"Bearer {TOKEN}", f"Bearer {TOKEN}"],
        ["Bearer \u00e9\u00e9"],
        ["Bearer " + "x" * 8000],
    ],
)
def test_without_the_token_there_are_none(shown: list[str] | None) -> None:
    page = ask(authorization=shown)
    assert page.status == 401
    assert TOKEN.encode() not in page.body
    assert ("WWW-Authenticate", 'Bearer realm="lanekeeper"') in page.headers


def test_an_empty_token_lets_nobody_in() -> None:
    assert ask(token="", authorization=["Bearer "]).status == 401


def test_health_needs_no_token() -> None:
    page = ask("/healthz", authorization=None)
    assert (page.status, page.body) == (200, b"ok\n")


@pytest.mark.parametrize("target", ["/", "/metrics/", "/../metrics", "http://evil/metrics", "*"])
def test_there_is_nothing_else(target: str) -> None:
    assert ask(target).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "get"])
def test_nothing_can_be_changed(method: str) -> None:
    assert ask(method=method).status == 405
    assert ask("/healthz", method=method).status == 405


@pytest.mark.parametrize(
    "host",
    [
        None,
        [],
        [""],
        ["evil.example"],
        ["evil.example:9464"],
        ["127.0.0.1.evil.example:9464"],
        ["127.0.0.1:80"],
        ["127.0.0.1:9464@evil"],
        ["127.0.0.2:9464"],
        ["0.0.0.0:9464"],
        ["localhost.:9464"],
        ["127.0.0.1:9464", "127.0.0.1:9464"],
        ["127.0.0.1:"],
    ],
)
@pytest.mark.parametrize("target", ["/metrics", "/healthz"])
def test_a_name_that_is_not_ours_gets_nothing(host: list[str] | None, target: str) -> None:
    assert ask(target, host=host).status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9464", "[::1]:9464", "127.0.0.1"])
def test_our_own_names(host: str) -> None:
    assert ask(host=[host]).status == 200


def test_web_pages_get_nothing_even_with_the_token() -> None:
    assert ask(origin=["http://127.0.0.1:9464"]).status == 403
    assert ask(origin=["null"]).status == 403
    assert ask(sec_fetch_site=["cross-site"]).status == 403
    assert ask(sec_fetch_site=["same-origin"]).status == 403
    assert ask(sec_fetch_site=["none"]).status == 200
