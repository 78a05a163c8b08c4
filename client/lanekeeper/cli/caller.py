"""What a program takes over from whoever runs `lane`: environment, limits, directory."""

import os
import resource
from collections.abc import Iterable, Mapping
from typing import Final

from lanekeeper.cli.errors import CliError
from lanekeeper.client.environment import caller_environment

CLEAN: Final = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TZ", "USER")
"""Variables that `--clean-env` keeps."""


def environment(
    given: Iterable[str], *, clean: bool, environ: Mapping[str, str] | None = None
) -> dict[str, str | bytes]:
    """Return the environment of a program.

    Args:
        given: `NAME=VALUE` each, or `NAME` for the caller's own value.
        clean: keep only what every program needs.
        environ: the caller's; `os.environ` when not given.

    Raises:
        CliError: INVALID_ARGUMENT, a name is empty, or has no value here.
    """
    source = os.environ if environ is None else environ
    found = caller_environment(source)
    if clean:
        found = {name: value for name, value in found.items() if name in CLEAN}
    for word in given:
        name, equals, value = word.partition("=")
        if not name or (not equals and name not in source):
            raise CliError(
                "INVALID_ARGUMENT", f"--env {word!r}: write NAME=VALUE, or a NAME that is set here"
            )
        found[name] = value if equals else source[name]
    return found


def limits() -> list[tuple[int, int, int]]:
    """Return the caller's resource limits: number, soft and hard, -1 for unlimited."""
    return [(number, *resource.getrlimit(number)) for number in sorted(set(_numbers()))]


def _numbers() -> Iterable[int]:
    for name in dir(resource):
        if name.startswith("RLIMIT_"):
            number = getattr(resource, name)
            if isinstance(number, int):
                yield number
