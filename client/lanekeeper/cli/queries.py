"""Taking a program's questions to its terminal out of old output.

A program asks its terminal things (which one are you, where is the cursor, which colours), and the
terminal answers by typing into the program. Played back to a person's terminal, old questions would
be answered again, into a program that no longer waits for the answer. Pure; fed piece by piece, a
sequence may be cut anywhere. Called by `attach` for history and by `read` on a terminal.

Left out: DA (CSI c, CSI > c, CSI = c, ESC Z), DSR (CSI n, CSI ? n), XTVERSION (CSI > q), DECRQM
(CSI $ p, CSI ? $ p), keyboard protocol (CSI ? u), window reports (CSI 11..21 t), DECREQTPARM (CSI
x), XTSMGRAPHICS (CSI ? S), XTQMODKEYS (CSI ? m), DECRQCRA (CSI * y), DECRQSS, XTGETTCAP and
tmux-style DCS queries (DCS $ q, DCS + q), colour and clipboard queries (OSC 4/5/10..19/21/52 with
`?`), the size of a cell (OSC 1337), the graphics query (APC G with a=q), and ENQ. Everything else
passes as it is.
"""

import codecs
import re
from abc import ABC, abstractmethod
from typing import Final

MAX_SEQUENCE: Final = 4096
"""Bytes of a sequence that is held back until it is whole; a longer one is no question."""

_ESC: Final = 0x1B
_ENQ: Final = 0x05
_BEL: Final = 0x07
_STRINGS: Final = frozenset(b"]P_^X")
"""What opens a string after ESC: OSC, DCS, APC, PM, SOS."""

