"""A board on made-up lanes, with a keyboard and a picture of it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lanekeeper.cli.board import Board
from lanekeeper.cli.keyboard import Action, Keyboard
from lanekeeper.cli.looks import Listing
from lanekeeper.cli.patterns import matcher
from lanekeeper.cli.scene import Scene
from lanekeeper.cli.sizes import Size
from lanekeeper.wire.messages.diagnostics import Diagnostics, LaneFigures, ProcessLoad
from lanekeeper.wire.messages.lane import LaneInfo

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SPACES = {"ws_default": "default", "ws_web": "web"}


def lane(name: str, status: str = "running", workspace: str = "ws_default") -> LaneInfo:
    """Return a lane that was made an hour ago."""
    made = (NOW - timedelta(hours=1)).isoformat()
    return LaneInfo(
        id=f"lane_{name}",
        workspace_id=workspace,
        name=name,
        status=status,
        created=made,
        updated=made,
        terminals=1,
        running=1,
    )


def figures(name: str, cpu: float = 0.0, memory: int = 0, output: float = 0.0) -> LaneFigures:
    """Return the figures of a lane."""
    return LaneFigures(
        lane_id=f"lane_{name}", pid=1, cpu=cpu, resident_bytes=memory, output_rate=output
    )


def diagnostics(
    *loads: LaneFigures, cpu_seconds: float = 1.0, cpu: float | None = None
) -> Diagnostics:
    """Return diagnostics in which all is well, with these figures of lanes."""
    broker = ProcessLoad(
        role="broker",
        count=1,
        resident_bytes=80 << 20,
        cpu_seconds=cpu_seconds,
        cpu=cpu,
        open_fds=40,
    )
    return Diagnostics(
        status="pass",
        since="2026-03-04T00:00:00Z",
        window_seconds=600.0,
        metrics={},
        processes=[broker],
        lanes=list(loads),
        lanes_total=len(loads),
    )


@dataclass
class Desk:
    """A board with its keyboard and its picture."""

    board: Board = field(default_factory=Board)

    def __post_init__(self) -> None:
        """Put a keyboard and a screen to the board."""
        self.keyboard = Keyboard(self.board, matcher)
        self.scene = Scene(self.board, self.keyboard, "/run/plane")

    def lanes(self, *names: str, complete: bool = True) -> None:
        """Let the plane have lanes of these names."""
        self.board.listed(Listing([lane(name) for name in names], SPACES, complete), NOW)

    def loads(self, **cpu: float) -> None:
        """Let the collector know the processors that these lanes take."""
        found = diagnostics(*(figures(name, value) for name, value in cpu.items()))
        self.board.diagnosed(found, NOW)

    def keys(self, *keys: str) -> list[Action]:
        """Press keys and return what is to be done."""
        return [action for key in keys for action in self.keyboard.press(key)]

    def shown(self, cols: int = 80, rows: int = 24) -> list[str]:
        """Return the text of the picture, line by line."""
        lines = self.scene.lines(Size(cols, rows), NOW)
        return ["".join(piece.text for piece in line).rstrip() for line in lines]

    @property
    def order(self) -> list[str]:
        """The addresses in their order."""
        return [row.address for row in self.board.rows]
