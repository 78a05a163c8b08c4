"""Every bound of the plane, with its reason. A refusal names the bound it hit."""

from typing import Final

MAX_FRAME: Final = 256 * 1024
"""Bytes of one frame: a 64 KiB chunk with its envelope fits four times over."""

MAX_CONTROL: Final = 192 * 1024
"""Bytes of one control message: the largest argv (64 KiB) and environment (96 KiB) with their
envelope.
"""

MAX_REGISTRATION: Final = 2 * 1024 * 1024
"""Bytes of a worker's message to the broker: a registration with every terminal a lane may have."""

MAX_SHOWN: Final = 1024
"""Bytes of `argv` and of `cwd`, in UTF-8, that a listing shows; what runs is never cut."""

MAX_CHUNK: Final = 64 * 1024
"""Bytes of terminal data in one message, either way."""

MAX_ID: Final = 128
"""Characters of any id a client chooses."""

MAX_ARGV_ITEMS: Final = 256
MAX_ARGV_BYTES: Final = 64 * 1024
MAX_ENV_ITEMS: Final = 1024
MAX_ENV_BYTES: Final = 96 * 1024
MAX_PATH: Final = 4096

MIN_COLS: Final = 2
"""One column makes terminal emulators fail; nobody works in one."""
MAX_COLS: Final = 1000
MIN_ROWS: Final = 1
MAX_ROWS: Final = 1000

MAX_INPUT_QUEUE: Final = 1024 * 1024
"""Bytes waiting for one terminal's program; beyond it `BACKPRESSURE`."""

LOG_CAPACITY: Final = 4 * 1024 * 1024
"""Bytes of output kept per terminal unless `capacity` says otherwise."""
MIN_LOG_CAPACITY: Final = 64 * 1024
MAX_LOG_CAPACITY: Final = 64 * 1024 * 1024

LOG_BUDGET: Final = 1024 * 1024 * 1024
"""Bytes of output that all terminals of a plane may keep together, unless `lane up` says otherwise.

A program that runs counts with the capacity of its log, one that has ended with what is kept.
"""
MIN_LOG_BUDGET: Final = LOG_CAPACITY
MAX_SCREEN_CELLS: Final = 200_000
"""Cells of a screen that the lane draws: 1,000 columns by 200 rows. A larger one has no screen."""

SEND_HIGH_WATER: Final = 64
"""Messages queued per subscriber on a lane's XPUB before ZeroMQ drops for that subscriber."""

MAX_TOPICS: Final = 4096
"""Subscriptions a lane tells apart; with more at once it publishes for everybody."""

MAX_TERMINALS_PER_LANE: Final = 256
MAX_SESSIONS_PER_LANE: Final = 256
MAX_LANES: Final = 2048
MAX_WORKSPACES: Final = 256
MAX_CONSUMERS: Final = 64
"""Registered consumers of one terminal."""
MAX_WAITERS: Final = 256
"""`terminal.wait` commands pending in one lane."""
MAX_SEARCHES: Final = 64
"""`terminal.wait` commands with a pattern pending in one lane: each may hold 1 MiB of a matcher."""
MAX_PATTERN: Final = 1024
"""Characters of a pattern."""
MAX_PATTERN_SIZE: Final = 1024
"""Instructions of a compiled pattern: what a search costs is this times the bytes searched."""
MAX_GROUPS: Final = 16
"""Groups of a pattern: each is given in the answer."""
MATCH_SPAN: Final = 8 * 1024
"""Bytes of a match that is found wherever it lies; large patterns have less, never under 256."""
MATCH_SHOWN: Final = 4096
"""Bytes of a match and of each group that the answer gives; the offsets are never cut."""
MAX_IN_FLIGHT: Final = 1024
"""Commands the broker has forwarded and not yet answered, per lane."""
TIMELINE_PAGE: Final = 4096
"""Times of one `terminal.timeline` answer; `next` continues it."""
MAX_CLEANED: Final = 200
"""Orphans cleaned by one command."""

MAX_LIST: Final = 500
"""Entries of one listing; `next` continues it."""
MAX_FIGURES: Final = 1_000
"""Lanes of which one answer to `diagnostics.get` gives figures."""

ANSWERS_KEPT: Final = 10_000
"""Answers kept for retries of mutating commands, per process."""
ANSWER_SECONDS: Final = 600.0
"""How long an answer is kept; after it a repeated id is `INDETERMINATE`."""
TOMBSTONES_KEPT: Final = 20_000
"""Ids remembered after their answer was dropped, so that a late retry is not run again."""

EVENTS_KEPT: Final = 10_000
"""Lifecycle events that `events.replay` can still give."""
EVENT_REPLAY: Final = 500
"""Events of one `events.replay` answer."""

DEFAULT_DEADLINE_MS: Final = 5_000
MAX_DEADLINE_MS: Final = 24 * 3600 * 1000

LEASE_BEAT: Final = 2.0
"""Seconds between renewals of a client's lease."""
LEASE_SECONDS: Final = 6.0
"""Seconds after which a lease that was not renewed expires."""

KEEP_SECONDS: Final = 3600.0
"""How long the log of an ended terminal stays unless `keep_s` says otherwise."""
MAX_KEPT_TERMINALS: Final = 64
"""Ended terminals kept in one lane; the oldest goes first."""
BEACON_SECONDS: Final = 0.1
"""Silence after output before a `head` beacon tells where the log ends."""

GRACE_SECONDS: Final = 3.0
"""From SIGHUP to SIGKILL when something is ended, unless `grace_s` says otherwise."""
MAX_GRACE_SECONDS: Final = 600
