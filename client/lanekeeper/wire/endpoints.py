"""Where the sockets of a plane are, as ZeroMQ endpoints below its runtime directory."""

from msgspec import Struct


class PlaneEndpoints(Struct, frozen=True):
    """The endpoints of one runtime directory (an absolute path)."""

    directory: str

    @property
    def commands(self) -> str:
        """The broker's ROUTER for clients."""
        return f"ipc://{self.directory}/broker.sock"

    @property
    def workers(self) -> str:
        """The broker's ROUTER for workers."""
        return f"ipc://{self.directory}/workers.sock"

    @property
    def events(self) -> str:
        """The broker's XPUB of lifecycle events."""
        return f"ipc://{self.directory}/events.sock"

    @property
    def collector(self) -> str:
        """The collector's PULL."""
        return f"ipc://{self.directory}/collector.sock"

    def output(self, lane_id: str) -> str:
        """A lane's XPUB of terminal output."""
        return f"ipc://{self.directory}/lanes/{lane_id}.out"

    def control(self, lane_id: str) -> str:
        """A lane's ROUTER for the hot path."""
        return f"ipc://{self.directory}/lanes/{lane_id}.in"
