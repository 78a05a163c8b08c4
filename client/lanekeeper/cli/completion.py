"""`lane completion`: the script that teaches a shell to complete `lane`."""

import click
from click.shell_completion import get_completion_class

from lanekeeper.cli.errors import CliError
from lanekeeper.cli.lazy import Verb

EXAMPLES = """eval "$(lane completion bash)"
lane completion zsh > ~/.zfunc/_lane
lane completion fish > ~/.config/fish/completions/lane.fish"""
VARIABLE = "_LANE_COMPLETE"


@click.command(cls=Verb, epilog=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell's completion script; it completes verbs, options and live names."""
    kind = get_completion_class(shell)
    if kind is None:
        raise CliError("INVALID_ARGUMENT", f"no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, "lane", VARIABLE).source())
