"""`lane doctor`: whether this machine can run a plane, and what to do where it cannot."""

import sys

import click

from lanekeeper.cli import checkup, probes, surroundings
from lanekeeper.cli.errors import CliError
from lanekeeper.cli.lazy import Verb
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.probes import Finding, Grade
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import paint_state, safe
from lanekeeper.keeper.lock import holder
from lanekeeper.keeper.rundir import Rundir

EXAMPLES = """lane doctor
lane doctor --json | jq '.findings[] | select(.grade != "ok")'"""


@click.command(cls=Verb, epilog=EXAMPLES)
@json_option()
@pass_settings
def doctor(settings: Settings) -> None:
    """Check what a plane needs of this machine.

    Each line is ok, warn or fail, with the fix; ends with 1 when something fails.
    """
    rundir = settings.rundir
    findings = [
        *probes.python(),
        *probes.kernel(),
        *surroundings.calls(),
        *probes.limits(),
        *surroundings.processes(),
        *surroundings.permissions(rundir),
        *surroundings.clock(),
        *surroundings.room(rundir),
        *probes.directory(rundir),
        *probes.plane(rundir),
        *living(rundir),
        *configuration(settings.config.fault),
    ]
    failed = any(finding.grade is Grade.FAIL for finding in findings)
    if settings.json:
        rows = [
            {"grade": f.grade.value, "name": f.name, "text": f.text, "fix": f.fix} for f in findings
        ]
        settings.emit({"ok": not failed, "findings": rows})
    else:
        for finding in findings:
            click.echo(line(finding, color=settings.colored()))
    sys.exit(1 if failed else 0)


def living(rundir: Rundir) -> list[Finding]:
    """Return what a plane that runs says of itself."""
    if holder(rundir.lock) is None:
        return []
    return [*checkup.broker(rundir), *checkup.metrics(rundir)]


def configuration(fault: CliError | None) -> list[Finding]:
    """Return what is wrong with the configuration file."""
    if fault is None:
        return []
    return [Finding(Grade.FAIL, "configuration", fault.message, "`lane config check` says more")]


def line(finding: Finding, *, color: bool) -> str:
    """Return a finding as one line, with its fix on a second one."""
    grade = paint_state(finding.grade.value, color=color, width=4)
    text = f"{grade}  {finding.name:<18} {safe(finding.text)}"
    return f"{text}\n      fix: {safe(finding.fix)}" if finding.fix else text
