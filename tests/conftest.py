"""Loads the test kit; the run gets its token before any test starts a process."""

from hypothesis import settings

from kit import places

pytest_plugins = ("kit.fixtures", "kit.programs")

places.run_token()

# An example that takes long on a busy machine is no defect; pytest's own limit ends what hangs.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
