"""The keeper's channels: one message of `framing` per SEQPACKET packet.

Owns both ends of keeper.sock and nursery.sock. Refuses peers of another uid, and to block. Received
descriptors are close-on-exec from the first instant: an inherited one once swallowed a death
notice. Called by keeper, nursery, broker, workers and the command line.
"""

import array
import os
import socket
import stat
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lanekeeper.keeper.framing import (
    FD_SIZE,
    FDS_MAX,
    MESSAGE_MAX,
    ChannelError,
    Received,
    checked,
    close_all,
    copies,
    descriptors,
    encode,
)
from lanekeeper.keeper.rundir import SOCKET_PATH_MAX

__all__ = ["Channel", "ChannelError", "Listener", "Received", "check_path", "connect"]

QUEUE_MAX: Final = 1_024
"""Messages that wait for a peer which does not read; more is a peer that hangs."""

_BATCH_MAX: Final = 1_024
_BACKLOG: Final = 1_024
_CREDENTIALS: Final = struct.Struct("3i")
_TIMEVAL: Final = struct.Struct("@ll")


@dataclass(slots=True)
class _Queued:
    data: bytes
    fds: list[int] = field(default_factory=list)


class Channel:
    """One non-blocking end of a SEQPACKET connection.

    `closed` tells that the peer has gone or broke the rules; a closed channel is closed by its
    owner with `close`. Nothing here blocks.
    """

    def __init__(self, sock: socket.socket) -> None:
        """Take over a connected SEQPACKET socket."""
        sock.settimeout(0.0)
        self._sock = sock
        self._queue: deque[_Queued] = deque()
        self.closed = False
        self.fault: ChannelError | None = None
        self.lenient = False
        """Whether a message that lost its descriptors for want of room is received, as `short`."""

    def fileno(self) -> int:
        """Return the descriptor to poll; -1 after `close`."""
        return self._sock.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether messages wait for the peer: poll for writing and call `flush`."""
        return bool(self._queue) and not self.closed

    def peer(self) -> tuple[int, int]:
        """Return pid and uid of the peer as they were when it connected."""
        raw = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(raw)
        return pid, uid

    def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send a message, or queue it when the kernel's buffer is full.

        The descriptors are duplicated if the message has to wait; the caller keeps its own.
        "fds" is added to a message that has descriptors. To a closed channel this does nothing.

        Raises:
            ChannelError: the message cannot be encoded, its "fds" is not the number of
                descriptors, there are too many, or 1,024 messages wait already.
        """
        if len(fds) > FDS_MAX:
            raise ChannelError(f"{len(fds)} descriptors beside one message, more than {FDS_MAX}")
        if message.get("fds", len(fds)) != len(fds):
            raise ChannelError(f'"fds" says {message["fds"]}, there are {len(fds)}')
        data = encode({**message, "fds": len(fds)} if fds else message)
        if self.closed:
            return
        if not self._queue and self._write(data, fds):
            return
        if len(self._queue) >= QUEUE_MAX:
            raise ChannelError(f"{QUEUE_MAX} messages wait for a peer that does not read")
        self._queue.append(_Queued(data, copies(fds)))

    def flush(self) -> None:
        """Send what waits, as far as the kernel takes it."""
        while self._queue and not self.closed:
            waiting = self._queue[0]
            if not self._write(waiting.data, waiting.fds):
                break
            if self._queue:  # a peer that has gone empties it
                close_all(self._queue.popleft().fds)

    def receive(self) -> list[Received]:
        """Return the messages that have arrived; sets `closed` when the peer has gone.

        A message that breaks the rules closes the channel: what came before it is returned, and
        `fault` says what was wrong.

        Raises:
            ChannelError: the first message there breaks the rules.
        """
        batch: list[Received] = []
        while not self.closed and len(batch) < _BATCH_MAX:
            try:
                received = self._read()
            except ChannelError as error:
                self.closed = True
                self.fault = error
                if not batch:
                    raise
                break
            if received is None:
                break
            batch.append(received)
        return batch

    def close(self) -> None:
        """Close the socket and drop what waits."""
        self.closed = True
        while self._queue:
            close_all(self._queue.popleft().fds)
        self._sock.close()

    def _write(self, data: bytes, fds: Sequence[int]) -> bool:
        ancillary: list[tuple[int, int, Any]] = []
        if fds:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        try:
            self._sock.sendmsg([data], ancillary, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError, ConnectionRefusedError):
            # Messages the peer sent before it went can still be read, so this only stops sending.
            while self._queue:
                close_all(self._queue.pop().fds)
        except OSError as error:
            raise ChannelError(f"the channel cannot send: {error.strerror}") from error
        return True

    def _message(self) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]:
        size = socket.CMSG_SPACE(FDS_MAX * FD_SIZE)
        asked = socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT
        try:
            return self._sock.recvmsg(MESSAGE_MAX, size, asked)
        except ConnectionResetError:
            # The peer closed with messages of ours unread. The kernel says so once, before it gives
            # out what the peer had said until then.
            return self._sock.recvmsg(MESSAGE_MAX, size, asked)

    def _read(self) -> Received | None:
        try:
            data, ancillary, flags, _ = self._message()
        except BlockingIOError:
            return None
        except ConnectionResetError:
            self.closed = True
            return None
        except OSError as error:
            raise ChannelError(f"the channel cannot receive: {error.strerror}") from error
        fds = descriptors(ancillary)
        if not data and not fds:
            self.closed = True
            return None
        try:
            message = checked(data, flags, len(fds), lenient=self.lenient)
        except ChannelError:
            close_all(fds)
            raise
        if flags & socket.MSG_CTRUNC:
            close_all(fds)
            return Received(message, (), short=True)
        return Received(message, fds)


