"""What `lane doctor` finds: on this machine, and on one where something is wrong."""

import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lanekeeper.cli import checkup, probes, surroundings
from lanekeeper.cli.probes import Grade, within
from lanekeeper.keeper.rundir import Rundir

SHOWN = "what the file holds"


class Guarded(BaseHTTPRequestHandler):
    """Answers as a collector does: to its token alone, unless `everybody`."""

    everybody = False
    nobody = False

    def do_GET(self) -> None:
        """Answer."""
        known = self.headers.get("Authorization") == f"Bearer {SHOWN}"
        allowed = (known or self.everybody) and not self.nobody
        self.send_response(200 if allowed else 401)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def rundir(tmp_path: Path) -> Rundir:
    """A runtime directory that is ours alone."""
    path = tmp_path / "plane"
    path.mkdir(mode=0o700)
    return Rundir(path)


@pytest.fixture
def endpoint(rundir: Rundir) -> Iterator[type[Guarded]]:
    """An endpoint that is written down in the runtime directory."""
    handler = type("Handler", (Guarded,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    rundir.metrics_token.parent.mkdir(parents=True, exist_ok=True)
    rundir.metrics_token.write_text(SHOWN)
    told = {"port": server.server_port, "token_file": str(rundir.metrics_token)}
    rundir.metrics_endpoint.write_text(json.dumps(told))
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("version", "bounds", "good"),
    [
        ("8.1", ">=8.1", True),
        ("8.1.0", ">=8.1", True),
        ("8.0.9", ">=8.1", False),
        ("14", ">=14.0", True),
        ("0.19", ">=0.19,<1", True),
        ("1.0", ">=0.19,<1", False),
        ("0.1.10", "<0.2,>=0.1.2", True),
        ("27.0.0rc1", ">=27", True),
        ("1", "", True),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str, bounds: str, *, good: bool) -> None:
    assert within(version, bounds) == good


def test_what_the_project_needs_is_what_is_looked_for() -> None:
    names = {name for name, _ in probes.requirements()}
    assert {"click", "pyzmq", "msgspec", "psutil"} <= names
    assert "pytest" not in names
    found = {finding.name: finding for finding in probes.python()}
    assert names <= set(found)
    assert all(found[name].grade is not Grade.FAIL for name in names)


def test_every_finding_that_is_not_ok_says_what_to_do(rundir: Rundir) -> None:
    found = [
        *probes.kernel(),
        *surroundings.calls(),
        *surroundings.processes(),
        *surroundings.permissions(rundir),
        *surroundings.clock(),
        *surroundings.room(rundir),
    ]
    assert len(found) > 10
    for finding in found:
        assert finding.text
        assert finding.fix or finding.grade is Grade.OK, finding


def test_a_directory_that_others_can_enter_fails(rundir: Rundir) -> None:
    rundir.path.chmod(0o755)
    grades = {f.text: f.grade for f in surroundings.permissions(rundir) if "mode" in f.name}
    assert list(grades.values()) == [Grade.FAIL]
    rundir.path.chmod(0o700)
    assert stat.S_IMODE(rundir.path.stat().st_mode) == 0o700
    grades = {f.text: f.grade for f in surroundings.permissions(rundir) if "mode" in f.name}
    assert list(grades.values()) == [Grade.OK]


def test_a_directory_that_does_not_exist_yet_is_judged_by_the_one_around_it(tmp_path: Path) -> None:
    (first, *_) = surroundings.room(Rundir(tmp_path / "a" / "b"))
    assert str(tmp_path) in first.text


def test_metrics_that_answer_to_their_token_are_fine(
    rundir: Rundir, endpoint: type[Guarded]
) -> None:
    assert [finding.grade for finding in checkup.metrics(rundir)] == [Grade.OK]
    endpoint.nobody = True
    (finding,) = checkup.metrics(rundir)
    assert (finding.grade, "401" in finding.text) == (Grade.WARN, True)


def test_metrics_that_answer_to_anybody_fail(rundir: Rundir, endpoint: type[Guarded]) -> None:
    endpoint.everybody = True
    (finding,) = checkup.metrics(rundir)
    assert finding.grade is Grade.FAIL
    assert "without a token" in finding.text


@pytest.mark.parametrize("told", ["", "{", "[]", "{}", '{"port": 1, "token_file": "/nowhere"}'])
def test_an_endpoint_that_cannot_be_read_is_told(rundir: Rundir, told: str) -> None:
    rundir.metrics_endpoint.parent.mkdir(parents=True, exist_ok=True)
    rundir.metrics_endpoint.write_text(told)
    assert [finding.grade for finding in checkup.metrics(rundir)] == [Grade.WARN]


def test_a_port_that_nobody_listens_on_is_told(rundir: Rundir, endpoint: type[Guarded]) -> None:
    del endpoint
    told = {"port": 1, "token_file": str(rundir.metrics_token)}
    rundir.metrics_endpoint.write_text(json.dumps(told))
    (finding,) = checkup.metrics(rundir)
    assert "does not answer" in finding.text


@pytest.mark.parametrize(("most", "fix"), [(4096, "8192"), (65_536, "131072")])
def test_the_fix_for_few_terminals_is_more_than_there_may_be_now(most: int, fix: str) -> None:
    assert probes.terminals(most - 1, most).fix == f"sysctl -w kernel.pty.max={fix}"
    assert probes.terminals(1, most).fix == ""
