"""`python -m lanekeeper.soak`: the same as `lane soak faults`, for trying."""

import sys

from lanekeeper.soak.driver import Driver
from lanekeeper.soak.plan import Victim, plan

seed = int(sys.argv[1])
each, times = int(sys.argv[3]), int(sys.argv[4])
episodes = plan(seed, [Victim(v) for v in sys.argv[2].split(",")], each=each, times=times)
for result in Driver(print).run(episodes):
    print(result.episode.index, result.bytes, result.inputs, [(str(o.fault), o.seconds, round(o.pause,3)) for o in result.outcomes], [str(f) for f in result.all_findings])
    if result.logs: print(result.logs[-1500:])
