"""The rules of the house, checked on the syntax tree of every file."""
