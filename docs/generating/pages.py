"""Pages with generated blocks: what stands between two marks is replaced, the rest is left alone.

Owns the marks. Refuses a page whose marks do not match the blocks there are. Called by
`docs/generate.py`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

_BLOCK: Final = re.compile(
    r"(?P<open><!-- generated: (?P<name>[\w .-]+) -->\n)(?P<body>.*?)(?P<close><!-- end -->)",
    re.DOTALL,
)


class MarksError(Exception):
    """A page lacks a block, or has one that nothing fills."""


def fill(page: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """Return the page with every block written anew.

    Raises:
        MarksError: the blocks of the page are not exactly `blocks`.
    """
    found = [match["name"] for match in _BLOCK.finditer(page)]
    if sorted(found) != sorted(blocks):
        missing, unknown = set(blocks) - set(found), set(found) - set(blocks)
        raise MarksError(f"blocks not on the page: {missing}; filled by nothing: {unknown}")
    return _BLOCK.sub(lambda m: f"{m['open']}\n{blocks[m['name']]()}\n\n{m['close']}", page)
