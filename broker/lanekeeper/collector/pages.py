"""What is answered to a request for a page: who may have it, and which there are.

    /metrics    the figures, for those who show the token
    /healthz    `ok`, for anybody on this machine: it says no more than that the port is open

Refuses every method but GET and HEAD, a `Host` that is not this machine's own (a page in a browser
whose name was bound to 127.0.0.1 sends its own name), and everything that says it comes from a
web page at all. Sans-IO. Called by `http`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final

METRICS_PATH: Final = "/metrics"
HEALTH_PATH: Final = "/healthz"
_PLAIN: Final = "text/plain; charset=utf-8"
_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_FROM_A_PAGE: Final = frozenset({"origin", "sec-fetch-site"})
"""Headers that a browser adds to what a page asks for; Prometheus and curl send none of them."""
_DIRECT: Final = "none"
"""What `sec-fetch-site` says when a person typed the address."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: header names in lower case, the values of one that came twice in a list."""

    method: str
    target: str
    headers: Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Page:
    """An answer; `headers` beside those of its type and length."""

    status: int
    body: bytes
    content_type: str = _PLAIN
    headers: tuple[tuple[str, str], ...] = field(default=())


Render = Callable[[str], tuple[str, bytes]]
"""Returns content type and body of the figures for an `Accept`."""


def answer(asked: Asked, token: str, port: int, render: Render) -> Page:
    """Return the page that was asked for, or the refusal."""
    refusal = _refusal(asked, port)
    if refusal is not None:
        return refusal
    path = asked.target.partition("?")[0]
    if path == HEALTH_PATH:
        return Page(200, b"ok\n")
    if path != METRICS_PATH:
        return _refuse(404, f"there are {METRICS_PATH} and {HEALTH_PATH}")
    if not _shows(asked.headers.get("authorization", []), token):
        return Page(
            401,
            b"send Authorization: Bearer TOKEN; it is in metrics/token of the plane's directory\n",
            headers=(("WWW-Authenticate", 'Bearer realm="lanekeeper"'),),
        )
    content_type, body = render(",".join(asked.headers.get("accept", [])))
    return Page(200, body, content_type, (("Cache-Control", "no-store"),))


def _refusal(asked: Asked, port: int) -> Page | None:
    if asked.method not in {"GET", "HEAD"}:
        page = _refuse(405, "only GET and HEAD")
        return Page(page.status, page.body, headers=(("Allow", "GET, HEAD"),))
    hosts = asked.headers.get("host", [])
    if len(hosts) != 1 or not _ours(hosts[0], port):
        return _refuse(421, "ask for 127.0.0.1 or localhost")
    for name in _FROM_A_PAGE & asked.headers.keys():
        if name == "origin" or asked.headers[name] != [_DIRECT]:
            return _refuse(403, "this is not for web pages")
    return None


def _ours(host: str, port: int) -> bool:
    name, colon, digits = host.lower().rpartition(":")
    if host.lower() in _HOSTS:
        return True
    return bool(colon) and name in _HOSTS and digits == str(port)


def _shows(given: list[str], token: str) -> bool:
    if len(given) != 1:
        return False
    scheme, _, shown = given[0].partition(" ")
    same = compare_digest(shown.strip().encode("utf-8", "replace"), token.encode("ascii"))
    return scheme.lower() == "bearer" and same and bool(token)


def _refuse(status: int, text: str) -> Page:
    return Page(status, f"{text}\n".encode())
