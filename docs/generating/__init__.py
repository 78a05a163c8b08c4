"""What is generated in the documents: tables, diagrams and schemas, from the code itself.

Owns nothing at run time: `docs/generate.py` writes what these modules return, and a test checks
that writing it again changes nothing.
"""
