"""Patterns that people type, matched in linear time: nothing they type can hold up the keys."""

from importlib import import_module

from lanekeeper.cli.board import Matcher
from lanekeeper.cli.keyboard import BadPatternError


def matcher(pattern: str) -> Matcher:
    """Return what tells whether a text has a match in it; the syntax is that of RE2.

    Capitals count only if the pattern has some.

    Raises:
        BadPatternError: it is no pattern.
    """
    re2 = import_module("re2")
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = pattern != pattern.lower()
    try:
        found = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        told = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise BadPatternError(f"{pattern!r} is no pattern: {told}") from None
    return lambda text: found.search(text) is not None
