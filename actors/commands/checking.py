"""``engine validate`` and ``engine schema``: what definitions may say."""

from __future__ import annotations

import json
from pathlib import Path

import click

from actors.commands.options import debug_option
from actors.status import Status


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@debug_option
def validate(paths: tuple[Path, ...], debug: bool) -> int:  # noqa: ARG001, FBT001 - click passes it by name
    """Check definitions: folders or single files. Every fault is a line; exit status 4 if there is any."""
    from actors.definitions import validate as find_faults

    missing = [path for path in paths if not path.exists()]
    faults = find_faults([path for path in paths if path not in missing])
    for fault in faults:
        click.echo(str(fault))
    for path in missing:
        click.echo(f"{path}: no such file or folder", err=True)
    if faults:
        return Status.DEFINITIONS
    if missing:
        return Status.NOT_FOUND
    click.echo("no faults")
    return Status.OK


@click.command()
@debug_option
def schema(debug: bool) -> int:  # noqa: ARG001, FBT001 - click passes it by name
    """Print the JSON Schema of definition files, for editors."""
    from actors.definitions import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return Status.OK
