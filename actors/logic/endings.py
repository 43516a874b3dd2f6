"""How tasks and instances end. Terminal states are final; what ends an instance ends its round.

A failed or cancelled task stops the others of its instance; the instance ends when nothing
of it is left in line or running, and nothing is unknown.
"""

from __future__ import annotations

from actors.effects import SCHEDULER
from actors.logic import late
from actors.logic.entities import StateTable, Triggers
from actors.logic.history import record
from actors.logic.instances import Instances
from actors.logic.outbox import Outbox
from actors.logic.rows import Row
from actors.logic.state import State
from actors.logic.workflows import Instance, Run, Withdrawal, error_text
from actors.messages import CancelTask
from actors.model import (
    EntityStatus,
    ErrorInfo,
    Event,
    EventType,
    InstanceStatus,
    Instant,
    Json,
    TaskStatus,
)
from actors.views import ChangeType


class Endings:
    def __init__(self, state: State, instances: Instances, table: StateTable, triggers: Triggers, out: Outbox) -> None:
        self._state = state
        self._instances = instances
        self._table = table
        self._triggers = triggers
        self._out = out
        self.just_ended: list[Instance] = []
        """Since the last batch, those that hold an ``unknown`` task included: somebody may wait for them."""
        self.counts = state.instances_by_end

    def complete(self, instance: Instance, run: Run, result: Json, now: Instant) -> None:
        run.result = result
        self.finish(instance, run, TaskStatus.COMPLETED)
        run.error = None
        self._out.task_change(ChangeType.TASK_COMPLETED, now, instance, run)
        self._derive(EventType.TASK_COMPLETED, instance, run)
        if not (instance.failing or instance.cancelling):
            for place in instance.workflow.dependants[run.task.index]:
                self._state.touch_run(instance.runs[place])
            for dependant in instance.release_dependants(run):
                self._instances.make_ready(instance, dependant, now)
        self.end_if_done(instance, now)

    def finish(self, instance: Instance, run: Run, status: TaskStatus) -> None:
        run.move(status)
        self._instances.shut_run(instance, run)
        instance.unfinished -= 1

    def fail(self, instance: Instance, run: Run, error: ErrorInfo | None, now: Instant) -> None:
        self.finish(instance, run, TaskStatus.FAILED)
        run.error = error
        detail = {"error": error_text(error), "type": error.type if error is not None else ""}
        self._out.task_change(ChangeType.TASK_FAILED, now, instance, run, detail)
        self._derive(EventType.TASK_FAILED, instance, run)
        instance.failing = True
        self._stop_others(instance, now)
        self.end_if_done(instance, now)

    def give_up(self, instance: Instance, run: Run, now: Instant) -> None:
        self.finish(instance, run, TaskStatus.CANCELLED)
        self._out.task_change(ChangeType.TASK_CANCELLED, now, instance, run)
        if not instance.failing and not instance.cancelling:
            instance.cancelling = True
            self._stop_others(instance, now)
        self.end_if_done(instance, now)

    def leave_unknown(self, instance: Instance, run: Run, error: ErrorInfo | None, now: Instant) -> None:
        run.move(TaskStatus.UNKNOWN)
        run.error = error
        self._instances.shut_run(instance, run)
        instance.unknown += 1
        self._out.task_change(ChangeType.TASK_UNKNOWN, now, instance, run, {"error": error_text(error)})
        self.just_ended.append(instance)

    def resolve(self, instance: Instance, run: Run, outcome: str, now: Instant) -> None:
        """A person says what became of an ``unknown`` task."""
        instance.unknown -= 1
        match outcome:
            case "completed":
                self.complete(instance, run, run.result, now)
            case "failed":
                self.fail(instance, run, run.error, now)
            case "cancelled":
                self.give_up(instance, run, now)
            case _:
                run.move(TaskStatus.PENDING)
                self._instances.make_ready(instance, run, now)

    def cancel(self, instance: Instance, now: Instant) -> None:
        """Stop what runs of it, take out what waits; also what a person should have decided."""
        self._state.touch_whole(instance)
        instance.cancelling = True
        for run in instance.runs:
            if run.status is TaskStatus.UNKNOWN:
                instance.unknown -= 1
                self.give_up(instance, run, now)
        if instance.status is InstanceStatus.RUNNING:
            self._stop_others(instance, now)
            self.end_if_done(instance, now)

    def _stop_others(self, instance: Instance, now: Instant) -> None:
        self._state.touch_whole(instance)
        for run in instance.runs:
            if run.in_line and run.open:
                run.withdrawing = Withdrawal.CANCELLED
                self._out.send(SCHEDULER, CancelTask(instance.task_key(run.task)))
            elif run.open:  # Waiting for its backoff.
                self._out.clear_timer(("backoff", instance.task_key(run.task)))
                self.finish(instance, run, TaskStatus.CANCELLED)
                self._out.task_change(ChangeType.TASK_CANCELLED, now, instance, run)

    def end_if_done(self, instance: Instance, now: Instant) -> None:
        if instance.open or instance.unknown or instance.status is not InstanceStatus.RUNNING:
            return
        if instance.failing:
            self._end(instance, InstanceStatus.FAILED, now)
        elif instance.cancelling:
            self._end(instance, InstanceStatus.CANCELLED, now)
        elif not instance.unfinished:
            self._end(instance, InstanceStatus.COMPLETED, now)

    def expire(self, instance: Instance, now: Instant) -> None:
        self._end(instance, InstanceStatus.EXPIRED, now)
        self._out.change(ChangeType.EVENT_EXPIRED, now, entity=instance.entity, detail={"instance": instance.id})

    def _end(self, instance: Instance, status: InstanceStatus, now: Instant) -> None:
        self._state.touch_instance(instance)
        for run in instance.runs:
            if run.in_line:  # It was given up, and is still to be heard of.
                late.remember(self._state, self._instances.ready_task(instance, run), run.attempt)
            if run.status is TaskStatus.PENDING:
                self._state.touch_run(run)
                if run.open:
                    self._instances.shut_run(instance, run)
                run.move(TaskStatus.CANCELLED)
            if run.task.queue_timeout_ms is not None:
                self._out.clear_timer(("queue", instance.task_key(run.task)))
        instance.move(status)
        instance.completed_at = now
        self._state.will_change(self.counts)
        self.counts[status] += 1
        if instance.deadline is not None:
            self._out.clear_timer(("valid", instance.key))
        if instance.started:
            self._instances.continue_late(instance, now)
        continued = self._instances.continuation(instance)
        self._out.finished.append(record(instance, continued.id if continued is not None else None))
        self.just_ended.append(instance)
        self._state.note(self._instances.live, instance.key)
        del self._instances.live[instance.key]
        self._state.uses(instance.origin.version, -1)
        self._out.instance_change(ChangeType.INSTANCE_ENDED, now, instance)
        row = self._table.get(instance.entity)
        assert row is not None
        self._state.touch(row)
        following = row.take_out(instance)
        self._end_round(instance, row, now)
        if following is not None:
            self._instances.activate(following, now)

    def _end_round(self, instance: Instance, row: Row, now: Instant) -> None:
        """The entity's status, when this was its last unfinished instance."""
        row.live -= 1
        workflow = instance.workflow
        if instance.status in (InstanceStatus.FAILED, InstanceStatus.CANCELLED):
            row.failed = True
        elif instance.status is InstanceStatus.COMPLETED and workflow.next_phase is not None:
            offer = (workflow.priority, workflow.next_phase)
            row.next_phase = offer if row.next_phase is None else min(row.next_phase, offer)
        if row.live:
            return
        status = EntityStatus.FAILED if row.failed else EntityStatus.COMPLETED
        row.set(status=status, processed=self._out.calendar.utc(now))
        self._out.change(ChangeType.ENTITY_CHANGED, now, entity=instance.entity, status=status)
        if row.next_phase is not None and not row.failed:
            row.set(status=EntityStatus.PENDING, phase=row.next_phase[1])
            self._table.calls(instance.entity)
            self._out.change(ChangeType.ENTITY_CHANGED, now, entity=instance.entity, status=EntityStatus.PENDING)
        row.failed = False
        row.next_phase = None

    def _derive(self, type_: EventType, instance: Instance, run: Run) -> None:
        """Publish the outcome, if any workflow listens."""
        if self._triggers.listens_to(type_):
            data = {
                "task_id": instance.task_id(run.task),
                "task": run.task.id,
                "workflow": instance.workflow.id,
                "instance_id": instance.id,
                "result": run.result,
                "error": error_text(run.error),
            }
            identity = f"{self._instances.store_id}-{instance.task_key(run.task)}-{type_}"
            priority = instance.task_priority(run.task)
            self._out.derived.append(Event(type_, instance.entity, priority, data, id=identity))
