"""What ended a task: from what users read of its instance, whether that is unfinished or has left for the store."""

from __future__ import annotations

from typing import Any

from actors.model import InstanceStatus, OutcomeKind, StopReason, TaskStatus
from actors.views import AttemptView, InstanceView, TaskView


def why_ended(instance: InstanceView, task: TaskView) -> dict[str, Any]:
    """``why`` in words; ``ended_by`` as a kind, with ``by``: the task that is to blame, if another one is."""
    last = task.attempts[-1] if task.attempts else None
    preempted = [attempt.preempted_by for attempt in task.attempts if attempt.preempted_by is not None]
    ended = last.ended.utc if last is not None and last.ended is not None else instance.completed_at
    return {
        "task_id": task.id,
        "task": task.task,
        "instance_id": instance.id,
        "workflow": instance.workflow,
        "entity_id": instance.entity_id,
        "status": str(task.status),
        "priority": task.priority,
        "attempts": len(task.attempts),
        "retries": task.retries,
        "max_retry": task.max_retry,
        "infra_losses": task.infra_losses,
        "preemptions": task.preemptions,
        "preempted_by": preempted[-1] if preempted else None,
        "agent": None if last is None else last.agent,
        "ended_at": ended,
        "blocked_by": None,
        **_what(instance, task, last),
    }


def _what(instance: InstanceView, task: TaskView, last: AttemptView | None) -> dict[str, Any]:
    match task.status:
        case TaskStatus.COMPLETED:
            return _completed(task, last)
        case TaskStatus.FAILED:
            return _failed(task, last)
        case _:
            return _cancelled(instance, task, last)


def _completed(task: TaskView, last: AttemptView | None) -> dict[str, Any]:
    if last is None or last.outcome is not OutcomeKind.COMPLETED:
        return {"why": "it ended as completed: a person said so", "ended_by": "person"}
    took = None if last.started is None or last.ended is None else (last.ended.ns - last.started.ns) / 1e6
    words = f"it ended as completed on {last.agent}, attempt {last.number}"
    return {"why": words + _after(task), "ended_by": "completion", "ran_ms": took}


def _after(task: TaskView) -> str:
    """What it took before."""
    counts = [
        (task.retries, "retry", "retries"),
        (task.preemptions, "preemption", "preemptions"),
        (task.infra_losses, "loss of its agent", "losses of its agent"),
    ]
    shown = ", ".join(f"{count} {one if count == 1 else more}" for count, one, more in counts if count)
    return f", after {shown}" if shown else ""


def _failed(task: TaskView, last: AttemptView | None) -> dict[str, Any]:
    error = task.error
    kinds = {"Timeout": "timeout", "QueueTimeout": "queue_timeout", "Poison": "poison"}
    kind = kinds.get(error.type, "failure") if error is not None else "failure"
    text = "it has no error" if error is None else f"{error.type}: {error.message}"
    words = f"it ended as failed: {text}"
    if kind != "queue_timeout" and task.max_retry:
        words += f" (retry {task.retries} of {task.max_retry})"
    if error is not None and not error.retryable and task.retries < task.max_retry:
        words += "; the error is not retryable"
    shown = None if error is None else {"type": error.type, "message": error.message}
    return {"why": words, "ended_by": kind, "error": shown, "attempt": None if last is None else last.number}


def _cancelled(instance: InstanceView, task: TaskView, last: AttemptView | None) -> dict[str, Any]:
    if instance.status is InstanceStatus.EXPIRED:
        words = "it ended as cancelled: its event was past the time for which it was valid before anything started"
        return {"why": words, "ended_by": "expiry"}
    if _gave_way(last):
        by = last.preempted_by if last is not None else None
        words = f"it ended as cancelled: it gave way to {by or 'more important work'} (on_preempt: cancel)"
        return {"why": words, "ended_by": "preemption", "by": by}
    for other in instance.tasks:
        if other is not task and other.status is TaskStatus.FAILED:
            words = f"it ended as cancelled: {other.id} failed, and with it the rest of its instance"
            return {"why": words, "ended_by": "failure_of", "by": other.id}
    for other in instance.tasks:
        if other.status is TaskStatus.CANCELLED and _gave_way(other.attempts[-1] if other.attempts else None):
            words = f"it ended as cancelled: {other.id} gave way, and with it the rest of its instance"
            return {"why": words, "ended_by": "preemption_of", "by": other.id}
    return {"why": "it ended as cancelled: its instance was cancelled", "ended_by": "cancel"}


def _gave_way(attempt: AttemptView | None) -> bool:
    return attempt is not None and attempt.reason is StopReason.PREEMPT and attempt.outcome is OutcomeKind.STOPPED
