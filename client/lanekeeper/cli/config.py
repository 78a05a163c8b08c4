"""The configuration file: `$XDG_CONFIG_HOME/lanekeeper/config.toml`, defaults for options.

Top-level keys are the options that stand before the verb, a table holds those of the verb of its
name (`[run]`, `[session.create]`). Owns finding, reading and naming; what a key may be is known by
the verbs, which refuse the rest. Called by `main` before the options are parsed.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from lanekeeper.cli.errors import CliError

NAME: Final = "config.toml"
PREFIX: Final = "LANEKEEPER"
"""What the environment variable of every option starts with."""


class Config(Struct, frozen=True):
    """What the file says; `fault` is what made it unusable."""

    path: Path | None = None
    values: dict[str, Any] = {}
    fault: CliError | None = None


def find(environ: Mapping[str, str]) -> Path:
    """Return where the file is looked for; `LANEKEEPER_CONFIG` names another one."""
    explicit = environ.get(f"{PREFIX}_CONFIG")
    if explicit:
        return Path(explicit)
    base = environ.get("XDG_CONFIG_HOME")
    home = (
        Path(base) if base and base.startswith("/") else Path(environ.get("HOME", "/"), ".config")
    )
    return home / "lanekeeper" / NAME


def load(path: Path) -> Config:
    """Return what the file says; a missing file says nothing, a broken one is a `fault`."""
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Config()
    except OSError as error:
        return Config(path, {}, CliError("CONFIG", f"{path} cannot be read: {error.strerror}"))
    return parse(path, text)


def parse(path: Path, text: bytes) -> Config:
    """Return what the text of a file says."""
    try:
        # not imported at the top: most people have no file, and it costs 3 ms
        values = importlib.import_module("tomllib").loads(text.decode("utf-8"))
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are both
        return Config(path, {}, CliError("CONFIG", f"{path} is not TOML: {error}"))
    return Config(path, _underscored(values))


def variable(path: tuple[str, ...], name: str) -> str:
    """Return the environment variable of one option; `path` is the verb's, empty for the root."""
    return "_".join((PREFIX, *path, name)).upper().replace("-", "_")


def _underscored(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name.replace("-", "_"): _underscored(value) if isinstance(value, dict) else value
        for name, value in values.items()
    }
