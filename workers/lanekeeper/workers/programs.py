"""What a client may ask a lane to run, checked before anything changes; and how it is shown."""

import signal

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.ids import NAME_RULE, is_name
from lanekeeper.wire.limits import MAX_ARGV_BYTES, MAX_ENV_BYTES, MAX_PATH, MAX_SHOWN
from lanekeeper.wire.messages.terminal import Spawn, Text
from lanekeeper.workers.state import LaneState


def check_program(body: Spawn) -> None:
    """Refuse words that no program can be given; WireError INVALID_ARGUMENT or LIMIT_EXCEEDED."""
    _check_bytes("argv", body.argv, MAX_ARGV_BYTES)
    _check_bytes("env", [*body.env, *body.env.values()], MAX_ENV_BYTES)
    if any("=" in key or not key for key in body.env):
        raise WireError("INVALID_ARGUMENT", "env: a name is empty or holds '='")
    if body.argv[0] in {"", b""}:
        raise WireError("INVALID_ARGUMENT", "argv: the program's name is empty")
    if body.cwd is not None:
        _check_bytes("cwd", [body.cwd], MAX_PATH)


def _display(word: Text) -> str:
    return word if isinstance(word, str) else bytes(word).decode("utf-8", "backslashreplace")


def shown(words: list[Text]) -> list[str]:
    """Return words for people, together at most `MAX_SHOWN` bytes; an ellipsis marks a cut."""
    cut: list[str] = []
    left = MAX_SHOWN
    for word in map(_display, words):
        if left <= 0:
            return [*cut, "…"]
        encoded = word.encode()
        # What is left of a character at the cut goes with it.
        fits = len(encoded) <= left
        cut.append(word if fits else f"{encoded[:left].decode(errors='ignore')}…")
        left -= len(encoded)
    return cut


def _check_bytes(what: str, words: list[Text], limit: int) -> None:
    if not all(isinstance(word, str | bytes) for word in words):
        raise WireError("INVALID_ARGUMENT", f"{what}: every word is a string or bytes")
    raw = [w.encode("utf-8", "surrogateescape") if isinstance(w, str) else w for w in words]
    if any(b"\0" in word for word in raw):
        raise WireError("INVALID_ARGUMENT", f"{what}: a word holds a NUL byte")
    size = sum(map(len, raw))
    if size > limit:
        raise WireError(
            "LIMIT_EXCEEDED", f"{what} has {size} bytes, at most {limit} can be", limit=limit
        )


def free_name(state: LaneState, session_id: str, wanted: str | None) -> str:
    """Return the name of a new terminal; WireError when the wanted one is wrong or taken."""
    taken = {t.info.name for t in state.terminals_of(session_id)}
    if wanted is None:
        return next(f"t{n}" for n in range(1, len(taken) + 2) if f"t{n}" not in taken)
    if not is_name(wanted):
        raise WireError("INVALID_ARGUMENT", f"terminal name {wanted!r}: {NAME_RULE}")
    if wanted in taken:
        raise WireError(
            "ALREADY_EXISTS", f"a terminal {wanted} is there already; close it or pick another"
        )
    return wanted


def signal_number(wanted: str | int) -> int:
    """Return the number of a signal given by name or number; WireError INVALID_ARGUMENT."""
    try:
        if isinstance(wanted, int):
            return signal.Signals(wanted).value
        name = wanted.upper()
        return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"].value
    except (KeyError, ValueError):
        raise WireError("INVALID_ARGUMENT", f"no signal {wanted}; see kill -l") from None
