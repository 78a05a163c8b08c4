"""Writes what is generated in the documents: protocol tables, diagrams, contracts, man pages.

Run it after a change of the contract: `.venv/bin/python docs/generate.py`. With `--check` it writes
nothing, names what would change and ends with 1; a test does that.
"""

import sys
from pathlib import Path
from typing import Final

from generating import diagrams, man, metrics, notes, pages, reference, schemas

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"
CONTRACTS: Final = ROOT / "kitty-specs/001-colab-agent-terminal-control-plane/contracts"
MAN: Final = DOCS / "man"
WRITTEN_BY_HAND: Final = frozenset({"README.md"})


def wanted() -> dict[Path, str]:
    """Return every generated file with what it has to hold."""
    words = notes.read(DOCS / "notes")
    protocol, states, figures = DOCS / "protocol.md", DOCS / "states.md", DOCS / "metrics.md"
    found = {
        protocol: pages.fill(protocol.read_text("utf-8"), reference.blocks(words)),
        states: pages.fill(states.read_text("utf-8"), diagrams.blocks()),
        figures: pages.fill(figures.read_text("utf-8"), metrics.blocks()),
    }
    found |= {MAN / name: text for name, text in man.files().items()}
    return found | {CONTRACTS / name: text for name, text in schemas.files().items()}


def surplus(files: dict[Path, str]) -> list[Path]:
    """Return contracts and man pages that nothing generates any more."""
    there = (path for root in (CONTRACTS, MAN) for path in root.rglob("*") if path.is_file())
    return sorted(p for p in there if p not in files and p.name not in WRITTEN_BY_HAND)


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare; return the exit status."""
    files = wanted()
    stale = [p for p, text in files.items() if not p.exists() or p.read_text("utf-8") != text]
    unknown = surplus(files)
    if "--check" not in arguments:
        for path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], "utf-8")
        for path in unknown:
            path.unlink()
        return 0
    for path in [*stale, *unknown]:
        sys.stdout.write(f"out of date: {path.relative_to(ROOT)}; run docs/generate.py\n")
    return 1 if stale or unknown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
