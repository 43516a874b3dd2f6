"""Commands that list.

``ps``, ``runs``, ``entities``, ``queues``, ``agents``, ``actors``, ``settings``, ``dead``, and ``stats``.
"""

from __future__ import annotations

from typing import Any

import click

from actors.client.client import Client
from actors.commands.asking import asking
from actors.commands.kinds import Named, OneOf
from actors.commands.output import Output
from actors.commands.rows import actor_row, agent_row, dead_row, entity_row, instance_row, live_row, setting_row
from actors.errors import RequestError
from actors.model import EntityStatus, InstanceStatus

LIMIT = 100

_limit = click.option(
    "--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="So many at most, the newest."
)
_all = click.option("--all", "everything", is_flag=True, help="All there are.")
_of_workflow = click.option("--workflow", type=Named("workflow"), metavar="ID", help="Only those of this workflow.")


def _size(limit: int, *, everything: bool) -> int | None:
    return None if everything else limit


def _tell_more(out: Output, shown: int, *, more: bool) -> None:
    if more:
        out.message(f"these are the first {shown}; --limit N shows more, --all shows all")


@asking("ps")
@click.option("--status", type=OneOf(["pending", "running", "unknown"]), help="Only those in this status.")
@_of_workflow
@_limit
@_all
def ps(engine: Client, out: Output, **given: Any) -> None:
    """List the tasks that run or wait, with their agents."""
    found, more = engine.tasks(
        _size(given["limit"], everything=given["everything"]), status=given["status"], workflow=given["workflow"]
    )
    out.rows(found, live_row, empty="nothing runs and nothing waits")
    _tell_more(out, len(found), more=more)


@asking("runs")
@click.option("--status", type=OneOf(list(InstanceStatus)), help="Only those in this status.")
@_of_workflow
@click.option("--entity", type=Named("entity"), metavar="ID", help="Only those of this entity.")
@_limit
@_all
def runs(engine: Client, out: Output, **given: Any) -> None:
    """List workflow instances, unfinished and ended ones, newest first."""
    found, more = engine.instances(
        _size(given["limit"], everything=given["everything"]),
        status=given["status"],
        workflow=given["workflow"],
        entity=given["entity"],
    )
    out.rows(found, instance_row, empty="no instance")
    _tell_more(out, len(found), more=more)


@asking("entities")
@click.option("--status", type=OneOf(list(EntityStatus)), help="Only those in this status.")
@click.option("--phase", metavar="WORD", help="Only those in this phase.")
@click.option("--search", metavar="TEXT", help="Only those with this in their id or name.")
@_limit
@_all
def entities(engine: Client, out: Output, **given: Any) -> None:
    """List the state table."""
    found, more = engine.entities(
        _size(given["limit"], everything=given["everything"]),
        status=given["status"],
        phase=given["phase"],
        search=given["search"],
    )
    out.rows(found, entity_row, empty="no entities")
    _tell_more(out, len(found), more=more)


@asking("queues")
def queues(engine: Client, out: Output) -> None:
    """List what waits for an agent, by priority."""
    out.rows(engine.queues(), name="priority", empty="nothing waits")


@asking("agents")
def agents(engine: Client, out: Output) -> None:
    """List the agents and what they run."""
    out.rows(engine.agents(), agent_row, name="name", empty="no agents")


@asking("actors")
def actors(engine: Client, out: Output) -> None:
    """List the engine's actors: inbox, messages handled, restarts."""
    out.rows(engine.actors(), actor_row, name="name")


@asking("settings")
def settings(engine: Client, out: Output) -> None:
    """List the engine's settings and where each comes from."""
    out.rows(engine.settings(), setting_row, name="name")


@asking("stats")
def stats(engine: Client, out: Output) -> None:
    """Show counts, latencies and wasted work."""
    out.one(engine.stats(), name="preemptions")


@asking("dead")
@click.argument("action", type=OneOf(["list", "retry", "drop"]), default="list")
@click.argument("number", type=click.IntRange(min=0), required=False, metavar="[N]")
def dead(engine: Client, out: Output, action: str, number: int | None) -> None:
    """List the events that nobody accepted, or retry or drop one.

    The number is the letter's id in the list.
    """
    if action == "list":
        out.rows(engine.dead_letters(), dead_row, empty="no dead letters")
        return
    if number is None:
        raise RequestError(f"dead {action}: which one? 'dead' lists them with their ids")
    if action == "retry":
        receipt = engine.retry_dead_letter(number)
        led_to = ", ".join(receipt["instances"]) or "no workflow wants it now"
        out.done(receipt, f"dead letter {number} is published again: {led_to}", name="event_id")
    else:
        engine.drop_dead_letter(number)
        out.done({"id": number, "dropped": True}, f"dead letter {number} is dropped")
