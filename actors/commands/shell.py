"""``engine shell``: commands to a running engine, typed, piped or given."""

from __future__ import annotations

from pathlib import Path

import click

from actors.commands.options import EXAMPLE, debug_option
from actors.status import Status


@click.command()
@click.option("-c", "text", metavar="TEXT", help="Run these commands, parted by semicolons or lines, and leave.")
@click.option("--keep-going", is_flag=True, help="Let a script go on after an error; the first one's status is kept.")
@click.option("--quiet", "-q", is_flag=True, help="Print no state changes above the prompt.")
@click.option(
    "--data",
    "--data-dir",
    "data_dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The engine's data directory.",
)
@click.option(
    "--definitions",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Attach to the engine of these definitions.  [default: the trading example]",
)
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of the lines.  [default: the locale's]")
@debug_option
def shell(  # noqa: PLR0913 - one for each option
    *,
    text: str | None,
    keep_going: bool,
    quiet: bool,
    data_dir: Path | None,
    definitions: Path | None,
    lang: str | None,
    debug: bool,  # noqa: ARG001
) -> Status:
    """Type commands to a running engine.

    From a pipe or with -c it is a script: # begins a comment, and the first error ends it, with its line's number and
    that command's exit status. Leaving it stops no engine.
    """
    from actors.data_dir import default_path, find
    from actors.narration import choose_language
    from actors.shell.attaching import Attached, Attachment

    socket = find(data_dir, definitions or EXAMPLE)["socket"]
    folder = data_dir or default_path(definitions or EXAMPLE)
    language = None if quiet else choose_language(lang, None)
    to = Attached(Path(socket), folder / "history", keep_going=keep_going, language=language)
    status, _ = Attachment(to).run(text)
    return status
