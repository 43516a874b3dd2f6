"""An instance as a record: nested tuples of plain values, small to keep and cheap to make.

A finished instance leaves the keeper as its record; a live one is shown through the same
path, so that the two cannot differ. ``view`` turns a record into what users read.
"""

from __future__ import annotations

from actors.logic.workflows import Attempt, Instance, Run
from actors.messages import RetryInstance
from actors.model import (
    NS_PER_MS,
    ErrorInfo,
    Event,
    InstanceStatus,
    Instant,
    OutcomeKind,
    StopReason,
    TaskStatus,
    Utc,
)
from actors.views import AttemptView, InstanceView, Moment, Record, TaskView

_MERGED, _EVENT = 8, 12


def record(instance: Instance, continued_by: str | None) -> Record:
    """The instance by place: what ``view`` reads, and what a retry by hand needs.

    (id, key, workflow, entity, status, priority, created, completed, merged, confirmed, continued_by, tasks,
    event, params, retry_of, version, retried_by)
    """
    return (
        instance.id,
        instance.key,
        instance.workflow.id,
        instance.entity,
        str(instance.status),
        instance.priority,
        instance.created,
        instance.completed_at,
        instance.merged,
        instance.confirmed,
        continued_by,
        tuple([_task(instance, run) for run in instance.runs]),
        None if instance.event is None else _event(instance.event),
        instance.params,
        instance.retry_of,
        instance.origin.version,
        None,
    )


def _event(event: Event) -> Record:
    """All of it but the entity, which is its instance's."""
    return (str(event.type), event.priority, event.data, event.timestamp, event.valid_for_ms, event.id)


def _task(instance: Instance, run: Run) -> Record:
    task = run.task
    return (
        instance.task_id(task),
        task.id,
        task.action if task.action is not None else (task.run or ("",))[0],
        str(run.status),
        instance.task_priority(task),
        run.result,
        _error(run.error),
        (run.retries, task.retry, run.preemptions, run.losses),
        run.progress,
        run.restored if run.status is not TaskStatus.COMPLETED else None,
        tuple([_attempt(attempt) for attempt in run.attempts]),
    )


def _attempt(attempt: Attempt) -> Record:
    return (
        attempt.number,
        attempt.agent,
        None if attempt.outcome is None else str(attempt.outcome),
        None if attempt.reason is None else str(attempt.reason),
        attempt.ready,
        attempt.started,
        attempt.ended,
        _error(attempt.error),
        attempt.killed,
        attempt.preempted_by,
        attempt.assigned,
        attempt.stood,
    )


def _error(error: ErrorInfo | None) -> Record | None:
    return None if error is None else (error.type, error.message, error.traceback, error.retryable)


class Calendar:
    """Turns monotonic instants into moments on both clocks."""

    def __init__(self, utc: Utc, now: Instant) -> None:
        self._offset = utc - now / (NS_PER_MS * 1000)

    def utc(self, instant: Instant) -> Utc:
        return self._offset + instant / (NS_PER_MS * 1000)

    def moment(self, instant: Instant) -> Moment:
        return Moment(instant, self.utc(instant))

    def maybe(self, instant: Instant | None) -> Moment | None:
        return None if instant is None else self.moment(instant)


def view(record: Record, calendar: Calendar) -> InstanceView:
    """What users read of a record."""
    id_, _, workflow, entity, status, priority, created, completed, merged, _, _, tasks, *more = record
    event, params, retry_of, version, retried_by = more
    return InstanceView(
        id=id_,
        workflow=workflow,
        entity_id=entity,
        status=InstanceStatus(status),
        priority=priority,
        created_at=calendar.utc(created),
        completed_at=None if completed is None else calendar.utc(completed),
        merged=merged,
        tasks=tuple(_task_view(task, calendar) for task in tasks),
        event=_event_of(event, entity),
        params=params,
        retry_of=retry_of,
        retried_by=retried_by,
        version=version,
    )


def again(record: Record) -> RetryInstance:
    """What starts once more what this record is of."""
    id_, _, workflow, entity, *_ = record
    event, params = record[_EVENT : _EVENT + 2]
    return RetryInstance(id_, workflow, entity, _event_of(event, entity), record[_MERGED], params)


def _event_of(event: Record | None, entity: str) -> Event | None:
    return None if event is None else Event(event[0], entity, *event[1:])


def _task_view(record: Record, calendar: Calendar) -> TaskView:
    id_, task, action, status, priority, result, error, counts, progress, checkpoint, attempts = record
    retries, max_retry, preemptions, losses = counts
    return TaskView(
        id=id_,
        task=task,
        action=action,
        status=TaskStatus(status),
        priority=priority,
        result=result,
        error=_error_view(error),
        retries=retries,
        max_retry=max_retry,
        preemptions=preemptions,
        infra_losses=losses,
        attempts=tuple(_attempt_view(attempt, calendar) for attempt in attempts),
        progress=progress,
        checkpoint=checkpoint,
    )


def _attempt_view(record: Record, calendar: Calendar) -> AttemptView:
    number, agent, outcome, reason, ready, started, ended, error, killed, preempted_by, assigned, stood = record
    return AttemptView(
        number=number,
        agent=agent,
        outcome=None if outcome is None else OutcomeKind(outcome),
        reason=None if reason is None else StopReason(reason),
        ready=calendar.moment(ready),
        started=calendar.maybe(started),
        ended=calendar.maybe(ended),
        error=_error_view(error),
        killed=killed,
        preempted_by=preempted_by,
        assigned=calendar.maybe(assigned),
        stood=tuple((calendar.moment(since), calendar.maybe(until)) for since, until in stood),
    )


def _error_view(record: Record | None) -> ErrorInfo | None:
    return None if record is None else ErrorInfo(*record)
