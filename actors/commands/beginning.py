"""``engine init``: a definitions folder to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from actors.commands.options import debug_option


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@debug_option
def init(folder: Path, debug: bool) -> None:  # noqa: ARG001, FBT001 - click passes it by name
    """Write a small definitions folder to begin with.

    It runs, and each line is explained. Nothing is written over.
    """
    from actors.beginning import write

    for path in write(folder):
        click.echo(str(path))
    click.echo(f"run it: engine start --until-idle --definitions {folder}", err=True)
