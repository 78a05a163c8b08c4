"""Lines of a daemon's log as JSON objects: what `lane logs --json` prints.

Owns the reading of both forms of a log. What has neither form, as the last words of an interpreter,
is a message without the rest. Pure; called by `logs`.
"""

import json
import re
from collections.abc import Iterable
from typing import Final

from lanekeeper.cli.settings import json_line

FIELDS: Final = ("time", "level", "role", "pid", "logger", "message")
"""In every object; null where a line does not say it."""
_KEYS: Final = r"(?P<keys>(?: (?:lane|request|worker|stimulus)=\S+)*)"
_TEXT: Final = re.compile(
    r"(?P<time>\S+Z) (?P<level>[A-Z]+) (?P<role>\w+)\[(?P<pid>\d+)\] (?P<logger>[\w.]+): "
    rf"(?P<message>.*?){_KEYS}"
)


class Objects:
    """The lines of one log, as it is read piece by piece."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._begun = b""

    def take(self, pieces: Iterable[bytes]) -> bytes:
        """Return a line of JSON for each line that these pieces end."""
        *lines, self._begun = b"".join([self._begun, *pieces]).split(b"\n")
        return b"".join(json_line(as_object(line)).encode() + b"\n" for line in lines if line)


def as_object(line: bytes) -> dict[str, object]:
    """Return what one line says, without its end."""
    text = line.decode("utf-8", "backslashreplace")
    return _of_json(text) or _of_text(text) or {**dict.fromkeys(FIELDS), "message": text}


def _of_json(text: str) -> dict[str, object] | None:
    try:
        found = json.loads(text, parse_constant=str)
    except ValueError:
        return None
    return {**dict.fromkeys(FIELDS), **found} if isinstance(found, dict) else None


def _of_text(text: str) -> dict[str, object] | None:
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    said: dict[str, object] = {name: found[name] for name in FIELDS}
    keys = (word.partition("=") for word in found["keys"].split())
    return {**said, "pid": int(found["pid"]), **{name: value for name, _, value in keys}}
