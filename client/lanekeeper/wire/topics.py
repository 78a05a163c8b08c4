"""Every topic of the bus: formal ones of the specification and our extensions.

`terminal.output` travels on each lane's own XPUB (see `output`); all the others on the broker's
XPUB.
"""

from typing import Final

FORMAL: Final = frozenset(
    {
        "workspace.opened",
        "project.ready",
        "session.created",
        "session.attach.started",
        "session.attached",
        "session.attach.failed",
        "session.restore.started",
        "session.restore.completed",
        "session.terminated",
        "terminal.spawn.started",
        "terminal.spawned",
        "terminal.spawn.failed",
        "terminal.output",
        "terminal.state.changed",
        "renderer.switch.started",
        "renderer.switch.succeeded",
        "renderer.switch.failed",
        "agent.run.started",
        "agent.run.progress",
        "agent.run.completed",
        "agent.run.failed",
        "approval.requested",
        "approval.resolved",
        "share.session.started",
        "share.session.stopped",
        "lane.create.started",
        "lane.created",
        "lane.create.failed",
        "lane.attached",
        "lane.cleaned",
        "harness.status.changed",
        "boundary.local.dispatched",
        "boundary.tool.dispatched",
        "boundary.a2a.delegated",
        "boundary.dispatch.failed",
        "audit.recorded",
        "diagnostics.metric",
    }
)

EXTENSIONS: Final = frozenset(
    {
        "workspace.created",
        "context.changed",
        "lane.state.changed",
        "session.detached",
        "terminal.closed",
        "terminal.writer.changed",
        "orphan.found",
        "orphan.cleaned",
    }
)

PUBLISHED: Final = (
    frozenset(
        {
            "workspace.opened",
            "session.created",
            "session.attach.started",
            "session.attached",
            "session.attach.failed",
            "session.restore.started",
            "session.restore.completed",
            "session.terminated",
            "terminal.spawn.started",
            "terminal.spawned",
            "terminal.spawn.failed",
            "terminal.output",
            "terminal.state.changed",
            "lane.create.started",
            "lane.created",
            "lane.create.failed",
            "lane.attached",
            "lane.cleaned",
            "boundary.local.dispatched",
            "boundary.dispatch.failed",
            "diagnostics.metric",
        }
    )
    | EXTENSIONS
)
"""What this version publishes; the other formal topics are deferred with their methods."""

WORKER_REGISTERED: Final = "worker.registered"
"""Between worker and broker only: a `Registration`. Never published."""

COLLECTOR_REGISTERED: Final = "collector.registered"
"""Between collector and broker only: an empty payload. Never published."""

REQUIRED_IDS: Final[dict[str, tuple[str, ...]]] = {
    "terminal.spawned": ("workspace_id", "lane_id", "session_id", "terminal_id"),
}
