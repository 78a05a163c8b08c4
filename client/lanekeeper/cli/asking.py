"""The quick way from a reading verb to the broker: no streams, no leases, one connection."""

from collections.abc import Iterator
from contextlib import contextmanager

from lanekeeper.cli.errors import no_broker
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.traffic import observer
from lanekeeper.client.asking import Asker
from lanekeeper.client.errors import LaneError

ANSWER_SECONDS = 5.0


@contextmanager
def asking(settings: Settings) -> Iterator[Asker]:
    """Give a connection that asks; a broker that does not answer is UNREACHABLE.

    Raises:
        RundirError: no plane, or an unsafe runtime directory.
        CliError: UNREACHABLE, no broker answers.
    """
    rundir = settings.rundir
    rundir.check()
    with Asker(str(rundir.path), ANSWER_SECONDS, observer(settings)) as asker:
        try:
            yield asker
        except LaneError as error:
            if error.code != "TIMEOUT":
                raise
            raise no_broker(rundir) from None
