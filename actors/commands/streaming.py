"""``events``: state changes, as they happen."""

from __future__ import annotations

from typing import Any

import click

from actors.client.client import Client
from actors.commands.asking import asking
from actors.commands.kinds import Named, OneOf
from actors.commands.output import Output
from actors.errors import RequestError
from actors.narration import choose_language, narrate
from actors.printable import utc_text
from actors.record import change_of
from actors.views import ChangeType


@asking("events")
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--for", "of", type=Named("any"), metavar="ID", help="Only of this entity, instance or task.")
@click.option("--type", "types", type=OneOf(list(ChangeType)), multiple=True, help="Only this type; may be repeated.")
@click.option("--workflow", type=Named("workflow"), metavar="ID", help="Only of this workflow.")
@click.option("--since", metavar="ID", help="Those after the one with this id; -o json shows ids.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N changes.")
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of the lines.  [default: the locale's]")
def events(engine: Client, out: Output, **given: Any) -> None:
    """Print state changes.

    With -f those to come, until Ctrl-C; with --since those since then. What was missed is told as a gap.
    """
    if not given["follow"] and given["since"] is None:
        raise RequestError("events: say -f for those to come, or --since ID for those after the one with this id")
    language = choose_language(given["lang"], None)
    stream = engine.changes(
        types=given["types"], of=given["of"], workflow=given["workflow"], since=given["since"], follow=given["follow"]
    )
    for number, (id_, fields) in enumerate(stream, 1):
        change = change_of(fields)
        line = narrate(change, language) or _plainly(fields)
        out.told({"id": id_, **fields}, f"{utc_text(change.at.utc)}  {line}")
        if number == given["count"]:
            return


def _plainly(fields: dict[str, Any]) -> str:
    """A change that has no line of its own."""
    named = ("task_id", "instance", "entity", "status", "agent", "priority")
    told = " ".join(f"{name}={fields[name]}" for name in named if name in fields)
    return f"{fields['type']} {told}".rstrip()
