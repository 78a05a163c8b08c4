"""`python -m kit.house`: print what breaks the rules of the house, and what is not wanted."""

import sys
from pathlib import Path

from kit.house.rules import findings
from kit.house.shape import notes


def main() -> int:
    """Check the checkout this file belongs to; return 1 if a rule is broken."""
    root = Path(__file__).parents[3]
    found = findings(root)
    for line in notes(root):
        sys.stdout.write(f"note: {line}\n")
    for line in found:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"house: {len(found)} broken rules\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
