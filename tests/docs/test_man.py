"""The manual: every verb has a page, every page is roff that says nothing by accident.

That the pages say what the command says is held by `docs/generate.py --check`.
"""

import re
from pathlib import Path

from lanekeeper.cli import verbs

PAGES = Path(__file__).parents[2] / "docs" / "man"
REQUESTS = {".TH", ".SH", ".PP", ".TP", ".nf", ".fi"}
COMMENT = '.\\"'
GROUPS = {
    "lane": verbs.VERBS,
    "lane-session": verbs.SESSION_VERBS,
    "lane-terminal": verbs.TERMINAL_VERBS,
    "lane-workspace": verbs.WORKSPACE_VERBS,
    "lane-config": verbs.CONFIG_VERBS,
    "lane-soak": verbs.SOAK_VERBS,
    "lane-orphans": verbs.ORPHANS_VERBS,
}


def test_every_verb_has_one_page() -> None:
    first: dict[str, str] = {}
    for group, entries in GROUPS.items():
        for name, entry in entries.items():
            first.setdefault(entry.target, f"{group}-{name}")
    assert {path.stem for path in PAGES.glob("*.1")} == {"lane", *first.values()}


def test_every_reference_leads_to_a_page() -> None:
    for path in PAGES.glob("*.1"):
        for name in re.findall(r"\\fB([^ ]+?)\\fP\(1\)", path.read_text("utf-8")):
            assert (PAGES / f"{name.replace(chr(92), '')}.1").exists(), (path.name, name)


def test_no_line_of_text_is_taken_for_a_request() -> None:
    for path in PAGES.glob("*.1"):
        for line in path.read_text("utf-8").splitlines():
            assert line, f"{path.name}: an empty line is a paragraph nobody asked for"
            assert not line.startswith("'"), (path.name, line)
            if line.startswith("."):
                assert line.split(" ")[0] in REQUESTS | {COMMENT}, (path.name, line)


def test_a_page_has_the_options_and_the_examples_of_its_verb() -> None:
    page = (PAGES / "lane-run.1").read_text("utf-8")
    assert "\\fB\\-\\-keep SECONDS\\fP\nHow long the log stays after the end." in page
    assert "lane run build \\-\\- make \\-j4" in page
    assert page.count("\n.SH ") == 6
