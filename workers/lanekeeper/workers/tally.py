"""What a worker counts where it happens: plain numbers, cheap enough for every byte and key.

Owns totals since this process began, which never fall; what a successor rebuilds from the journal
is not counted again. Refuses clocks and sockets. Written by the core and by the shell around it,
read by `figures` once per sample.
"""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Totals of one worker process.

    Attributes:
        published_bytes: output given to subscribers.
        published_messages: messages on the output socket, of every kind.
    """

    published_bytes: int = 0
    published_messages: int = 0
    incidents: Counter[str] = field(default_factory=Counter)
