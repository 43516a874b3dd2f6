"""A job and its outcome on the way between the engine and a worker, as JSON.

Only what the action sees, or the worker needs to run it, goes down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from actors.model import (
    AttemptId,
    Entity,
    EntityId,
    EntityStatus,
    ErrorInfo,
    Event,
    Job,
    Json,
    Limits,
    Origin,
    Outcome,
    OutcomeKind,
    Task,
    TaskKey,
    WorkflowId,
)
from actors.runners.wire import Garbled

_MAX_TEXT = 16_384


def job_to_json(job: Job) -> Json:
    task, entity, event, origin = job.task, job.entity, job.event, job.origin
    return {
        "attempt": job.attempt,
        "origin": [origin.store, origin.workflow, origin.entity, origin.second, origin.suffix],
        "task": [task.id, task.index, task.action, task.run, task.name, task.timeout_ms],
        "limits": limits_to_json(task.limits),
        "priority": job.priority,
        "entity": entity_to_json(entity),
        "event": event_to_json(event),
        "params": _mapping(job.params),
        "inputs": _mapping(job.inputs),
        "restored": job.restored,
        "merged": job.merged,
    }


def job_from_json(value: Json) -> Job:
    task, number = value["attempt"]
    id_, index, action, run, name, timeout_ms = value["task"]
    event, entity = value["event"], value["entity"]
    store, workflow, entity_id, second, suffix = value["origin"]
    return Job(
        attempt=AttemptId(TaskKey(task), number),
        origin=Origin(store, WorkflowId(workflow), EntityId(entity_id), second, suffix),
        task=Task(
            id=id_,
            index=index,
            action=action,
            run=None if run is None else tuple(run),
            name=name,
            timeout_ms=timeout_ms,
            limits=limits_from_json(value["limits"]),
        ),
        priority=value["priority"],
        entity=Entity(
            EntityId(entity["id"]),
            entity["name"],
            entity["phase"],
            EntityStatus(entity["status"]),
            entity["priority"],
            entity["last_processed"],
            entity["data"],
        ),
        event=None if event is None else Event(**event),
        params=value["params"],
        inputs=value["inputs"],
        restored=value["restored"],
        merged=value["merged"],
    )


def entity_to_json(entity: Entity) -> Json:
    return {
        "id": entity.id,
        "name": entity.name,
        "phase": entity.phase,
        "status": entity.status,
        "priority": entity.priority,
        "last_processed": entity.last_processed,
        "data": entity.data,
    }


def event_to_json(event: Event | None) -> Json:
    if event is None:
        return None
    return {
        "type": event.type,
        "entity_id": event.entity_id,
        "priority": event.priority,
        "data": event.data,
        "timestamp": event.timestamp,
        "valid_for_ms": event.valid_for_ms,
        "id": event.id,
    }


def limits_to_json(limits: Limits | None) -> Json:
    return None if limits is None else asdict(limits)


def limits_from_json(value: Json) -> Limits | None:
    return None if value is None else Limits(**value)


def outcome_to_json(outcome: Outcome) -> Json:
    """Without the checkpoint, which the engine has already."""
    error = outcome.error
    return [
        outcome.kind,
        outcome.result,
        None if error is None else [error.type, error.message, error.traceback, error.retryable],
        outcome.began,
        outcome.ended,
    ]


def outcome_from_json(value: Json) -> Outcome:
    """Raises ``Garbled`` for what no worker of ours sends."""
    match value:
        case [str(kind), result, error, int() | None as began, int(ended)] if kind in _KINDS:
            return Outcome(OutcomeKind(kind), result, _error(error), None, began, ended)
    raise Garbled("an outcome that is none")


_KINDS = frozenset({OutcomeKind.COMPLETED, OutcomeKind.FAILED, OutcomeKind.STOPPED})


def _error(value: Json) -> ErrorInfo | None:
    match value:
        case None:
            return None
        case [str(kind), str(message), str(trace), bool(retryable)]:
            return ErrorInfo(kind[:200], message[:_MAX_TEXT], trace[:_MAX_TEXT], retryable)
    raise Garbled("an error that is none")


def _mapping(value: Mapping[str, Json]) -> Json:
    return value if isinstance(value, dict) else dict(value)
