"""The contract on the wire: envelopes, methods, topics, states, errors and limits.

Sans-IO: it turns bytes into checked values and values into bytes, and knows nothing of sockets,
clocks or files.
Everybody imports it; it imports nothing of ours. `docs/protocol.md` is the same contract in prose.
"""
