"""The command line `lane`: one module per verb, loaded when the verb is used.

It owns what people see: verbs, options, texts, `--json`, colours, exit statuses. Everything a
plane does is asked of it through `lanekeeper.client`, or on the keeper's socket when there is no
broker to ask.
"""
