"""What the broker does in the world for the sake of orphans: it looks, and it cleans.

Owns that neither can end the broker: what comes up in them is logged, and told as a failure. What
is in /proc is written by every user of the machine. Refuses to judge and to decide. Called by
`server`.
"""

import logging
from typing import Final

from lanekeeper.broker.stimuli import Looked, Tidied, Tidy
from lanekeeper.keeper import survey, tidy
from lanekeeper.keeper.facts import Finding, Outcome
from lanekeeper.keeper.rundir import Rundir

LOG: Final = logging.getLogger(__name__)


def look(rundir: Rundir) -> Looked:
    """Look for what has to do with planes."""
    try:
        return Looked(survey.look(rundir))
    except Exception:
        LOG.exception("could not look for orphans")
        return Looked(None)


def clean(action: Tidy) -> Tidied:
    """Clean findings of this moment."""
    return Tidied(action.key, [_clean(one) for one in action.findings])


def _clean(finding: Finding) -> Outcome:
    try:
        return tidy.clean(finding)
    except Exception as error:
        LOG.exception("could not clean %s", finding.id)
        return Outcome(finding.id, error=f"{type(error).__name__}: {error}")
