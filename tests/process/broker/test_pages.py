"""The collector's port against those who mean harm, are slow, or are many."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.pages import Pages
from lanekeeper.collector.http import CONNECTIONS_MOST, HEAD_BYTES, REQUEST_SECONDS
from process.broker.bus import Daemon, private_directory

FIGURE = "lanekeeper_"


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """The pages of one collector for all of these: it has to live through every one of them."""
    with private_directory() as directory:
        daemon = Daemon(directory, "collector")
        yield Pages(directory)
        assert daemon.process.poll() is None
        assert "Traceback" not in (directory / "log" / "collector.log").read_text()
        assert daemon.stop() == 0


def connect(pages: Pages) -> socket.socket:
    return socket.create_connection(("127.0.0.1", pages.port), timeout=20.0)


def say(pages: Pages, *pieces: bytes) -> bytes:
    """Send bytes on a connection of its own and return everything that comes back."""
    with connect(pages) as sock:
        with contextlib.suppress(OSError):  # it may hang up before all of it was sent
            for piece in pieces:
                sock.sendall(piece)
            sock.shutdown(socket.SHUT_WR)
        return everything(sock)


def everything(sock: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            found += piece
    return found


def healthy(pages: Pages) -> None:
    """The port still serves those who ask properly, and soon."""
    started = time.monotonic()
    assert pages.get("/healthz")[0] == 200
    assert pages.get()[0] == 200
    assert time.monotonic() - started < 2.0


def request(*lines: str, path: str = "/metrics", method: str = "GET") -> bytes:
    head = [f"{method} {path} HTTP/1.1", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1")


def authorised(pages: Pages) -> tuple[str, str]:
    return f"Host: 127.0.0.1:{pages.port}", f"Authorization: Bearer {pages.token}"


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def test_figures_with_the_token_and_nothing_without(pages: Pages) -> None:
    found, headers, text = pages.get()
    assert found == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert FIGURE in text
    found, headers, text = pages.get("/metrics", Host=f"127.0.0.1:{pages.port}")
    assert found == 401
    assert FIGURE not in text
    assert pages.token not in str(headers) + text


def test_openmetrics_for_those_who_prefer_it(pages: Pages) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3"
    _, headers, text = pages.get(Authorization=f"Bearer {pages.token}", Accept=accept)
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")


def test_head_has_the_length_and_no_body(pages: Pages) -> None:
    token = f"Bearer {pages.token}"
    found, headers, text = pages.get(method="HEAD", Authorization=token)
    assert (found, text) == (200, "")
    assert int(headers["content-length"]) > 100


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_other_methods(pages: Pages, method: str) -> None:
    answer = say(pages, request(*authorised(pages), method=method))
    assert status(answer) == 405
    assert FIGURE.encode() not in answer
    healthy(pages)


def test_a_body_is_not_read(pages: Pages) -> None:
    flood = b"x" * 4_000_000
    for method, found in (("POST", 405), ("GET", 413)):
        size = f"Content-Length: {len(flood)}"
        answer = say(pages, request(*authorised(pages), size, method=method), flood)
        assert status(answer) in {found, 0}  # the rest of the flood may reset the connection
        chunked = request(*authorised(pages), "Transfer-Encoding: chunked", method=method)
        assert status(say(pages, chunked, b"5\r\nhello\r\n0\r\n\r\n")) == found
    healthy(pages)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "127.0.0.1.evil.example:{port}"]
)
def test_a_name_bound_anew_reads_nothing(pages: Pages, host: str) -> None:
    """A page whose name was bound to 127.0.0.1 sends its own name, even if it had the token."""
    token = f"Bearer {pages.token}"
    for path in ("/metrics", "/healthz"):
        found, _, text = pages.get(path, Host=host.format(port=pages.port), Authorization=token)
        assert found == 421
        assert FIGURE not in text


def test_a_web_page_reads_nothing(pages: Pages) -> None:
    found, headers, text = pages.get(
        Authorization=f"Bearer {pages.token}", Origin="http://evil.example"
    )
    assert found == 403
    assert FIGURE not in text
    assert not any(name.lower().startswith("access-control") for name in headers)


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"\x00" * 100 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET /metrics\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET  /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n folded: x\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHo st: 127.0.0.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\nHost: 127.0.0.1\n\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /" + b"a" * (2 * HEAD_BYTES) + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * (2 * HEAD_BYTES) + b"\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    ],
)
def test_what_is_no_proper_request_gets_no_figures(pages: Pages, sent: bytes) -> None:
    answer = say(pages, sent)
    assert FIGURE.encode() not in answer
    assert status(answer) in {0, 400, 401, 404, 405, 421, 431, 505}
    healthy(pages)


def test_one_connection_serves_many_requests(pages: Pages) -> None:
    ask = request(*authorised(pages), path="/healthz")
    with connect(pages) as sock:
        for _ in range(20):
            sock.sendall(ask)
            assert sock.recv(65536).endswith(b"ok\n")
        sock.sendall(ask * 10)
        sock.shutdown(socket.SHUT_WR)
        assert everything(sock).count(b"ok\n") == 10


def test_a_head_may_come_byte_by_byte(pages: Pages) -> None:
    ask = request(*authorised(pages), "Connection: close", path="/healthz")
    with connect(pages) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in ask:
            sock.sendall(bytes([byte]))
        assert everything(sock).endswith(b"ok\n")


def test_who_never_finishes_is_let_go_and_holds_nobody_up(pages: Pages) -> None:
    with connect(pages) as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127")
        started = time.monotonic()
        healthy(pages)
        assert everything(sock) == b""
        assert time.monotonic() - started < REQUEST_SECONDS + 3.0


def test_who_does_not_take_the_answer_holds_nobody_up(pages: Pages) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            sock.connect(("127.0.0.1", pages.port))
            with contextlib.suppress(BlockingIOError):
                sock.settimeout(0)
                sock.sendall(request(*authorised(pages)) * 200)
        healthy(pages)
    healthy(pages)


def test_many_connections_shut_nobody_out(pages: Pages) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(4 * CONNECTIONS_MOST):
            stack.enter_context(connect(pages))
        healthy(pages)
    healthy(pages)


def test_it_listens_on_loopback_alone(pages: Pages) -> None:
    table = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    listening = [line.split()[1] for line in table if line.split()[3] == "0A"]
    ours = [place for place in listening if place.endswith(f":{pages.port:04X}")]
    assert ours == [f"0100007F:{pages.port:04X}"]
