"""The man pages below docs/man: one for each verb, from the click commands.

Owns the roff. Verbs are imported one by one as `lane` itself does; a verb that two groups share has
one page, under its shorter name. Called by `docs/generate.py`.
"""

import re
from collections.abc import Iterator
from inspect import cleandoc
from typing import Final

import click

from lanekeeper.cli.lazy import LazyGroup
from lanekeeper.cli.main import lane
from lanekeeper.cli.verbs import SECTIONS
from lanekeeper.wire.version import PRODUCT

WIDTH: Final = 100
_CODE: Final = re.compile(r"`([^`]+)`")


def files() -> dict[str, str]:
    """Return every page by its file name."""
    pages: dict[str, str] = {}
    targets: dict[str, str] = {}
    _walk(lane, None, "lane", pages, targets)
    return pages


def _walk(
    command: click.Command,
    parent: click.Context | None,
    name: str,
    pages: dict[str, str],
    targets: dict[str, str],
) -> None:
    """Write the page of a verb, then those of the verbs below it; the outer ones come first."""
    context = click.Context(
        command, parent, name, max_content_width=WIDTH, help_option_names=["-h", "--help"]
    )
    title = context.command_path.replace(" ", "-")
    known = targets.copy()
    if isinstance(command, LazyGroup):
        for verb, entry in command.entries.items():
            known[entry.target] = targets.setdefault(entry.target, f"{title}-{verb}")
    pages[f"{title}.1"] = "\n".join(_page(context, title, known)) + "\n"
    if isinstance(command, LazyGroup):
        for verb, entry in command.entries.items():
            below = command.get_command(context, verb)
            if below is not None and known[entry.target] == f"{title}-{verb}":
                _walk(below, context, verb, pages, targets)


def _page(context: click.Context, title: str, targets: dict[str, str]) -> Iterator[str]:
    command = context.command
    paragraphs = [" ".join(part.split()) for part in cleandoc(command.help or "").split("\n\n")]
    summary = paragraphs[0].removesuffix(".")
    yield '.\\" Written by docs/generate.py from the options of the command; do not edit.'
    yield f'.TH "{title.upper()}" "1" "" "lanekeeper {PRODUCT}" "Lanekeeper"'
    yield from (".SH NAME", f"{_text(title)} \\- {_text(summary[0].lower() + summary[1:])}")
    pieces = command.collect_usage_pieces(context)
    yield from (".SH SYNOPSIS", f"\\fB{_code(context.command_path)}\\fP {_code(' '.join(pieces))}")
    yield ".SH DESCRIPTION"
    for paragraph in paragraphs:
        yield from (".PP", _text(paragraph))
    yield from _options(context)
    if isinstance(command, LazyGroup):
        yield from _verbs(command, targets)
    if command.epilog:
        yield from (".SH EXAMPLES", ".nf", *map(_code, command.epilog.splitlines()), ".fi")
    if context.parent is not None:
        above = context.parent.command_path.replace(" ", "-")
        also = dict.fromkeys(["lane", above])
        yield from (".SH SEE ALSO", ", ".join(f"\\fB{_code(one)}\\fP(1)" for one in also))


def _options(context: click.Context) -> Iterator[str]:
    yield ".SH OPTIONS"
    for parameter in context.command.get_params(context):
        # Arguments stand in the synopsis; whether click lists them too depends on its version.
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            names, words = record
            yield from (".TP", f"\\fB{_code(names)}\\fP", _text(" ".join(words.split())) or "\\&")


def _verbs(group: LazyGroup, targets: dict[str, str]) -> Iterator[str]:
    sections = [each for each in SECTIONS if any(e.section == each for e in group.entries.values())]
    alone = len(sections) <= 1 or group is not lane
    for section in [""] if alone else sections:
        yield f".SH {section.upper() or 'VERBS'}"
        for entry in group.entries.values():
            if alone or entry.section == section:
                yield from (".TP", f"\\fB{_code(targets[entry.target])}\\fP(1)", _text(entry.help))


def _text(text: str) -> str:
    """Return prose as roff; what stands between backticks is bold."""
    parts = _CODE.split(text)
    shown = [
        _escaped(part) if n % 2 == 0 else f"\\fB{_code(part)}\\fP" for n, part in enumerate(parts)
    ]
    return _guarded("".join(shown))


def _code(text: str) -> str:
    """Return what is typed as roff: its hyphens, quotes and tildes stay what they are."""
    shown = _escaped(text).replace("-", "\\-")
    return _guarded(shown.replace("'", "\\(aq").replace("~", "\\(ti").replace("^", "\\(ha"))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e")


def _guarded(line: str) -> str:
    """Return a line that no roff takes for a request."""
    return f"\\&{line}" if line.startswith((".", "'")) else line
