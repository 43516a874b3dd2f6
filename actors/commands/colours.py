"""Tables at a terminal: the same columns as in plain text, with statuses in colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from actors.tables import text_of

_COLOURS: Mapping[str, str] = {
    "running": "cyan",
    "processing": "cyan",
    "completed": "green",
    "idle": "green",
    "failed": "red",
    "unknown": "bold red",
    "cancelled": "yellow",
    "preempted": "yellow",
    "stopping": "yellow",
    "draining": "yellow",
    "drained": "yellow",
}


def grid(rows: Sequence[Mapping[str, Any]], *, title: str | None = None) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    drawn = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left")
    for name in names:
        drawn.add_column(name, overflow="fold")
    for row in rows:
        cells = {name: text_of(row.get(name)) for name in names}
        drawn.add_row(*[Text(cells[name], style=_COLOURS.get(cells[name], "")) for name in names])
    return drawn


def coloured(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rows as lines for the terminal; what is too long for it is folded."""
    console = Console(highlight=False)
    with console.capture() as captured:
        console.print(grid(rows))
    return [line.rstrip() for line in captured.get().splitlines()]
