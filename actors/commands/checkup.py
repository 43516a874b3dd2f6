"""``engine doctor``: what is installed, writable and reachable, and what to do."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from actors.commands.options import debug_option, folder_of
from actors.status import Status


@click.command()
@click.option(
    "--definitions", type=click.Path(path_type=Path), help="A definitions folder.  [default: the trading example]"
)
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR", help="A data directory.  [default: the folder's]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@debug_option
def doctor(definitions: Path | None, data: Path | None, as_json: bool, debug: bool) -> int:  # noqa: ARG001, FBT001
    """See what is installed, writable and reachable, and what to do.

    Exit status 1 if something needed is missing.
    """
    from actors.checkup import Asked, State, findings
    from actors.data_dir import default_path

    folder = folder_of(definitions)
    failed = False
    for found in findings(Asked(folder, data or default_path(folder))):
        failed = failed or found.state is State.FAIL
        if as_json:
            click.echo(json.dumps(asdict(found), ensure_ascii=False))
            continue
        click.echo(f"{found.state:<5} {found.what}: {found.is_so}")
        if found.do:
            click.echo(f"      -> {found.do}")
    return Status.FAILED if failed else Status.OK
