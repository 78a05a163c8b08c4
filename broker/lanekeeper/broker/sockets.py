"""The broker's sockets: how they are bound and bounded, and how they outlive a broker.

Owns every ZeroMQ option of the broker, each with its reason. The listening sockets are made here
rather than by ZeroMQ, so that duplicates can be kept in the vault: whoever connects while there is
no broker waits in their queues, and the next broker finds them there. Refuses to bind where another
broker listens. Called by `server`.
"""

import os
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import zmq

from lanekeeper.keeper.framing import close_all
from lanekeeper.keeper.program import AlreadyRunningError
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.endpoints import PlaneEndpoints
from lanekeeper.wire.limits import MAX_FRAME, MAX_IN_FLIGHT, MAX_REGISTRATION

CLIENT_HIGH_WATER: Final = 1_000
"""Messages queued per client; one that does not read loses answers, and retries by id."""

WORKER_HIGH_WATER: Final = 2 * MAX_IN_FLIGHT
"""Messages queued per worker: all that may be in flight, and one-way ones beside them."""

EVENT_HIGH_WATER: Final = 4_096
"""Events queued per subscriber before ZeroMQ drops; `events.replay` fills the hole."""

SUBSCRIPTION_BYTES: Final = 1_024
"""The longest subscription: every byte of a topic costs ZeroMQ a node of a tree."""

REPLY_LINGER_MS: Final = 500
"""For the last answers when the broker stops."""

SAMPLE_HIGH_WATER: Final = 16
"""Samples that wait for the collector: each replaces the one before."""

SAMPLE_LINGER_MS: Final = 200
"""For the last sample when the broker stops."""

COLLECTOR_RETRY_MS: Final = 50
COLLECTOR_RETRY_MOST_MS: Final = 5_000
"""Looks for a collector that is away come ever later: it may start after the broker, or never."""

BACKLOG: Final = 1_024
"""Connections that wait to be accepted: every worker of a plane comes at once."""

_OWNER_ONLY: Final = stat.S_IRUSR | stat.S_IWUSR


@dataclass(frozen=True, slots=True)
class Sockets:
    """The bound sockets, and the one that is connected to the collector.

    `listeners` are our own descriptors of what the sockets listen on, by the name of the path.
    """

    clients: zmq.Socket[bytes]
    workers: zmq.Socket[bytes]
    events: zmq.Socket[bytes]
    samples: zmq.Socket[bytes]
    paths: tuple[Path, ...]
    listeners: dict[str, int]

    def rebind(self, rundir: Rundir) -> bool:
        """Listen anew where a path was deleted; who is connected stays so. Return whether any was.

        Raises:
            OSError: a path cannot be bound.
            zmq.ZMQError: ZeroMQ does not take the socket.
        """
        endpoints = PlaneEndpoints(str(rundir.path))
        places = (
            (self.clients, endpoints.commands),
            (self.workers, endpoints.workers),
            (self.events, endpoints.events),
        )
        again = False
        for path, (sock, endpoint) in zip(self.paths, places, strict=True):
            if path.exists():
                continue
            again = True
            listener = _listen(path)
            close_all((self.listeners[path.name],))
            self.listeners[path.name] = listener
            sock.set(zmq.USE_FD, os.dup(self.listeners[path.name]))
            sock.bind(endpoint)
        return again

    def close(self) -> None:
        """Close all of them; what is queued lingers as their options say.

        The paths go first: whoever connects later is to find nothing rather than silence.
        """
        for path in self.paths:
            path.unlink(missing_ok=True)
        close_all(self.listeners.values())
        for sock in (self.clients, self.workers, self.events, self.samples):
            sock.close()


def bind(
    context: zmq.Context[zmq.Socket[bytes]], rundir: Rundir, inherited: Mapping[str, int]
) -> Sockets:
    """Bind the broker's sockets, mode 0600, to what a predecessor listened on if it is all there.

    The inherited descriptors are taken over.

    Raises:
        AlreadyRunningError: somebody listens there.
        OSError: a path cannot be bound.
        zmq.ZMQError: ZeroMQ does not take the socket.
    """
    endpoints = PlaneEndpoints(str(rundir.path))
    paths = (rundir.broker_sock, rundir.workers_sock, rundir.events_sock)
    listeners = _listeners(rundir, paths, inherited)
    clients = _router(context, CLIENT_HIGH_WATER)
    workers = _router(context, WORKER_HIGH_WATER)
    workers.set(zmq.MAXMSGSIZE, MAX_REGISTRATION)
    events = context.socket(zmq.XPUB)
    events.set(zmq.SNDHWM, EVENT_HIGH_WATER)
    events.set(zmq.XPUB_VERBOSE, 1)
    _bound(events, 0)
    events.set(zmq.MAXMSGSIZE, SUBSCRIPTION_BYTES)
    places = (
        (clients, endpoints.commands),
        (workers, endpoints.workers),
        (events, endpoints.events),
    )
    for (sock, endpoint), fd in zip(places, listeners.values(), strict=True):
        # ZeroMQ closes what it is given.
        sock.set(zmq.USE_FD, os.dup(fd))
        sock.bind(endpoint)
    samples = _samples(context, endpoints.collector)
    return Sockets(clients, workers, events, samples, paths, listeners)


def _listeners(
    rundir: Rundir, paths: tuple[Path, ...], inherited: Mapping[str, int]
) -> dict[str, int]:
    names = [path.name for path in paths]
    if set(names) == set(inherited) and all(path.is_socket() for path in paths):
        return {name: inherited[name] for name in names}
    close_all(inherited.values())
    refuse_second(rundir)
    return {path.name: _listen(path) for path in paths}


def _listen(path: Path) -> int:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.bind(str(path))
        path.chmod(_OWNER_ONLY)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener.detach()


def refuse_second(rundir: Rundir) -> None:
    """Refuse when a broker is listening already; a dead one's path does not count.

    Raises:
        AlreadyRunningError: somebody accepts connections there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(str(rundir.broker_sock)) == 0:
            raise AlreadyRunningError(
                f"a broker serves {rundir.path} already; end it with lane down, "
                "or use another --runtime-dir"
            )


def _router(context: zmq.Context[zmq.Socket[bytes]], high_water: int) -> zmq.Socket[bytes]:
    router = context.socket(zmq.ROUTER)
    # An answer that cannot be routed is to be an error, not silence.
    router.set(zmq.ROUTER_MANDATORY, 1)
    router.set(zmq.SNDHWM, high_water)
    router.set(zmq.RCVHWM, high_water)
    _bound(router, REPLY_LINGER_MS)
    return router


def _samples(context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> zmq.Socket[bytes]:
    push = context.socket(zmq.PUSH)
    push.set(zmq.SNDHWM, SAMPLE_HIGH_WATER)
    push.set(zmq.RECONNECT_IVL, COLLECTOR_RETRY_MS)
    push.set(zmq.RECONNECT_IVL_MAX, COLLECTOR_RETRY_MOST_MS)
    _bound(push, SAMPLE_LINGER_MS)
    push.connect(endpoint)
    return push


def _bound(sock: zmq.Socket[bytes], linger: int) -> None:
    sock.set(zmq.LINGER, linger)
    sock.set(zmq.MAXMSGSIZE, MAX_FRAME)
    sock.set(zmq.BACKLOG, BACKLOG)
