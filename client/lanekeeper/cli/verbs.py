"""The table of verbs: where each one lives, what it is for, in which part of the help it stands.

Literal data only, so that `lane --help` and a mistyped verb cost no import. The lazy groups read
it; a test loads every entry and compares the short help with this table.
"""

from typing import Final

from msgspec import Struct


class Entry(Struct, frozen=True):
    """One verb: `target` is `module:command`; a verb without a `section` is not listed."""

    target: str
    help: str
    section: str = ""


_PLANE: Final = "The plane"
_LANES: Final = "Lanes and programs"
_TERMINALS: Final = "Terminals"
_LOOK: Final = "Looking around"
_DAEMONS: Final = "Daemons, in the foreground"
_SHELL: Final = "The command line itself"

SECTIONS: Final = (_LANES, _TERMINALS, _LOOK, _PLANE, _DAEMONS, _SHELL)
"""The parts of `lane --help`, in order."""

_CLI: Final = "lanekeeper.cli"


def _entry(target: str, text: str, section: str = "") -> Entry:
    return Entry(f"{_CLI}.{target}", text, section)


VERBS: Final[dict[str, Entry]] = {
    "run": _entry("run:run", "Run a command in a lane and stream its output.", _LANES),
    "create": _entry("create:create", "Make a lane with its own worker.", _LANES),
    "ls": _entry("ls:ls", "List lanes.", _LANES),
    "cleanup": _entry("cleanup:cleanup", "End everything in a lane and forget it.", _LANES),
    "recover": _entry("recover:recover", "Bring back a lane whose workers died.", _LANES),
    "session": _entry("session:session", "Sessions of a lane.", _LANES),
    "workspace": _entry("workspace:workspace", "Workspaces.", _LANES),
    "attach": _entry("attach:attach", "Attach this terminal to a program.", _TERMINALS),
    "send": _entry("send:send", "Type text into a terminal.", _TERMINALS),
    "read": _entry("read:read", "Read a terminal's output.", _TERMINALS),
    "screen": _entry("screen:screen", "Show what a terminal's screen shows.", _TERMINALS),
    "resize": _entry("resize:resize", "Set the size of a terminal.", _TERMINALS),
    "signal": _entry("signals:signal", "Send a signal to a terminal's program.", _TERMINALS),
    "wait": _entry("wait:wait", "Wait for an end, a match or silence.", _TERMINALS),
    "record": _entry("record:record", "Record output for asciinema.", _TERMINALS),
    "respawn": _entry("respawn:respawn", "Start an ended program again.", _TERMINALS),
    "close": _entry("close:close", "End a terminal's program and forget it.", _TERMINALS),
    "terminal": _entry("terminal:terminal", "Terminals of a lane.", _TERMINALS),
    "status": _entry("status:status", "Show the plane's processes and health.", _LOOK),
    "top": _entry("top:top", "Show the lanes by what they take.", _LOOK),
    "diag": _entry("diag:diag", "Show the figures, and what is wrong.", _LOOK),
    "events": _entry("events:events", "Show what happened, and follow it.", _LOOK),
    "context": _entry("context:context", "Show the active context.", _LOOK),
    "logs": _entry("logs:logs", "Show a daemon's log.", _LOOK),
    "orphans": _entry("orphans:orphans", "What is left over, and cleaning it.", _LOOK),
    "doctor": _entry("doctor:doctor", "Check what a plane needs of this machine.", _LOOK),
    "up": _entry("up:up", "Start the plane.", _PLANE),
    "down": _entry("down:down", "Stop the plane with everything in it.", _PLANE),
    "restart": _entry("restart:restart", "Restart one of the plane's processes.", _PLANE),
    "keeper": _entry("daemons:keeper", "Run the keeper.", _DAEMONS),
    "broker": _entry("daemons:broker", "Run a broker.", _DAEMONS),
    "collector": _entry("daemons:collector", "Run a collector.", _DAEMONS),
    "worker": _entry("daemons:worker", "Run the worker of one lane.", _DAEMONS),
    "config": _entry("config_verb:config", "Show and check the settings.", _SHELL),
    "completion": _entry("completion:completion", "Print a shell's completion script.", _SHELL),
    "bench": _entry("bench:bench", "Measure this plane.", _SHELL),
    "soak": _entry("soak:soak", "Long runs against a plane of their own.", _SHELL),
    "version": _entry("version:version", "Print the version.", _SHELL),
}

SESSION_VERBS: Final[dict[str, Entry]] = {
    "create": _entry("session:create", "Ensure a session in a lane."),
    "ls": _entry("session:ls", "List sessions."),
    "attach": _entry("session:attach", "Hold a session attached until interrupted."),
    "terminate": _entry("session:terminate", "End everything in a session."),
}

TERMINAL_VERBS: Final[dict[str, Entry]] = {
    "spawn": _entry("terminal:spawn", "Start a program on a new terminal."),
    "ls": _entry("terminal:ls", "List terminals."),
    "show": _entry("terminal:show", "Show one terminal."),
    "consumers": _entry("consumers:consumers", "Show who reads, and how far behind."),
    "attach": VERBS["attach"],
    "send": VERBS["send"],
    "read": VERBS["read"],
    "screen": VERBS["screen"],
    "resize": VERBS["resize"],
    "signal": VERBS["signal"],
    "wait": VERBS["wait"],
    "record": VERBS["record"],
    "respawn": VERBS["respawn"],
    "close": VERBS["close"],
}

WORKSPACE_VERBS: Final[dict[str, Entry]] = {
    "create": _entry("workspace:create", "Make a workspace."),
    "open": _entry("workspace:open_workspace", "Make a workspace the active one."),
    "ls": _entry("workspace:ls", "List workspaces."),
}

ORPHANS_VERBS: Final[dict[str, Entry]] = {
    "list": _entry("orphans:list_orphans", "List what is left over, with a remedy each."),
    "clean": _entry("orphans:clean", "Kill and remove what is left over."),
}

CONFIG_VERBS: Final[dict[str, Entry]] = {
    "show": _entry("config_verb:show", "Show the settings in force."),
    "check": _entry("config_verb:check", "Check the configuration file."),
}

SOAK_VERBS: Final[dict[str, Entry]] = {
    "faults": _entry("soak:faults", "Kill the processes of a plane and check the promise."),
}

LATER: Final[dict[str, str]] = {
    "audit": "the hardening step",
    "provider": "the agents step",
}
"""Verbs of the contract that this version refuses, and the step that brings each."""
