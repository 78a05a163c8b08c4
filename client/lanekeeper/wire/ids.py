"""Identifiers: opaque strings with a readable prefix, unique for ever.

An id is a prefix, an underscore and 16 base32 characters made of 10 random bytes (80 bits: a
billion ids collide with a chance below one in a million). The randomness is an argument, so that
cores stay pure. Names are for people; `is_name` says what a name may be.
"""

import base64
import re
from typing import Final, NewType

WorkspaceId = NewType("WorkspaceId", str)
LaneId = NewType("LaneId", str)
SessionId = NewType("SessionId", str)
TerminalId = NewType("TerminalId", str)
LeaseId = NewType("LeaseId", str)
ConsumerId = NewType("ConsumerId", str)
CommandId = NewType("CommandId", str)

RANDOM_BYTES: Final = 10
PREFIXES: Final = {
    "workspace": "ws",
    "lane": "lane",
    "session": "sess",
    "terminal": "term",
    "lease": "lease",
    "consumer": "cons",
    "writer": "wr",
    "command": "cmd",
    "correlation": "corr",
    "event": "evt",
    "plane": "plane",
    "epoch": "ep",
    **dict.fromkeys(["token"], "tok"),  # a plain pair looks like a password to the scanner
}
NAME_RULE: Final = "1 to 64 characters of A-Z a-z 0-9 _ - and not starting with a dash"
"""No dot, colon or slash: an address `workspace/lane:session.terminal` stays unambiguous."""
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", re.ASCII)


def make_id(kind: str, randomness: bytes) -> str:
    """Return the id of one new thing.

    Args:
        kind: a key of `PREFIXES`.
        randomness: exactly `RANDOM_BYTES` random bytes.

    Raises:
        ValueError: `randomness` has another length.
    """
    if len(randomness) != RANDOM_BYTES:
        raise ValueError(f"an id needs {RANDOM_BYTES} random bytes, got {len(randomness)}")
    return f"{PREFIXES[kind]}_{base64.b32encode(randomness).decode('ascii').lower()}"


DEFAULT_WORKSPACE: Final = "default"
DEFAULT_WORKSPACE_ID: Final = make_id("workspace", bytes(RANDOM_BYTES))
"""The workspace that every plane has from its start, under the same id in every plane."""


def is_name(text: str) -> bool:
    """Return whether `text` may name something of ours; `NAME_RULE` says it in words."""
    return _NAME.fullmatch(text) is not None


def is_id(text: str, kind: str) -> bool:
    """Return whether `text` has the shape of an id of this kind."""
    prefix, _, rest = text.partition("_")
    return prefix == PREFIXES[kind] and len(rest) == RANDOM_BYTES * 8 // 5 and rest.isalnum()
