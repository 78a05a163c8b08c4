"""Long runs and faults: kills processes of a plane on purpose and judges what its users notice.

Drives a private plane through the client library alone and starts everything else as processes.
The oracle shares no code with the product. Called by `lane soak`.
"""
