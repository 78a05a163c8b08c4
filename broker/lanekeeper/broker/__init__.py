"""The broker: where commands enter, find their lane, and leave as answers and numbered events.

`core` is a sans-IO machine: stimuli in, actions out, through one door; it is rebuilt by replaying
its journal. `server` is the thin shell of sockets around it. The workers own the truth about their
lanes; the broker owns workspaces, names, the active context and the order of events.
"""
