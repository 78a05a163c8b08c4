"""Loads the test kit; the run gets its token before any test starts a process."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from kit import places

pytest_plugins = ("kit.fixtures", "kit.programs")

places.run_token()

# An example that takes long on a busy machine is no defect; pytest's own limit ends what hangs.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

UNMEASURED: Final = tuple(
    str(Path(__file__).parent / place)
    for place in (
        "docs",
        "system/daemons",
        "system/long",
        "system/monitoring",
        "system/output",
        "system/programs",
        "system/recovery",
        "system/screen",
        "system/test_demo.py",
    )
)
"""Where planes are started whose lines others run, too: without coverage they start much faster."""
_MEASURING: Final = "COVERAGE_PROCESS_CONFIG"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Have what an unmeasured test starts run as it does for everybody."""
    measured = os.environ.get(_MEASURING)
    if measured is not None and str(item.path).startswith(UNMEASURED):
        del os.environ[_MEASURING]
    try:
        return (yield)
    finally:
        if measured is not None:
            os.environ[_MEASURING] = measured
