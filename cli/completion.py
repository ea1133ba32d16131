"""`mammo completion`: the script that teaches a shell the commands and options."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    r"""Print the completion script of a shell.

    \b
    bash:  mammo completion bash > ~/.local/share/bash-completion/completions/mammo
    zsh:   mammo completion zsh  > a folder of $fpath, as _mammo
    fish:  mammo completion fish > ~/.config/fish/completions/mammo.fish
    """
    writer = get_completion_class(shell)
    assert writer is not None
    root = ctx.find_root().command
    click.echo(writer(root, {}, "mammo", "_MAMMO_COMPLETE").source())
