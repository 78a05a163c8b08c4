"""Payloads and results of every method and topic, one module per noun."""
