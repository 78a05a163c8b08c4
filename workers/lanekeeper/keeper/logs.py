"""Logs: DIR/log/ROLE.log, capped in size, as text or JSON lines.

Owns format, rotation and the fixed keys (lane, request, worker, stimulus). Refuses raw control
characters and lines over 4 KiB, whatever was logged. A disk that is full never stops a session:
such lines are dropped. Several processes may share one file, as workers do. Called once by every
process of a plane when it starts.
"""

import contextlib
import fcntl
import json
import logging
import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

LINE_MAX: Final = 4 * 1024
"""Bytes of one line, its end included."""

FILE_MAX: Final = 1024 * 1024
"""Bytes at which a file is moved to NAME.1, in place of the one there: two files at most."""

KEYS: Final = ("lane", "request", "worker", "stimulus")
"""What a record may carry through `extra`."""

Format = Literal["text", "json"]

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CUT: Final = "..."


def configure(role: str, path: Path, level: str, fmt: Format | str) -> None:
    """Send all logging of this process to the file `path`; earlier settings are dropped.

    Args:
        role: whom the lines come from.
        path: the log file; its directory exists.
        level: a level's name, in any case, for our own loggers; others log from WARNING on.
        fmt: "text" or "json".

    Raises:
        ValueError: the level or the format is unknown.
        OSError: the file cannot be opened.
    """
    if fmt not in {"text", "json"}:
        raise ValueError(f"log format {fmt!r} is unknown; use text or json")
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log level {level!r} is unknown; use debug, info, warning or error")
    handler = LogFile(path)
    handler.setFormatter(JsonLines(role) if fmt == "json" else TextLines(role))
    reset()
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("lanekeeper").setLevel(number)


def reset() -> None:
    """Remove and close all handlers; a forked child does so before it closes descriptors."""
    root = logging.getLogger()
    for handler in tuple(root.handlers):
        root.removeHandler(handler)
        handler.close()


class LogFile(logging.Handler):
    """Appends lines to a file that other processes append to and rotate as well."""

    def __init__(self, path: Path) -> None:
        """Open `path` (0600) for appending.

        Raises:
            OSError: it cannot be opened.
        """
        super().__init__()
        self._path = path
        self._fd = _open(path)
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Append one line with one write; a line that cannot be written is counted and dropped."""
        try:
            line = clean_line(self.format(record))
            self._follow()
            os.write(self._fd, line)
        except (OSError, ValueError, TypeError):
            self.dropped += 1

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        super().close()

    def _follow(self) -> None:
        """Go to the file that has the name now, and move it away when it is full."""
        mine = os.fstat(self._fd)
        if mine.st_size < FILE_MAX and _same(mine, self._path):
            return
        # The lock is on the inode: of several processes that find it full, one moves it. The others
        # go on in the full one meanwhile: whoever holds the lock may have been stopped.
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        try:
            if mine.st_size >= FILE_MAX and _same(mine, self._path):
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            following = _open(self._path)
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        os.close(self._fd)
        self._fd = following


class TextLines(logging.Formatter):
    """`TIME LEVEL role[pid] logger: message key=value`."""

    def __init__(self, role: str) -> None:
        """Format lines of a role."""
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        keys = "".join(f" {key}={value}" for key, value in _keys(record).items())
        trace = _trace(self, record)
        return (
            f"{_time(record)} {record.levelname} {self._role}[{record.process}] {record.name}: "
            f"{record.getMessage()}{keys}{' ' + trace if trace else ''}"
        )


class JsonLines(logging.Formatter):
    """One JSON object a line, with stable names."""

    def __init__(self, role: str) -> None:
        """Format lines of a role."""
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end; long messages are cut so that it stays JSON."""
        fields: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname,
            "role": self._role,
            "pid": record.process,
            "logger": record.name,
            "message": _cut(record.getMessage()),
        }
        fields.update({key: _cut(str(value), 200) for key, value in _keys(record).items()})
        trace = _trace(self, record)
        if trace:
            fields["trace"] = _cut(trace, LINE_MAX // 4)
        # DEL is the one control character that JSON leaves as it is.
        return json.dumps(fields, ensure_ascii=True).replace("\x7f", "\\u007f")


def clean_line(text: str) -> bytes:
    """Return one line, its end included: control characters escaped, at most 4 KiB."""
    escaped = _CONTROL.sub(_escape, text)
    line = escaped.encode("utf-8", "backslashreplace")
    if len(line) >= LINE_MAX:
        line = line[: LINE_MAX - 1 - len(_CUT)] + _CUT.encode()
        line = line.decode("utf-8", "ignore").encode()
    return line + b"\n"


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or (
        f"\\x{code:02x}" if code < 1 << 8 else f"\\u{code:04x}"
    )


def _cut(text: str, limit: int = LINE_MAX // 4) -> str:
    # An escaped character takes up to six bytes (twelve outside the BMP); limit what it becomes.
    if len(text) > limit:
        text = text[:limit] + _CUT
    while len(json.dumps(text)) > limit:
        text = text[: max(len(text) * 3 // 4 - len(_CUT), 0)] + _CUT
    return text


def _keys(record: logging.LogRecord) -> dict[str, object]:
    return {key: record.__dict__[key] for key in KEYS if record.__dict__.get(key) is not None}


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return formatter.formatException(record.exc_info) if record.exc_info else ""


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _open(path: Path) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(path, flags, stat.S_IRUSR | stat.S_IWUSR)


def _same(mine: os.stat_result, path: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(mine, path.stat())
    return False
