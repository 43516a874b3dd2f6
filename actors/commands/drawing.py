"""``engine graph``: a workflow's tasks and what they wait for."""

from __future__ import annotations

from pathlib import Path

import click

from actors.commands.options import debug_option, folder_of
from actors.drawing import Drawing
from actors.errors import NotFoundError


@click.command()
@click.argument("workflow")
@click.option(
    "--definitions", type=click.Path(path_type=Path), help="A definitions folder.  [default: the trading example]"
)
@click.option(
    "--format",
    "form",
    type=click.Choice([str(form) for form in Drawing]),
    default=str(Drawing.TEXT),
    show_default=True,
    help="mermaid for Markdown pages, dot for Graphviz, text for a terminal.",
)
@debug_option
def graph(workflow: str, definitions: Path | None, form: str, debug: bool) -> None:  # noqa: ARG001, FBT001 - click
    """Draw a workflow's tasks: for Mermaid, for Graphviz or as text."""
    from actors.definitions import load
    from actors.drawing import draw
    from actors.words import did_you_mean

    folder = folder_of(definitions)
    found = {str(one.id): one for one in load(folder).workflows.values()}
    if workflow not in found:
        close = did_you_mean(workflow, found)
        raise NotFoundError(f"{folder} has no workflow '{workflow[:80]}'{close or '; it has: ' + ', '.join(found)}")
    click.echo(draw(found[workflow], Drawing(form)))
