"""What `lane doctor` asks of a plane that runs: whether it answers, is ours, and shows its metrics.

Each probe returns findings and never raises, as those of `probes`.
"""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lanekeeper.cli.probes import Finding, Grade
from lanekeeper.client.asking import Asker
from lanekeeper.client.errors import LaneError
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.messages.plane import Hello, HelloResult
from lanekeeper.wire.version import PRODUCT

PATIENCE: Final = 2.0
LOCAL: Final = "127.0.0.1"
OPEN: Final = 200
_TOKEN_BYTES: Final = 4096


def broker(rundir: Rundir) -> Iterator[Finding]:
    """Yield whether the broker answers, and whether it is of this version."""
    hello = Hello(client="doctor", client_version=PRODUCT)
    try:
        with Asker(str(rundir.path), PATIENCE) as asker:
            found = asker.ask("plane.hello", HelloResult, hello)
    except LaneError as error:
        fix = "`lane logs broker` says why, `lane restart broker` replaces it"
        yield Finding(Grade.FAIL, "broker", f"does not answer: {error.message}", fix)
        return
    same = found.product == PRODUCT
    yield Finding(
        Grade.OK if same else Grade.WARN,
        "version",
        f"{PRODUCT} here, {found.product} in the plane, protocol {found.protocol}",
        "" if same else "`lane restart all` brings the plane to this version; programs go on",
    )
    if not found.complete:
        yield Finding(Grade.WARN, "lanes", "some are still coming back", "`lane status` shows it")


def metrics(rundir: Rundir) -> Iterator[Finding]:
    """Yield whether the metrics can be had with their token, and by nobody without."""
    fix = "`lane logs collector` says why, `lane restart collector` replaces it"
    try:
        told = json.loads(rundir.metrics_endpoint.read_bytes())
        port, file = int(told["port"]), Path(str(told["token_file"]))
        with file.open("rb") as stream:
            token = stream.read(_TOKEN_BYTES).decode("ascii").strip()
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield Finding(Grade.WARN, "metrics", f"no endpoint is written down: {error}", fix)
        return
    try:
        without, with_token = _status(port, None), _status(port, token)
    except (OSError, http.client.HTTPException) as error:
        yield Finding(Grade.WARN, "metrics", f"port {port} does not answer: {error}", fix)
        return
    if without == OPEN:
        text = f"port {port} answers without a token"
        yield Finding(Grade.FAIL, "metrics", text, "something else listens there; look with `ss`")
    elif with_token != OPEN:
        text = f"port {port} answers {with_token} to its own token"
        yield Finding(Grade.WARN, "metrics", text, fix)
    else:
        yield Finding(Grade.OK, "metrics", f"port {port} answers, to the token in {file} alone")


def _status(port: int, token: str | None) -> int:
    connection = http.client.HTTPConnection(LOCAL, port, timeout=PATIENCE)
    try:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        connection.request("GET", "/metrics", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()
