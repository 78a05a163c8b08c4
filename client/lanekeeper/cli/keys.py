"""The detach key: its name, and finding it in what a person types.

Pure. A terminal whose program has switched on an extended keyboard protocol sends control keys as
sequences (CSI u, modifyOtherKeys); the key is found in those forms too. Called by `relay`.
"""

import re
from dataclasses import dataclass
from typing import Final

import click

DEFAULT: Final = "ctrl-]"
NONE: Final = "none"
_NAME: Final = re.compile(r"(?:ctrl-|\^|c-)([a-z@\[\]\\^_?])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DetachKey:
    """A key that detaches; `name` is shown, nothing matches the key called none."""

    name: str
    pattern: re.Pattern[bytes] | None = None

    def find(self, typed: bytes) -> bytes | None:
        """Return what was typed before the key; None when it was not typed."""
        found = self.pattern.search(typed) if self.pattern is not None else None
        return None if found is None else typed[: found.start()]


def detach_key(value: str | DetachKey) -> DetachKey:
    """Return the key called `ctrl-]` and the like, or `none`; called by click.

    Raises:
        click.BadParameter: it is not the name of one.
    """
    if isinstance(value, DetachKey):
        return value
    if value.lower() == NONE:
        return DetachKey(NONE)
    found = _NAME.fullmatch(value)
    if found is None:
        raise click.BadParameter(
            f"{value!r} is not a detach key; write ctrl-] or another ctrl-X, or none"
        )
    return key(found[1].lower())


def key(character: str) -> DetachKey:
    """Return the detach key Ctrl and `character`."""
    code = 0x7F if character == "?" else ord(character.upper()) ^ 0x40
    forms = (
        re.escape(bytes([code])),
        rb"\x1b\[%d;5(?::[12])?u" % ord(character),
        rb"\x1b\[27;5;%d~" % ord(character),
    )
    return DetachKey(f"ctrl-{character}", re.compile(b"|".join(forms)))
