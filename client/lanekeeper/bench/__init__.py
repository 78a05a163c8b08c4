"""Measurements of a real plane beside tmux and a bare read loop, in one run (`lane bench`).

Rates on a shared machine drift by a factor of two, so what counts are ratios between things
measured in turn, and medians. Nothing here asserts anything; it reports.
"""
