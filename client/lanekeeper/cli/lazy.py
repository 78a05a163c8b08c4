"""Groups that import a verb's module when the verb is used, and verbs that show examples.

Owns how verbs are found, suggested and listed, and refuses settings of the configuration file
that no option has. `lane ls` must not pay for `lane doctor`: nothing here imports a verb until its
name was typed.
"""

import importlib
from collections.abc import Mapping
from typing import ClassVar

import click

from lanekeeper.cli.errors import CliError, ReaderGoneError
from lanekeeper.cli.verbs import LATER, SECTIONS, VERBS, Entry


class Verb(click.Command):
    """A command whose epilog is its examples, one a line, printed as they stand."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples; called by click for `--help`."""
        del ctx
        with formatter.section("Examples"):
            for line in (self.epilog or "").splitlines():
                formatter.write(f"  {line}\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Check the file's settings for this verb, then parse; called by click."""
        if ctx.default_map and not ctx.resilient_parsing:
            known = [parameter.name for parameter in self.params if parameter.name]
            refuse_unknown(ctx.default_map, known, f"[{ctx.info_name}]")
        return super().parse_args(ctx, args)


class LazyGroup(click.Group):
    """A group of verbs that are named in a table and imported when used."""

    entries: ClassVar[Mapping[str, Entry]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the verbs; called by click for the completion."""
        del ctx
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a verb; called by click."""
        del ctx
        entry = self.entries.get(cmd_name)
        return None if entry is None else load(entry)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that was typed, or say which one may have been meant; called by click."""
        name = args[0]
        if not name.startswith("-") and name not in self.entries and not ctx.resilient_parsing:
            raise click.UsageError(f"no verb {name!r}{suggestion(name, self.entries)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs from the table; called by click for `--help`."""
        del ctx
        sections = [s for s in SECTIONS if any(e.section == s for e in self.entries.values())]
        if len(sections) == 1:
            sections = []
        width = max(map(len, self.entries))
        for section in sections or [""]:
            rows = [
                (name.ljust(width), entry.help)
                for name, entry in self.entries.items()
                if not sections or entry.section == section
            ]
            with formatter.section(section or "Verbs"):
                formatter.write_dl(rows)


class Root(LazyGroup):
    """All verbs; those of a later step are found but not listed."""

    entries = VERBS

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb; called by click, which would end with 1 when the reader has gone."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGoneError from error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a verb; one of a later step says so."""
        if cmd_name in LATER:
            return load(Entry("lanekeeper.cli.later:later", ""))
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that was typed, those of a later step too; called by click."""
        if args[0] in LATER:
            return args[0], self.get_command(ctx, args[0]), args[1:]
        return super().resolve_command(ctx, args)


def load(entry: Entry) -> click.Command:
    """Import one verb.

    Raises:
        CliError: INTERNAL, the table names something that is not a command.
    """
    module, _, name = entry.target.partition(":")
    command = getattr(importlib.import_module(module), name, None)
    if not isinstance(command, click.Command):
        raise CliError("INTERNAL", f"{entry.target} is not a command; report this defect")
    return command


def suggestion(word: str, known: Mapping[str, object] | list[str]) -> str:
    """Return `; did you mean X?` for a mistyped word, or nothing."""
    # not imported at the top: nobody mistypes often enough to pay for it every time
    close = importlib.import_module("difflib").get_close_matches(word, list(known), n=2)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def refuse_unknown(given: Mapping[str, object], known: list[str], where: str) -> None:
    """Refuse a setting that no option has.

    Raises:
        CliError: CONFIG, naming the setting and the nearest known one.
    """
    for name in given:
        if name not in known:
            raise CliError(
                "CONFIG",
                f"the configuration file sets {name!r} in {where}, which is not a setting"
                f"{suggestion(name, known)}",
                hint="`lane config show --all` lists the settings, `config check` the mistakes",
            )
