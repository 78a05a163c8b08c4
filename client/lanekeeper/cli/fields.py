"""The plain form of the wire's structures, for `--json`."""

import os
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct


def fields(value: Struct) -> dict[str, object]:
    """Return a structure of the wire as plain data for JSON, every field there.

    Words that are not UTF-8 become text with surrogate escapes, as Python's own file names do.
    """
    return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}


def moment(at: datetime) -> str:
    """Return a time of UTC as every JSON of ours has it: RFC 3339, milliseconds, `Z`."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: object) -> object:
    if isinstance(value, Struct):
        return fields(value)
    if isinstance(value, bytes):
        return os.fsdecode(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
