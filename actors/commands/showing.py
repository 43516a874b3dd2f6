"""Commands that look at one thing: ``show``, ``why``."""

from __future__ import annotations

from collections.abc import Callable

import click

from actors.client.client import Client
from actors.commands.asking import asking
from actors.commands.kinds import Named
from actors.commands.output import Output, Row
from actors.commands.rows import attempt_row, entity_row, instance_row, task_row
from actors.errors import NotFoundError


@asking("show")
@click.argument("id", type=Named("any"))
def show(engine: Client, out: Output, id: str) -> None:
    """Show an entity, an instance or a task."""
    looks: tuple[tuple[str, Callable[[str], Row]], ...] = (
        ("entity", engine.entity),
        ("instance", engine.instance),
        ("task", engine.task),
    )
    for kind, look in looks:
        try:
            found = look(id)
        except NotFoundError:
            continue
        _show(out, kind, found)
        return
    raise NotFoundError(f"no entity, instance or task '{id[:80]}'; 'entities', 'runs' and 'ps' list what there is")


def _show(out: Output, kind: str, found: Row) -> None:
    """For programs the whole thing; for people what it is, then its parts as a table."""
    rows = {"entity": entity_row, "instance": instance_row, "task": task_row}
    out.one(found, lambda item: {kind: item["id"], **{k: v for k, v in rows[kind](item).items() if k != "id"}})
    if not out.for_people:
        return
    if kind == "instance":
        out.rows(found["tasks"], task_row)
    if kind == "task":
        out.rows(found["attempts"], attempt_row, empty="no attempt yet")


@asking("why")
@click.argument("task", type=Named("task"))
def why(engine: Client, out: Output, task: str) -> None:
    """Say why a task is where it is: what it waits for, who preempted it, what ended it."""
    out.one(engine.why(task), name="task_id")
