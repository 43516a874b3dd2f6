"""Messages as short lines for stories."""

from __future__ import annotations

import dataclasses
from typing import Any

from actors.messages import EventBatch, Publish, TasksReady
from actors.model import AttemptId, Job, Outcome

_QUIET: tuple[Any, ...] = (None, "", 0, (), False, frozenset())


def line(message: Any) -> str:
    """The message's name and what distinguishes it; never longer than a line."""
    match message:
        case TasksReady(tasks, recorded):
            ready = ", ".join(_value(r.job) for r in tasks)
            ended = ", ".join(map(_value, recorded))
            return "TasksReady" + (f" {ready}" if ready else "") + (f"; recorded {ended}" if ended else "")
        case Publish(events):
            return "Publish " + ", ".join(f"{e.type} {e.entity_id} {e.id}" for e in events)
        case EventBatch(batch, events):
            return f"EventBatch {batch}: " + ", ".join(f"{f.event.type} {f.event.entity_id}" for f in events)
    fields = [(f.name, getattr(message, f.name)) for f in dataclasses.fields(message)]
    shown = [f"{name}={_value(value)}" for name, value in fields if not (value in _QUIET and name != "held")]
    return " ".join([type(message).__name__, *shown])[:200]


def _value(value: Any) -> str:
    if isinstance(value, AttemptId):
        return f"{value.task}.{value.number}"
    if isinstance(value, Job):
        return f"{value.task_id}.{value.attempt.number} (task {value.attempt.task}, priority {value.priority})"
    if isinstance(value, Outcome):
        return str(value.kind)
    if isinstance(value, tuple):
        return f"{len(value)} of them"
    return str(value)[:60]
