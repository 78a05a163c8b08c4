"""A real Prometheus that scrapes one plane every second, and its HTTP API.

Owns a private copy of `deploy/prometheus` with short times: what takes minutes there takes seconds
here, and alerts wait for nothing (`promtool test rules` has their real times). Refuses to hide a
server that does not come up: the failure carries its log. Called by the tests of `deploy`.
"""

import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kit import places
from kit.cluster import Plane
from kit.waiting import wait_exit, wait_until

SHIPPED: Final = Path(__file__).parents[2] / "deploy" / "prometheus"
READY_S: Final = 15.0
STOP_S: Final = 10.0
_LISTENING: Final = re.compile(r'msg="Listening on" address=(\S+)')

Series = dict[str, Any]
"""One element of a result: `metric` and `value`, or `values`."""


class ApiError(AssertionError):
    """Prometheus refused a request; the message says why."""


def configure(directory: Path, plane: Plane, name: str) -> None:
    """Copy the shipped configuration, point it at a plane, and shorten its times."""
    shutil.copytree(SHIPPED, directory, dirs_exist_ok=True)
    (directory / "targets.json").unlink(missing_ok=True)
    status = plane.lane("status", "--json").stdout
    subprocess.run(
        [sys.executable, directory / "point.py", "--name", name],
        input=status,
        text=True,
        check=True,
        capture_output=True,
    )
    config = directory / "prometheus.yml"
    _shorten(config, r"((?:scrape|evaluation|refresh)_\w+): \d+\w")
    _shorten(directory / "rules" / "alerts.yml", r"(for): \d+\w")


def _shorten(path: Path, pattern: str) -> None:
    text = path.read_text("utf-8")
    short, count = re.subn(pattern, lambda found: f"{found[1]}: 1s", text)
    if not count:
        raise AssertionError(f"{path}: no time to shorten")
    path.write_text(short.replace("for: 1s", "for: 0s"), "utf-8")


class Prometheus:
    """A server of this test alone; use it as a context manager."""

    def __init__(self, plane: Plane, name: str) -> None:
        """Prepare the configuration for a plane that runs; `name` is its `instance`."""
        self.base = places.private_directory()
        self._log = self.base / "prometheus.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""
        self._here = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        configure(self.base, plane, name)

    def __enter__(self) -> Self:
        """Start it and wait until it answers."""
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it and remove what it kept."""
        self._end()

    def query(self, expr: str) -> list[Series]:
        """Return the result of an expression at this moment.

        Raises:
            ApiError: it is refused.
        """
        found: list[Series] = self._ask("query", query=expr)["result"]
        return found

    def between(self, expr: str, start: float, end: float, step: float) -> list[Series]:
        """Return the result of an expression over a time, in seconds of the epoch."""
        span = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        found: list[Series] = self._ask("query_range", query=expr, **span)["result"]
        return found

    def number(self, expr: str) -> float:
        """Return the one value of an expression, 0 without any."""
        found = self.query(expr)
        return float(found[0]["value"][1]) if found else 0.0

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules with their health and last error, alerts among them."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        alerts = self._ask("alerts")["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}

    def targets(self) -> list[dict[str, Any]]:
        """Return what is scraped, with the last error."""
        found: list[dict[str, Any]] = self._ask("targets", state="active")["activeTargets"]
        return found

    def log(self) -> str:
        """Return what the server wrote."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def _ask(self, path: str, **arguments: str) -> dict[str, Any]:
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        try:
            with self._here.open(url, timeout=10) as answer:
                found: dict[str, Any] = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode("utf-8", "replace")
            raise ApiError(f"{arguments}: {text}") from None
        return found

    def _start(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self.base / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self.base / 'data'}",
                    "--web.listen-address=127.0.0.1:0",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.base,
                start_new_session=True,
            )
        address = wait_until(self._address, READY_S, f"listening server\n{self.log()}")
        self._url = f"http://{address}"
        wait_until(self._ready, READY_S, f"ready server\n{self.log()}")

    def _address(self) -> str:
        if self._process is None or self._process.poll() is not None:
            raise AssertionError(f"Prometheus ended:\n{self.log()}")
        found = _LISTENING.search(self.log())
        return found.group(1) if found else ""

    def _ready(self) -> bool:
        try:
            with self._here.open(f"{self._url}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                wait_exit(self._process.pid, STOP_S)
            finally:
                self._process.kill()
                self._process.wait()
        places.remove(self.base)
