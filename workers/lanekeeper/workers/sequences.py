"""Control sequences in output: where it may be cut, and what must not be drawn as it is.

Pure; called by `picture`, before an emulator sees the output.
"""

import re
import unicodedata
from typing import Final

HOLD: Final = 4096
"""Bytes of an unfinished sequence that wait for its rest; a longer one is drawn as it comes."""
REPEAT_MAX: Final = 1000
"""Times one character is repeated at once: the columns of the widest screen."""

_WHOLE: Final = re.compile(
    rb"""\x1b(?:
        \[[^\x18\x1a\x1b@-~]*[\x18\x1a@-~]              # a control sequence
      | [\]PX^_][^\x07\x18\x1a\x1b]*[\x07\x18\x1a]      # a string that ends by itself
      | [\x20-\x2f]*[^\x1b\]PX^_\[\x20-\x2f]            # anything shorter
    )""",
    re.VERBOSE,
)
_STRING: Final = re.compile(rb"\x1b[\]PX^_]")
_C1: Final = re.compile(rb"\xc2([\x80-\x9f])")
_REPEAT: Final = re.compile(rb"\x1b\[([\x00-\x17\x19\x1c-\x1f0-9:;]*+)b")
_PARAMETERS: Final = b"0123456789:;"
_CONTROLS: Final = bytes(range(0x20))
"""What a terminal acts on in the middle of a control sequence, and then goes on with it."""
_UNDERLINES: Final = re.compile(rb"\x1b\[(?=[0-9;:]*+m)([0-9;:]*(?:4:|21|58)[0-9;:]*)m")
"""Attributes that may have kinds and colours of underlines, which an emulator may not know.

Both give up at the first byte that does not fit: a program may send parameters without end.
"""
_UNDERLINE_COLOR: Final = b"58"
_COLOR_LENGTHS: Final = {b"5": 3, b"2": 5}
"""Parameters of a colour: `58;5;N` and `58;2;R;G;B`; `38` and `48` have the same."""
_JOINED: Final = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u0610-\u061a\u061c"
    "\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f"
    "\u202a-\u202e\u2060-\u2064\u2066-\u2069\u20d0-\u20ff\u302a-\u302d\u3099\u309a\ufe00-\ufe0f"
    "\ufe20-\ufe2f\ufeff\U000e0001-\U000e007f\U000e0100-\U000e01ef"
)
"""Characters that take no column of their own: they join the one before them."""
_JOINED_MAX: Final = 30
"""Characters that join one and are composed with it: Unicode's own bound for text in a stream."""
_CLUSTER: Final = re.compile(f"([^\x00-\x1f\x7f]?)([{_JOINED}]+)")
_LEAD: Final = 0xC0
"""The first byte of a character of several is at least this; one of ASCII is below 0x80."""
_LENGTHS: Final = ((0xF0, 4), (0xE0, 3), (_LEAD, 2))
_ASCII: Final = 0x80
_LONGEST: Final = 4


def boundary(data: bytes) -> int:
    """Return how many bytes of `data` end between two sequences and between two characters."""
    end = len(data)
    last = data.rfind(b"\x1b", max(0, end - HOLD))
    if last >= 0 and last + 1 == end:
        # The ESC may be half of what ends a string.
        before = data.rfind(b"\x1b", max(0, end - HOLD), last)
        if before >= 0 and _STRING.match(data, before) and not _WHOLE.match(data, before):
            return before
    if last >= 0 and not _WHOLE.match(data, last):
        return last
    for back in range(1, min(_LONGEST, end + 1)):
        byte = data[end - back]
        if byte < _ASCII:
            break
        if byte >= _LEAD:
            length = next(size for first, size in _LENGTHS if byte >= first)
            return end if back >= length else end - back
    return end


def tidy(data: bytes) -> bytes:
    """Return `data` as every emulator draws it the same way.

    8-bit controls are ESC sequences, no character is repeated for ever, underlines are of one kind
    and have no colour of their own, and there is no DEL, which draws nothing.
    """
    if b"\xc2" in data:
        data = _C1.sub(lambda found: b"\x1b%c" % (found[1][0] - 0x40), data)
    if b"\x7f" in data:
        data = data.replace(b"\x7f", b"")
    data = _UNDERLINES.sub(_plain_underlines, data)
    return _REPEAT.sub(_bounded_repeat, data)


def text(data: bytes) -> str:
    """Return the characters of `data`, one for each cell, or two, that they take.

    What joins the character before it is composed with it where Unicode has both in one, and left
    out otherwise.
    """
    decoded = data.decode("utf-8", "replace")
    return decoded if decoded.isascii() else _CLUSTER.sub(_composed, decoded)


def _bounded_repeat(found: re.Match[bytes]) -> bytes:
    first = found[1].translate(None, _CONTROLS).replace(b":", b";").partition(b";")[0]
    count = first.lstrip(b"0")
    # Digits without end are no number that Python reads.
    if len(count) <= len(str(REPEAT_MAX)) and int(count or b"0") <= REPEAT_MAX:
        return found[0]
    return b"\x1b[%b%db" % (found[1].translate(None, _PARAMETERS), REPEAT_MAX)


def _plain_underlines(found: re.Match[bytes]) -> bytes:
    words = found[1].split(b";")
    kept: list[bytes] = []
    place = 0
    while place < len(words):
        word = words[place]
        size = 1
        if word in {b"38", b"48", _UNDERLINE_COLOR} and place + 1 < len(words):
            size = _COLOR_LENGTHS.get(words[place + 1], 1)
        if word == b"21" or word.startswith(b"4:"):
            kept.append(b"24" if word == b"4:0" else b"4")
        elif word.split(b":")[0] != _UNDERLINE_COLOR:
            kept += words[place : place + size]
        place += size
    # Nothing left must not become the reset of everything.
    return b"\x1b[%sm" % b";".join(kept) if kept else b""


def _composed(found: re.Match[str]) -> str:
    base, joined = found[1], found[2]
    return unicodedata.normalize("NFC", base + joined[:_JOINED_MAX])[:1] if base else ""
