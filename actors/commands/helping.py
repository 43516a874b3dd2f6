"""Commands about commands: ``help``, ``completion``."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class

from actors.commands.face import Face
from actors.commands.kinds import OneOf
from actors.commands.tree import COMMANDS, tree, unknown_command
from actors.errors import RequestError
from actors.tables import width_of

SHELLS = ("bash", "zsh", "fish")


class CommandName(click.ParamType[str]):
    name = "command"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        return [CompletionItem(name) for name in COMMANDS if name.startswith(incomplete)]


@click.command("help")
@click.argument("command", required=False, type=CommandName())
def help_(command: str | None) -> None:
    """Explain a command, with an example; without one, list them all."""
    ctx = click.get_current_context()
    face = ctx.ensure_object(Face)
    before = "" if face.in_shell else "engine "
    if command is not None:
        found = tree.get_command(ctx, command)
        if found is None:
            raise RequestError(f"help: {unknown_command(command)}")
        with click.Context(found, info_name=command, parent=ctx.find_root()) as inner:
            text = found.get_help(inner)
        if "Example:" not in text:
            text = f"{text}\n\nExample:\n  {before}{COMMANDS[command].example}"
        face.say(text)
        return
    width = max(width_of(name) for name in COMMANDS)
    for name, place in COMMANDS.items():
        if place.in_shell or not face.in_shell:
            face.say(f"{name:<{width}}  {place.summary}\n{'':<{width}}    {before}{place.example}")
    if face.in_shell:
        face.say(f"{'quit':<{width}}  Leave the shell.")


@click.command()
@click.argument("shell", type=OneOf(SHELLS))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands and names.

    Names of agents, workflows, entities, instances and tasks are the live engine's. For bash:
    eval "$(engine completion bash)" in ~/.bashrc; for zsh the same in ~/.zshrc; for fish:
    engine completion fish > ~/.config/fish/completions/engine.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(tree, {}, "engine", "_ENGINE_COMPLETE")
    click.echo(script.source_template % script.source_vars())
