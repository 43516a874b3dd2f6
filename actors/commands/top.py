"""``top``: what the engine is at, again and again in place."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from actors.client.client import Client
from actors.commands.asking import asking
from actors.commands.output import Output, Row
from actors.commands.rows import agent_row
from actors.errors import EngineError, Error
from actors.printable import utc_text
from actors.tables import table

if TYPE_CHECKING:
    from rich.console import RenderableType

MAX_PREEMPTIONS = 8
JOIN_S = 3.0
RATES: Mapping[str, tuple[str, str]] = {
    "events/s": ("events", "accepted"),
    "tasks done/s": ("tasks", "completed"),
    "preempted/s": ("preemptions", ""),
}
"""What is counted up, and where in the stats it is."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One look at the engine."""

    at: float
    """Monotonic seconds."""
    stats: Row
    agents: Sequence[Row]
    queues: Sequence[Row]
    preemptions: Sequence[Row] = field(default=())
    """The latest, newest first."""

    def rates(self, before: Picture | None) -> dict[str, float | None]:
        """How much a second since the look before."""
        if before is None or self.at <= before.at:
            return dict.fromkeys(RATES)
        return {
            name: round((_count(self.stats, *where) - _count(before.stats, *where)) / (self.at - before.at), 1)
            for name, where in RATES.items()
        }


@asking("top")
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    metavar="S",
    help="Seconds between looks.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N looks; without a terminal: 1.")
def top(engine: Client, out: Output, every: float, count: int | None) -> None:
    """Watch agents, queues, rates and the latest preemptions.

    At a terminal it stays in place until Ctrl-C; elsewhere it prints one look, or as many as --count says.
    """
    with Client(engine.socket) as beside:
        latest = Latest(beside)
        try:
            if sys.stdout.isatty() and out.for_people and not out.style.plain:
                _draw(engine, latest, every, count)
            else:
                _print(engine, out, latest, every, count or 1)
        finally:
            latest.close()


class Latest:
    """The newest preemptions, told by the engine's stream of changes."""

    def __init__(self, engine: Client) -> None:
        self._engine = engine
        self.found: deque[Row] = deque(maxlen=MAX_PREEMPTIONS)
        self._thread = threading.Thread(target=self._listen, name="top-changes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._engine.interrupt()
        self._thread.join(JOIN_S)

    def _listen(self) -> None:
        while not self._engine.interrupted:
            try:
                for _, change in self._engine.changes(types=["task_preempted", "task_suspended"], follow=True):
                    if change["type"] != "gap":  # Which is told whatever was asked for.
                        self.found.appendleft(change)
            except (Error, OSError):
                pass  # The looks themselves say that the engine is gone.
            self._engine.pause_for(1.0)


def look(engine: Client, latest: Latest) -> Picture:
    stats, agents, queues = engine.stats(), engine.agents(), engine.queues()
    return Picture(time.monotonic(), stats, agents, queues, list(latest.found))


def _print(engine: Client, out: Output, latest: Latest, every: float, count: int) -> None:
    before: Picture | None = None
    for number in range(count):
        if number and engine.pause_for(every):
            return
        now = look(engine, latest)
        if out.for_people:
            for line in lines_of(now, before):
                out.text(line)
        else:
            whole = {"stats": now.stats, "agents": now.agents, "queues": now.queues, "preemptions": now.preemptions}
            out.one({**whole, "rates": now.rates(before)})
        before = now


def lines_of(now: Picture, before: Picture | None) -> list[str]:
    """A look as plain text."""
    found = [headline(now, before), "", *table([agent_row(agent) for agent in now.agents])]
    if now.queues:
        found += ["", *table(now.queues)]
    if now.preemptions:
        found += ["", *table([preemption_row(one) for one in now.preemptions])]
    return found


def headline(now: Picture, before: Picture | None) -> str:
    instances: Mapping[str, int] = now.stats["instances"]
    told = [f"{name} {'-' if rate is None else f'{rate:g}'}" for name, rate in now.rates(before).items()]
    told += [f"{status} {number}" for status, number in instances.items() if number or status == "running"]
    return " · ".join(told)


def preemption_row(change: Row) -> Row:
    detail: Mapping[str, Any] = change.get("detail") or {}
    return {
        "at": utc_text(change["utc"]),
        "task": change.get("task_id"),
        "agent": change.get("agent"),
        "priority": change.get("priority"),
        "for": detail.get("by"),
    }


def _draw(engine: Client, latest: Latest, every: float, count: int | None) -> None:
    from rich.live import Live

    before = None
    number = 0
    with Live(screen=count is None, auto_refresh=False) as shown:
        while True:
            try:
                now = look(engine, latest)
            except EngineError as error:
                raise EngineError(f"{error}; 'top' has ended") from None
            shown.update(drawn(now, before), refresh=True)
            before = now
            number += 1
            if number == count or engine.pause_for(every):
                return


def drawn(now: Picture, before: Picture | None) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(headline(now, before), style="bold"), Text()]
    parts.append(_grid("agents", [agent_row(agent) for agent in now.agents]))
    parts.append(_grid("waiting", now.queues))
    parts.append(_grid("latest preemptions", [preemption_row(one) for one in now.preemptions]))
    return Group(*parts)


def _grid(title: str, rows: Sequence[Row]) -> RenderableType:
    from rich.text import Text

    from actors.commands.colours import grid

    return grid(rows, title=title) if rows else Text(f"{title}: none\n", style="dim")


def _count(stats: Row, first: str, second: str) -> float:
    found = stats[first]
    return float(found[second] if second else found)