class Listener:
    """The listening end: accepts peers of our own uid, refuses all others."""

    def __init__(self, path: Path, inherited: int | None = None) -> None:
        """Listen at `path` (mode 0600), in place of whatever socket stands there.

        The caller holds the plane's lock, so a socket found there is a dead plane's. With an
        `inherited` socket that listens there already, take it over with the peers in its queue.

        Raises:
            ChannelError: the path is too long or cannot be bound, or nothing listens there.
        """
        check_path(path)
        if inherited is not None:
            self._sock = _take_over(inherited)
            return
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            path.unlink(missing_ok=True)
            self._sock.bind(os.fspath(path))
            path.chmod(stat.S_IRUSR | stat.S_IWUSR)
            self._sock.listen(_BACKLOG)
            self._sock.settimeout(0.0)
        except OSError as error:
            self._sock.close()
            raise ChannelError(f"{path} cannot be listened on: {error.strerror}") from error

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._sock.fileno()

    def accept(self) -> Channel | None:
        """Return the next peer, or None when there is none.

        Raises:
            ChannelError: the peer has another uid (it is closed), or descriptors ran out.
        """
        try:
            sock, _ = self._sock.accept()
        except BlockingIOError:
            return None
        except OSError as error:
            raise ChannelError(f"a peer cannot be accepted: {error.strerror}") from error
        channel = Channel(sock)
        pid, uid = channel.peer()
        if uid != os.getuid():
            channel.close()
            raise ChannelError(
                f"refused pid {pid} of uid {uid}; only uid {os.getuid()} may connect"
            )
        return channel

    def close(self) -> None:
        """Stop listening; the path stays."""
        self._sock.close()


def _take_over(fd: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=fd)
        # Once more: who connects from now on is shown us as the one that listens.
        sock.listen(_BACKLOG)
        sock.settimeout(0.0)
    except OSError as error:
        raise ChannelError(f"{fd} is not a listening socket: {error.strerror}") from error
    return sock


def connect(path: Path, patience: float = 0.0) -> Channel:
    """Connect to a listener and return the channel.

    A listener that hangs, with 1,024 peers in its queue, is waited for at most `patience` seconds.

    Raises:
        ChannelError: the path is longer than a unix socket's may be.
        BlockingIOError: the listener's queue is full.
        OSError: nobody listens there.
    """
    check_path(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        if patience > 0:
            seconds, part = divmod(patience, 1)
            timeout = _TIMEVAL.pack(int(seconds), int(part * 1e6))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
        else:
            sock.setblocking(False)
        sock.connect(os.fspath(path))
    except OSError:
        sock.close()
        raise
    return Channel(sock)


def check_path(path: Path) -> None:
    """Refuse a path that no unix socket can have.

    Raises:
        ChannelError: it is longer than 107 bytes.
    """
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_MAX:
        raise ChannelError(
            f"{path} has {length} bytes, a socket path at most {SOCKET_PATH_MAX}; "
            "choose a shorter runtime directory"
        )
