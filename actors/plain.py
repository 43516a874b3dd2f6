"""Views as plain JSON: what the control API answers, and every client prints.

The keys are an interface: they are added to, never renamed. Ids keep the names they have in the
views. ``..._at`` is in UTC seconds, ``..._ms`` in milliseconds; what there is none of is null.
State changes have one form for record and stream, which is ``actors.record``'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from actors.model import Definitions, Entity, ErrorInfo, Event, Json, Task, Workflow
from actors.record import line_of
from actors.views import AttemptView, InstanceView, Moment, Receipt, Reloaded, StateChanged, TaskView

Plain = dict[str, Any]

NS_PER_MS = 1_000_000
_encode = json.JSONEncoder(ensure_ascii=False, default=str, separators=(",", ":")).encode


def encoded(value: Json | Mapping[str, Any]) -> bytes:
    """JSON in UTF-8, without line breaks."""
    # A name may hold half of a surrogate pair, which UTF-8 has no form for; as an escape JSON has.
    return _encode(value).encode(errors="backslashreplace")


def instance(view: InstanceView) -> Plain:
    """With all its tasks and their attempts."""
    return {**instance_head(view), "tasks": [task(one) for one in view.tasks]}


def instance_head(view: InstanceView) -> Plain:
    """Without its tasks."""
    return {
        "id": view.id,
        "workflow": view.workflow,
        "entity_id": view.entity_id,
        "status": str(view.status),
        "priority": view.priority,
        "created_at": view.created_at,
        "completed_at": view.completed_at,
        "merged": view.merged,
        "event": None if view.event is None else event(view.event),
        "params": None if view.params is None else dict(view.params),
        "version": view.version or None,
        "retry_of": view.retry_of,
        "retried_by": view.retried_by,
    }


def task(view: TaskView) -> Plain:
    return {
        "id": view.id,
        "task": view.task,
        "action": view.action,
        "status": str(view.status),
        "priority": view.priority,
        "result": view.result,
        "error": error(view.error),
        "retries": view.retries,
        "max_retry": view.max_retry,
        "preemptions": view.preemptions,
        "infra_losses": view.infra_losses,
        "progress": None if view.progress is None else {"fraction": view.progress[0], "text": view.progress[1]},
        "checkpoint": view.checkpoint,
        "attempts": [attempt(one) for one in view.attempts],
    }


def task_of(view: InstanceView, one: TaskView) -> Plain:
    """A task by itself, with the instance it is of."""
    return {"instance_id": view.id, "workflow": view.workflow, "entity_id": view.entity_id, **task(one)}


def attempt(view: AttemptView) -> Plain:
    return {
        "number": view.number,
        "agent": view.agent,
        "outcome": None if view.outcome is None else str(view.outcome),
        "reason": None if view.reason is None else str(view.reason),
        "ready_at": view.ready.utc,
        "started_at": _at(view.started),
        "ended_at": _at(view.ended),
        "waited_ms": _between(view.ready, view.started),
        "ran_ms": _between(view.started, view.ended),
        "error": error(view.error),
        "killed": view.killed,
        "preempted_by": view.preempted_by,
        "assigned_at": _at(view.assigned),
        "suspended": [{"from_at": since.utc, "until_at": _at(until)} for since, until in view.stood],
    }


def error(info: ErrorInfo | None) -> Plain | None:
    return None if info is None else {"type": info.type, "message": info.message, "traceback": info.traceback}


def entity(row: Entity) -> Plain:
    return {
        "id": row.id,
        "name": row.name,
        "phase": row.phase,
        "status": str(row.status),
        "priority": row.priority,
        "last_processed_at": row.last_processed,
        "data": row.data,
    }


def event(given: Event) -> Plain:
    return {
        "type": given.type,
        "entity_id": given.entity_id,
        "priority": given.priority,
        "data": given.data,
        "timestamp": given.timestamp,
        "valid_for_ms": given.valid_for_ms,
        "id": given.id,
    }


def receipt(given: Receipt) -> Plain:
    return {"event_id": given.event_id, "instances": list(given.instances), "duplicate": given.duplicate}


def change(told: StateChanged) -> Plain:
    """As a record has it."""
    found: Plain = json.loads(line_of(told))
    return found


def definitions(loaded: Definitions) -> list[Plain]:
    """Every workflow, without its tasks."""
    return [_workflow_head(one) for one in loaded.workflows.values()]


def workflow(one: Workflow) -> Plain:
    """With its tasks, in order; ``depends_on`` are their ids."""
    return {**_workflow_head(one), "tasks": [_definition(task, one) for task in one.tasks]}


def reloaded(done: Reloaded) -> Plain:
    """What a reload has changed."""
    return asdict(done)


def _workflow_head(one: Workflow) -> Plain:
    return {
        "id": one.id,
        "name": one.name,
        "trigger": str(one.trigger),
        "trigger_event": one.trigger_event,
        "phase": one.phase,
        "when": None if one.when is None else one.when.text,
        "priority": one.priority,
        "max_concurrent": one.max_concurrent,
        "task_count": len(one.tasks),
    }


def _definition(one: Task, of: Workflow) -> Plain:
    return {
        "id": one.id,
        "name": one.name,
        "action": one.action,
        "run": None if one.run is None else list(one.run),
        "depends_on": [of.tasks[place].id for place in one.depends_on],
        "timeout_ms": one.timeout_ms,
        "retry": one.retry,
        "priority": one.priority,
        "capabilities": sorted(one.capabilities),
        "isolation": str(one.isolation),
        "preemptible": one.preemptible,
        "preempts": one.preempts,
    }


def _at(moment: Moment | None) -> float | None:
    return None if moment is None else moment.utc


def _between(first: Moment | None, last: Moment | None) -> float | None:
    return None if first is None or last is None else (last.ns - first.ns) / NS_PER_MS
