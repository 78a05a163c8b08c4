"""`lane config`: which settings are in force, where each comes from, and whether the file is right.

Owns nothing but the listing: the precedence (flag, environment, file, default) is click's own.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import click
from click.core import ParameterSource

from lanekeeper.cli.config import find, variable
from lanekeeper.cli.errors import CliError
from lanekeeper.cli.lazy import LazyGroup, Verb, load, suggestion
from lanekeeper.cli.options import json_option, pass_settings
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.text import safe
from lanekeeper.cli.verbs import CONFIG_VERBS

SHOW_EXAMPLES = """lane config show --origin
lane config show --all --json"""
CHECK_EXAMPLES = """lane config check
LANEKEEPER_CONFIG=ci.toml lane config check --json"""


class ConfigGroup(LazyGroup):
    """The verbs of settings."""

    entries = CONFIG_VERBS


class ShowOptions(TypedDict):
    """The options of `show`."""

    origin: bool
    all: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """One option's value and where it comes from."""

    name: str
    value: object
    origin: str


@click.group(cls=ConfigGroup, no_args_is_help=True)
def config() -> None:
    """Settings: flag, then environment, then file, then default.

    The file is $XDG_CONFIG_HOME/lanekeeper/config.toml, where XDG_CONFIG_HOME is ~/.config unless
    it is set; LANEKEEPER_CONFIG names another one. Its keys are the options before the verb, as
    color = "never"; a table has those of the verb of its name, [run] or [session.create].
    """


@click.command(cls=Verb, epilog=SHOW_EXAMPLES)
@click.option("--origin", is_flag=True, help="Show where each comes from.")
@click.option("--all", is_flag=True, help="Show those at their default too.")
@json_option()
@pass_settings
@click.pass_context
def show(ctx: click.Context, settings: Settings, **options: Unpack[ShowOptions]) -> None:
    """Show the settings in force.

    The file is $XDG_CONFIG_HOME/lanekeeper/config.toml, or the one that LANEKEEPER_CONFIG names.
    """
    if settings.config.fault is not None:
        raise settings.config.fault
    root = ctx.find_root()
    found = [
        setting
        for setting in every_setting(root, settings)
        if options["all"] or setting.origin != "default" or "." not in setting.name
    ]
    if settings.json:
        rows = [{"name": s.name, "value": plain(s.value), "origin": s.origin} for s in found]
        settings.emit({"file": str(find(os.environ)), "settings": rows})
        return
    width = max((len(setting.name) for setting in found), default=0)
    for setting in found:
        where = f"  ({setting.origin})" if options["origin"] else ""
        click.echo(f"{setting.name:<{width}} = {safe(str(plain(setting.value)))}{where}")


@click.command(cls=Verb, epilog=CHECK_EXAMPLES)
@json_option()
@pass_settings
@click.pass_context
def check(ctx: click.Context, settings: Settings) -> None:
    """Check the configuration file; ends with 3 when something in it is wrong.

    That is $XDG_CONFIG_HOME/lanekeeper/config.toml, or the one that LANEKEEPER_CONFIG names.
    """
    path = find(os.environ)
    if settings.config.fault is not None:
        raise settings.config.fault
    root = ctx.find_root()
    mistakes = list(problems(root.command, root, settings.config.values, ""))
    if mistakes:
        raise CliError(
            "CONFIG",
            f"{path}: {'; '.join(mistakes)}",
            hint="`lane config show --all` lists the settings",
            details={"mistakes": mistakes},
        )
    state = "is right" if path.exists() else "does not exist, which is fine"
    if settings.json:
        settings.emit({"file": str(path), "exists": path.exists(), "mistakes": []})
    settings.say(f"{path} {state}")


def problems(
    command: click.Command, ctx: click.Context, values: Mapping[str, Any], where: str
) -> Iterator[str]:
    """Yield what is wrong with a table of the file."""
    options = {p.name: p for p in command.params if isinstance(p, click.Option) and p.name}
    entries = command.entries if isinstance(command, LazyGroup) else {}
    for name, value in values.items():
        place = f"{where}{name}"
        if name in entries and isinstance(value, dict):
            yield from problems(load(entries[name]), ctx, value, f"{place}.")
        elif name in options and not isinstance(value, dict):
            try:
                options[name].type_cast_value(ctx, value)
            except click.BadParameter as error:
                yield f"{place}: {error.format_message()}"
        else:
            yield f"{place} is not a setting{suggestion(name, [*options, *entries])}"


def every_setting(root: click.Context, settings: Settings) -> Iterator[Setting]:
    """Yield every option of every verb."""
    values = settings.config.values
    for option in options_of(root.command):
        name = option.name or ""
        if root.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            yield Setting(name, root.params.get(name), "flag")
        else:
            yield setting_of(root, option, (), values)
    yield from of_group(root, root.command, (), values)


def of_group(
    ctx: click.Context, group: click.Command, path: tuple[str, ...], values: Mapping[str, Any]
) -> Iterator[Setting]:
    """Yield the options of the verbs of a group."""
    if not isinstance(group, LazyGroup):
        return
    for name, entry in group.entries.items():
        command = load(entry)
        table = values.get(name)
        mine: Mapping[str, Any] = table if isinstance(table, dict) else {}
        for option in options_of(command):
            yield setting_of(ctx, option, (*path, name), mine)
        yield from of_group(ctx, command, (*path, name), mine)


def options_of(command: click.Command) -> list[click.Option]:
    """Return the options that can be set."""
    return [
        parameter
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
    ]


def setting_of(
    ctx: click.Context, option: click.Option, path: tuple[str, ...], values: Mapping[str, Any]
) -> Setting:
    """Return one option's value and origin; a flag is known for the root's options only."""
    name = option.name or ""
    shown = ".".join((*path, name))
    named = option.envvar if isinstance(option.envvar, str) else variable(path, name)
    if os.environ.get(named):
        return Setting(shown, os.environ[named], f"environment {named}")
    if name in values:
        return Setting(shown, values[name], f"file {find(os.environ)}")
    return Setting(shown, option.get_default(ctx), "default")


def plain(value: object) -> object:
    """Return a value as JSON can hold it."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if "UNSET" in repr(value).upper() else str(value)
