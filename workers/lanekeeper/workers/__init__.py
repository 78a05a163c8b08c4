"""The worker: one process per lane that owns its PTYs, logs their output and publishes it.

Cores (`state`, `core`, `sessions`, `terminals`, `consumers`, `inputs`, `ending`) decide; shells
(`runner`, `terminal_io`, `output_log`, `pty`, `spawner`, `sweep`) do. The state is rebuilt by
replaying the journal.
"""
