"""What to do when the system has no more of something: words beside the kernel's own.

Owns the advice for each errno of a limit that is reached. Refuses to guess at any other. Called
by whoever forks, opens and deposits.
"""

import errno
import os
from typing import Final

_ADVICE: Final = {
    errno.EAGAIN: (
        "a limit on processes is reached; end some programs, or raise it "
        "(ulimit -u, a container's pids.max, kernel.pid_max), and try again"
    ),
    errno.ENOMEM: "memory ran out; end some programs and try again",
    errno.EMFILE: (
        "descriptors ran out; end some terminals, or raise the limit of open files "
        "(ulimit -n) before `lane up`, and try again"
    ),
    errno.ENFILE: "the system's descriptors ran out (fs.file-max); end some programs and try again",
    errno.ENOSPC: "the system has no more of them; end some terminals and try again",
}

SCARCE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What accept and recvmsg fail with when nothing is wrong with the peer."""


LOST: Final = f"descriptors were lost on their way: {_ADVICE[errno.EMFILE]}"
"""What a sender is told whose descriptors the receiver had no room for."""


def explain(error: OSError) -> str:
    """Return what the system says, and what to do about it if that is known."""
    said = error.strerror or os.strerror(error.errno or 0)
    advice = _ADVICE.get(error.errno or 0)
    return said if advice is None else f"{said}: {advice}"
