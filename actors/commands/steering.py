"""Commands that steer: what runs, what waits, which workflows and agents take part."""

from __future__ import annotations

import click

from actors.client.client import Client
from actors.commands.asking import asking
from actors.commands.kinds import Level, Named, Number, OneOf
from actors.commands.output import Output
from actors.commands.rows import instance_row
from actors.status import Status

OUTCOMES = ("completed", "failed", "retry", "cancelled")


@asking("cancel")
@click.argument("id", type=Named("id"))
def cancel(engine: Client, out: Output, id: str) -> None:
    """Cancel an instance, or a task's instance."""
    engine.cancel(id)
    out.done({"id": id, "cancelled": True}, f"cancelling {id}")


@asking("retry")
@click.argument("id", type=Named("instance"))
def retry(engine: Client, out: Output, id: str) -> None:
    """Start an ended instance again, as a new one with the same event and params."""
    receipt = engine.retry(id)
    out.done(receipt, f"{id} is started again as {', '.join(receipt['instances'])}", name="event_id")


@asking("reprio")
@click.argument("id", type=Named("id"))
@click.argument("priority", type=Level())
def reprio(engine: Client, out: Output, id: str, priority: int) -> None:
    """Give an instance or a task another priority, 0 is the highest; also to what runs."""
    engine.set_priority(id, priority)
    out.done({"id": id, "priority": priority}, f"{id} has priority {priority}")


@asking("pause")
@click.argument("workflow", type=Named("workflow"), required=False)
def pause(engine: Client, out: Output, workflow: str | None) -> None:
    """Start no task of a workflow until it is resumed; without one, none at all."""
    engine.pause(workflow)
    out.done({"workflow": workflow, "paused": True}, f"{workflow or 'the engine'} is paused", name="workflow")


@asking("resume")
@click.argument("workflow", type=Named("workflow"), required=False)
def resume(engine: Client, out: Output, workflow: str | None) -> None:
    """Let a paused workflow go on; without one, the paused engine."""
    engine.resume(workflow)
    out.done({"workflow": workflow, "paused": False}, f"{workflow or 'the engine'} goes on", name="workflow")


@asking("reload")
def reload(engine: Client, out: Output) -> None:
    """Load the definitions anew; what runs keeps its own.

    Definitions with faults are refused as a whole, and those of before stay in force.
    """
    changed = engine.reload()
    signs = (("added", "+"), ("changed", "~"), ("removed", "-"), ("settings", ""))
    parts = [f"{sign}{name}" for key, sign in signs for name in changed[key]]
    parts += ["code"] if changed["code_changed"] else []
    out.done(changed, f"version {changed['version']}: {', '.join(parts) or 'nothing has changed'}", name="version")
    if changed["at_next_start"]:
        out.message(f"taken at the next start: {', '.join(changed['at_next_start'])}")


@asking("drain")
@click.argument("agent", type=Named("agent"))
def drain(engine: Client, out: Output, agent: str) -> None:
    """Give an agent no new work; what it runs goes on."""
    engine.drain(agent)
    out.done({"name": agent, "draining": True}, f"{agent} gets no new work", name="name")


@asking("undrain")
@click.argument("agent", type=Named("agent"))
def undrain(engine: Client, out: Output, agent: str) -> None:
    """Give a drained agent work again."""
    engine.undrain(agent)
    out.done({"name": agent, "draining": False}, f"{agent} takes work again", name="name")


@asking("resolve")
@click.argument("task", type=Named("task"))
@click.argument("outcome", type=OneOf(OUTCOMES))
def resolve(engine: Client, out: Output, task: str, outcome: str) -> None:
    """Settle a task whose outcome is unknown."""
    engine.resolve(task, outcome)
    out.done({"task_id": task, "outcome": outcome}, f"{task} is resolved: {outcome}", name="task_id")


@asking("wait")
@click.argument("seconds", type=Number(), required=False)
@click.option("--for", "instance", type=Named("instance"), metavar="ID", help="Until this instance has ended.")
def wait(engine: Client, out: Output, seconds: float | None, instance: str | None) -> int:
    """Wait until nothing accepted is left undone.

    At most so many seconds, then the exit status is 124. Of an instance it is 1 unless that is completed.
    """
    if instance is None:
        engine.wait_idle(seconds)
        out.done({"idle": True}, "idle", name="idle")
        return Status.OK
    ended = engine.wait(instance, seconds)
    out.one(ended, instance_row)
    return Status.OK if ended["status"] == "completed" else Status.FAILED
