"""Loads the test kit; the run gets its token before any test starts a process."""

from kit import places

pytest_plugins = ("kit.fixtures", "kit.programs")

places.run_token()
