"""The collector: receives the samples that the processes of a plane push, and sums them up.

`model` turns samples into totals, sans-IO; `server` is the shell around a PULL socket. Nothing of a
plane depends on it: when it is away, samples are dropped by those who push them.
"""
