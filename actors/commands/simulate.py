"""``engine simulate``: a definitions folder in virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from actors.commands.options import debug_option
from actors.errors import NotFoundError

MAX_AGENTS = 10_000


class Counts(click.ParamType[tuple[int, ...]]):
    """Whole numbers from 1, parted by commas."""

    name = "N,N..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= MAX_AGENTS for part in parts):
            self.fail(
                f"'{value}' is not a number of agents from 1 to {MAX_AGENTS}, or several such as 5,8,13", param, ctx
            )
        return tuple(map(int, parts))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--events",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What arrives: JSON lines with at_ms and an event's fields, or a tick file.  [default: the folder's events]",
)
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Instead: every instance of this record (start --record) when it was created, each task as long as it was.",
)
@click.option(
    "--durations",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="How long tasks take: YAML, 'workflow.task: 20' in ms or a distribution.  [default: the folder's "
    "durations.yaml]",
)
@click.option(
    "--durations-from",
    type=click.Path(path_type=Path),
    metavar="RECORD",
    help="Draw durations from those of this record, for tasks that --durations does not name.",
)
@click.option(
    "--default-ms", type=click.FloatRange(min=0), metavar="MS", help="How long tasks take of which nothing says it."
)
@click.option("--agents", type=Counts(), help="How many agents; several, such as 5,8,13, are compared in one table.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="What is drawn is drawn by it.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    help="Let a tick file come so many times as fast.  [default: 1]",
)
@click.option(
    "--skip-gaps",
    type=click.FloatRange(min=0),
    metavar="S",
    help="Take a longer gap of a tick file as one of S seconds.",
)
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the timeline as a trace for ui.perfetto.dev, a track per agent; a file there is written over.",
)
@click.option("--json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--lang", type=click.Choice(["zh", "en"]), help="Language of the text.  [default: the folder's, the locale's]"
)
@debug_option
def simulate(folder: Path, **options: Any) -> int:
    """Run a definitions folder in virtual time and print what it comes to. No action is run.

    Printed are throughput, response and waiting by priority, preemptions, wasted work and how busy the agents were.
    """
    options.pop("debug")
    if options["events"] is not None and options["record"] is not None:
        raise click.UsageError("--events and --record are two sources of what arrives; give one")
    for name in ("speed", "skip_gaps"):
        if options[name] is not None and options["events"] is None:
            raise click.UsageError(f"--{name.replace('_', '-')} goes with --events and a tick file")
    from actors.definitions import load
    from actors.simulate.face import Asked, run

    if not folder.exists():
        raise NotFoundError(f"{folder}: no such definitions folder")
    options["agents"] = options["agents"] or ()
    return run(Asked(load(folder), folder, language=options.pop("lang"), **options))
