"""The collector's pages as Prometheus gets them: with the token, as text.

Owns where they are (the file that the collector writes) and the reading of the text form. Called by
tests of the collector and of planes.
"""

import http.client
import json
from pathlib import Path

from kit.waiting import wait_until

PATIENCE_S = 10.0


class Pages:
    """The pages of the collector of one runtime directory."""

    def __init__(self, directory: Path) -> None:
        """Find them; the collector may be about to say where they are."""
        place = directory / "metrics" / "endpoint.json"
        wait_until(place.exists, PATIENCE_S, f"a collector that says in {place} where it is")
        found = json.loads(place.read_text("utf-8"))
        self.url: str = found["url"]
        self.port: int = found["port"]
        self.token = Path(found["token_file"]).read_text("ascii")

    def get(
        self, path: str = "/metrics", method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], str]:
        """Return status, headers by lower-case name, and body; without `headers` with the token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(
                method, path, headers=headers or {"Authorization": f"Bearer {self.token}"}
            )
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, named, answer.read().decode("utf-8")
        finally:
            connection.close()

    def figures(self) -> dict[str, float]:
        """Return every value of /metrics by name with labels, as `name{label="value"}`."""
        status, _, text = self.get()
        assert status == 200, text
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return {name: float(number) for name, _, number in (li.rpartition(" ") for li in lines)}
