"""The keeper and the nursery: the two processes that supervise a plane and fork what runs in it.

Standard library only, and nothing else of Lanekeeper is imported here: a process that must outlive
the others depends on as little as it can. Broker, collector and workers use the leaf modules
(`channel`, `rundir`, `identity`, `journal`, `logs`) and nothing more.
"""
