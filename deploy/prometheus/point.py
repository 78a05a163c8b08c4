"""Tells Prometheus where a plane's metrics are: `lane status --json | python3 point.py`.

Writes two files beside prometheus.yml (or `--into` another directory), whole or not at all:
`targets.json` with the address, and `metrics.token`, a link to the plane's file with the token.
Prometheus reads both again by itself. Standard library only. Refuses a status that names no
metrics.
"""

import argparse
import json
import socket
import sys
from pathlib import Path
from typing import Any, Final

JOB: Final = "lanekeeper"
"""What the alerts look for; a second plane's job has another name in prometheus.yml, not here."""


def target(status: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return what `file_sd_configs` reads; `instance` stays when the port changes."""
    instance = name or f"{socket.gethostname()}:{status['runtime_dir']}"
    address = f"127.0.0.1:{status['metrics']['port']}"
    return [{"targets": [address], "labels": {"job": JOB, "instance": instance}}]


def point(into: Path, status: dict[str, Any], name: str) -> None:
    """Write both files.

    Raises:
        OSError: they cannot be written.
    """
    token, targets = into / "metrics.token.new", into / "targets.json.new"
    token.unlink(missing_ok=True)
    token.symlink_to(status["metrics"]["token_file"])
    token.replace(into / "metrics.token")
    targets.write_text(json.dumps(target(status, name), indent=2) + "\n", "utf-8")
    targets.replace(into / "targets.json")


def main(arguments: list[str]) -> int:
    """Read the status from standard input; return the exit status."""
    parser = argparse.ArgumentParser(description="Tell Prometheus where a plane's metrics are.")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent, help="directory")
    parser.add_argument("--name", default="", help="what the plane is called (label instance)")
    options = parser.parse_args(arguments)
    try:
        status = json.load(sys.stdin)
        point(options.into, status, options.name)
    except (ValueError, KeyError, TypeError):
        sys.stderr.write(
            "no metrics in what was read; give it the output of `lane status --json`"
            " while the plane runs\n"
        )
        return 2
    except OSError as error:
        sys.stderr.write(f"cannot write: {error}; name another directory with --into\n")
        return 2
    sys.stdout.write(f"wrote targets.json and metrics.token in {options.into}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
