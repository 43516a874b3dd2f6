"""``engine trace``: what ran when, as a file that ui.perfetto.dev shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from actors.commands.options import debug_option

MAX_INSTANCES = 10_000


@click.command()
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Where the trace goes."
)
@click.option(
    "--record",
    type=click.Path(path_type=Path, exists=False),
    metavar="FILE",
    help="What a run has recorded (start --record), instead of a running engine.",
)
@click.option("--workflow", metavar="ID", help="Only of this workflow.")
@click.option(
    "--limit",
    type=click.IntRange(min=1, max=MAX_INSTANCES),
    default=1000,
    show_default=True,
    help="Of a running engine, so many instances at most, the newest.",
)
@click.option(
    "--data",
    "--data-dir",
    "data_dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Ask the engine with this data directory.",
)
@click.option(
    "--definitions",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Ask the engine of these definitions.  [default: the trading example]",
)
@debug_option
def trace(output: Path, record: Path | None, debug: bool, **asked: Any) -> None:  # noqa: ARG001, FBT001 - click
    """Write what ran when as a trace for ui.perfetto.dev.

    A lane for each agent, what waits by priority, and an arrow from who preempted to what made way.
    """
    from actors.simulate.trace import Trace
    from actors.timeline.attempts import Attempt, from_changes, from_instances
    from actors.timeline.slices import slices

    if record is not None:
        attempts: list[Attempt] = from_changes(_changes(record, asked["workflow"]))
    else:
        attempts = list(from_instances(_instances(**asked)))
    with Trace(output) as out:
        for event in slices(attempts):
            out.event(event)
    shown = sum(len(attempt.stretches) > 0 for attempt in attempts)
    click.echo(f"{output}: {shown} attempts; open it in https://ui.perfetto.dev", err=True)


def _changes(record: Path, workflow: str | None) -> Iterator[Mapping[str, Any]]:
    from actors.errors import NotFoundError
    from actors.simulate.arrivals import lines_of, object_of

    if not record.exists():
        raise NotFoundError(f"{record}: no such record; make one with start --record")
    for number, line in lines_of(record, "a record"):
        if not line.endswith(b"\n"):
            return  # Its engine was killed as it wrote.
        row = object_of(line, f"{record}:{number}", "an object as start --record writes it")
        if workflow in (None, row.get("workflow")):
            yield row


def _instances(
    data_dir: Path | None, definitions: Path | None, workflow: str | None, limit: int
) -> Iterator[Mapping[str, Any]]:
    from actors.commands.finding import client_for
    from actors.errors import NotFoundError

    with client_for(data_dir, definitions) as client:
        heads, _ = client.instances(limit, workflow=workflow)
        for head in heads:
            try:
                yield client.instance(head["id"])
            except NotFoundError:
                continue  # It was the oldest that was kept, and has gone.
