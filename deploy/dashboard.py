"""Writes the dashboard: deploy/grafana/dashboards/lanekeeper.json.

Run it after a change in `deploy/monitoring`: `.venv/bin/python deploy/dashboard.py`. With `--check`
it writes nothing, says whether the file would change and ends with 1; a test does that.
"""

import sys
from pathlib import Path
from typing import Final

from monitoring import board

FILE: Final = Path(__file__).parent / "grafana" / "dashboards" / "lanekeeper.json"


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare; return the exit status."""
    wanted = board.text()
    if "--check" not in arguments:
        FILE.write_text(wanted, "utf-8")
        return 0
    if FILE.read_text("utf-8") != wanted:
        sys.stdout.write(f"out of date: {FILE.name}; run deploy/dashboard.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