_PLAIN: Final = re.compile(rb"[^\x05\x1b]+")
_CSI_QUERY: Final = re.compile(
    rb"""\x1b\[(?:
        [>=]?[0-9;]*c            # device attributes
      | \??[0-9;]*n              # status, cursor position
      | >[0-9;]*q                # version
      | \??[0-9;]*\$p            # modes
      | \?u                      # keyboard protocol
      | (?:1[1-9]|2[01])[0-9;]*t # window and title reports
      | [0-9;]*x                 # terminal parameters
      | \?[0-9;]*S               # graphics limits
      | \?[0-9;]*m               # modifier keys
      | [0-9;]*\*y               # checksum of a part of the screen
    )""",
    re.VERBOSE,
)
_CONTROLS: Final = re.compile(rb"[\x00-\x1a\x1c-\x1f\x7f]")
"""What a terminal acts on in the middle of a control sequence, and then goes on with it."""
_CONTROL_END: Final = re.compile(rb"[^\x00-\x17\x19\x1c-\x3f\x7f]")
"""A final byte, CAN, SUB, ESC, or a byte that cannot be in a control sequence."""
_NEW_SEQUENCE: Final = b"\x1b"
_CANCEL: Final = frozenset({_BEL, 0x18, 0x1A})
"""BEL, CAN and SUB end a string."""
_INTERMEDIATE: Final = range(0x20, 0x30)
_COLOR: Final = re.compile(rb"\x1b\[[0-9;:]*m")
_UNSAFE: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")
_MISLEADING: Final = re.compile("[\x80-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""8-bit controls, breaks that are no line ends here, and what turns text around."""
_OSC_QUERY: Final = re.compile(
    rb"""\x1b\](?:
        (?:1[0-9]|4|5|52)(?:;[^;]*)*;\?(?:;.*)?  # colours, clipboard
      | 21;(?:[^;]*;)*[^;=]*=\?(?:;.*)?         # colours by name
      | 1337;ReportCellSize
    )""",
    re.DOTALL | re.VERBOSE,
)
_APC_QUERY: Final = re.compile(rb"\x1b_G(?:[^,;]*,)*a=q(?=[,;\x1b])")
"""Whether a picture could be shown."""
_DCS_QUERY: Final = re.compile(rb"\x1bP[0-9;]*[$+]q")


class SequenceFilter(ABC):
    """Passes output through without the sequences that `refuses`."""

    def __init__(self) -> None:
        """Start between sequences."""
        self._held = b""

    @abstractmethod
    def refuses(self, sequence: bytes) -> bool:
        """Return whether one whole sequence is left out."""

    def plain(self, data: bytes) -> bytes:
        """Return what becomes of bytes outside sequences."""
        return data

    def feed(self, data: bytes) -> bytes:
        """Return what may be shown of `data`; the beginning of a sequence waits for its rest."""
        data = self._held + data
        self._held = b""
        shown = bytearray()
        place = 0
        while place < len(data):
            plain = _PLAIN.match(data, place)
            if plain:
                shown += self.plain(plain[0])
                place = plain.end()
                continue
            end = sequence_end(data, place)
            if end is None:
                if len(data) - place <= MAX_SEQUENCE:
                    self._held = data[place:]
                    break
                end = len(data)
            sequence = data[place:end]
            if not self.refuses(sequence):
                shown += sequence
            place = end
        return bytes(shown)

    def flush(self) -> bytes:
        """Return what is still to be shown at the end of the output."""
        held, self._held = self._held, b""
        return held


class QueryFilter(SequenceFilter):
    """Leaves out what makes a terminal answer."""

    def refuses(self, sequence: bytes) -> bool:
        """Return whether it is a question."""
        return is_query(sequence)


class TextFilter(SequenceFilter):
    """Leaves out everything but text, line ends, tabs and colours."""

    def __init__(self, *, color: bool) -> None:
        """Start between sequences; without `color` colours are left out too."""
        super().__init__()
        self._color = color
        self._painted = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> bytes:
        """Return the text of `data`, as UTF-8; the beginning of a character waits for its rest.

        It is decoded at the end: what is left out may stand between the bytes of a character.
        """
        return self._readable(super().feed(data))

    def refuses(self, sequence: bytes) -> bool:
        """Return whether it is anything but a colour."""
        colors = self._color and _COLOR.fullmatch(sequence) is not None
        self._painted = self._painted or colors
        return not colors

    def plain(self, data: bytes) -> bytes:
        """Return the text without control characters."""
        return _UNSAFE.sub(b"", data)

    def flush(self) -> bytes:
        """Return what ends the colours; the beginning of a sequence is dropped."""
        self._held = b""
        painted, self._painted = self._painted, False
        return self._readable(b"", final=True) + (b"\x1b[0m" if painted else b"")

    def _readable(self, data: bytes, *, final: bool = False) -> bytes:
        return _MISLEADING.sub("", self._decoder.decode(data, final)).encode()


def is_query(sequence: bytes) -> bool:
    """Return whether one whole sequence makes a terminal answer."""
    if sequence[0] == _ENQ or sequence == b"\x1bZ":
        return True
    if sequence.startswith(b"\x1b["):
        return _CSI_QUERY.fullmatch(_CONTROLS.sub(b"", sequence)) is not None
    if sequence.startswith(b"\x1b]"):
        body = sequence.removesuffix(b"\x07").removesuffix(b"\x1b\\")
        return _OSC_QUERY.fullmatch(body) is not None
    return (_DCS_QUERY.match(sequence) or _APC_QUERY.match(sequence)) is not None


def sequence_end(data: bytes, start: int) -> int | None:
    """Return where the sequence at `start` (ESC or ENQ) ends; None while its end is missing."""
    if data[start] == _ENQ:
        return start + 1
    if start + 1 >= len(data):
        return None
    kind = data[start + 1]
    if kind == ord("["):
        return _control_end(data, start + 2)
    if kind in _STRINGS:
        return _string_end(data, start + 2)
    place = start + 1
    while place < len(data) and data[place] in _INTERMEDIATE:
        place += 1
    return place + 1 if place < len(data) else None


def _control_end(data: bytes, place: int) -> int | None:
    """Return the end of a CSI sequence: its final byte, or what cuts it short."""
    found = _CONTROL_END.search(data, place)
    if found is None:
        return None
    return found.end() if found[0] not in _NEW_SEQUENCE else found.start()


def _string_end(data: bytes, place: int) -> int | None:
    """Return the end of an OSC, DCS, APC, PM or SOS: BEL, ST, or the ESC of something else."""
    while place < len(data):
        byte = data[place]
        if byte in _CANCEL:
            return place + 1
        if byte == _ESC:
            if place + 1 >= len(data):
                return None
            return place + 2 if data[place + 1] == ord("\\") else place
        place += 1
    return None
