"""The columns of tables: what people look for first in the control API's answers."""

from __future__ import annotations

import time
from typing import Any

from actors.commands.output import Row
from actors.printable import utc_text
from actors.tables import text_of

MAX_VALUE = 60
"""Characters of a setting's value."""


def entity_row(entity: Row) -> Row:
    shown = ("id", "name", "phase", "status", "priority")
    last = entity["last_processed_at"]
    return {**_of(entity, shown), "last_processed": None if last is None else utc_text(last), "data": entity["data"]}


def instance_row(instance: Row) -> Row:
    tasks = instance.get("tasks") or ()
    done = sum(1 for task in tasks if task["status"] == "completed")
    shown = ("id", "workflow", "entity_id", "status", "priority")
    return {**_of(instance, shown), "tasks": f"{done}/{len(tasks)}", "age_s": _age(instance)}


def task_row(task: Row) -> Row:
    error = task["error"]
    return {
        **_of(task, ("id", "status", "priority", "retries", "preemptions", "result")),
        "error": None if error is None else f"{error['type']}: {error['message']}",
    }


def live_row(task: Row) -> Row:
    """A task that waits or runs, for ``ps``."""
    attempts = task["attempts"]
    running = next((one for one in reversed(attempts) if one["ended_at"] is None), None)
    # When its first line ran is told with its report; until then it is known since when the agent has it.
    since = None if running is None else running["started_at"] or running["assigned_at"]
    progress = task["progress"]
    return {
        **_of(task, ("id", "status", "priority")),
        "agent": None if running is None else running["agent"],
        "for_s": None if since is None else round(max(0.0, time.time() - since), 1),
        "attempt": len(attempts),
        "preemptions": task["preemptions"],
        "progress": None if progress is None else f"{progress['fraction']:.0%} {progress['text']}".rstrip(),
    }


def attempt_row(attempt: Row) -> Row:
    took = attempt["ran_ms"]
    shown = ("number", "agent", "outcome", "reason", "killed")
    return {**_of(attempt, shown), "ms": None if took is None else round(took, 1)}


def actor_row(actor: Row) -> Row:
    shown = ("name", "state", "inbox_depth", "handled", "oldest_waiting_ms", "restarts")
    return _of(actor, shown)


def agent_row(agent: Row) -> Row:
    shown = ("name", "state", "task", "priority", "inherited_from", "capabilities", "incarnation")
    return {name: agent.get(name) for name in shown if name in agent or name in ("name", "state", "task")}


def setting_row(setting: Row) -> Row:
    shown = text_of(setting["value"])
    shown = shown if len(shown) <= MAX_VALUE else f"{shown[: MAX_VALUE - 1]}…"
    return {"name": setting["name"], "value": shown, "source": setting["source"]}


def dead_row(letter: Row) -> Row:
    event = letter.get("event") or {}
    return {
        "id": letter["id"],
        "at": None if letter["at"] is None else utc_text(letter["at"]),
        "kind": letter["kind"],
        "type": event.get("type"),
        "entity_id": event.get("entity_id"),
        "retryable": letter["retryable"],
        "why": letter["why"],
    }


def _of(item: Row, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: item.get(name) for name in names}


def _age(instance: Row) -> float:
    end: float = instance["completed_at"] or time.time()
    return round(max(0.0, end - float(instance["created_at"])), 1)
