"""Unfinished workflow instances: started, merged into, and made ready task by task.

An event that merged into an instance is acted on: by that instance if its jobs could still be
revised, otherwise by the one that follows it.
"""

from __future__ import annotations

from actors.effects import SCHEDULER
from actors.logic.entities import Row, StateTable
from actors.logic.lanes import Lanes
from actors.logic.outbox import Outbox
from actors.logic.workflows import Instance, Run
from actors.messages import ChangePriority, QueueTimeoutDue, ReadyTask, ReviseTasks, ValidityOver
from actors.model import (
    MAX_TASKS,
    NS_PER_MS,
    AttemptId,
    Coalesce,
    EntityId,
    EntityStatus,
    Event,
    InstanceKey,
    Instant,
    Job,
    Priority,
    TaskKey,
    Workflow,
    WorkflowId,
)
from actors.views import ChangeType


class Instances:
    def __init__(self, table: StateTable, out: Outbox, *, store_id: str) -> None:
        self._table = table
        self._out = out
        self._store_id = store_id
        self.live: dict[InstanceKey, Instance] = {}
        self.lanes = Lanes()
        self.working = 0
        """Instances with a task in line, running or waiting for a backoff."""
        self._keys = 0
        self._orders = 0
        self._second = 0
        self._names: dict[WorkflowId, tuple[str, ...]] = {}
        self._taken: dict[tuple[str, EntityId], int] = {}
        """Names used in this second, and how often, so that readable ids never collide."""

    # --- starting --------------------------------------------------------------------------------

    def begin(self, workflow: Workflow, row: Row, now: Instant) -> Instance:
        """A new instance at the end of its line; ``launch`` it when it has its event."""
        self._keys += 1
        instance = Instance(InstanceKey(self._keys), workflow, row.entity.id, now)
        self._name(instance, now)
        self.live[instance.key] = instance
        row.live += 1
        if row.entity.status is not EntityStatus.PROCESSING:
            row.set(status=EntityStatus.PROCESSING)
            self._out.change(ChangeType.ENTITY_CHANGED, now, entity=row.entity.id, status=EntityStatus.PROCESSING)
        instance.active = self.lanes.append(instance)
        return instance

    def launch(self, instance: Instance, now: Instant) -> None:
        self._out.instance_change(ChangeType.INSTANCE_CREATED, now, instance)
        if instance.active:
            self.activate(instance, now)

    def activate(self, instance: Instance, now: Instant) -> None:
        instance.active = True
        for run in instance.roots():
            self.make_ready(instance, run, now)

    def _name(self, instance: Instance, now: Instant) -> None:
        second = int(self._out.calendar.utc(now))
        if second != self._second:
            self._second = second
            self._taken.clear()
        entity, taken = instance.entity, self._taken
        names = self._names.get(instance.workflow.id)
        if names is None:
            names = (instance.workflow.id, *[task.id for task in instance.workflow.tasks])
            self._names[instance.workflow.id] = names
        suffix = 1 + max([taken.get((name, entity), 0) for name in names])
        for name in names:
            taken[name, entity] = suffix
        instance.second, instance.suffix = second, suffix

    def mergeable(self, workflow: Workflow, entity: EntityId) -> Instance | None:
        """The instance into which an event for this pair merges, if there is one."""
        last = self.lanes.last(workflow.id, entity)
        if last is None or not last.merges():
            return None
        if workflow.coalesce is Coalesce.ALL and not last.from_table:
            return None
        return last

    def merge(self, instance: Instance, event: Event, count: int) -> None:
        """A newer event for an instance without a started attempt."""
        instance.revision += 1
        instance.from_table = False
        if not instance.sent:
            instance.event, instance.confirmed = event, instance.revision
            instance.merged += count
        else:
            instance.newest = event
            instance.newest_merged += count
            if instance.offered is None:
                self._offer(instance)

    def _offer(self, instance: Instance) -> None:
        """Ask the scheduler to take the newest event into jobs that it already has."""
        event = instance.newest
        if event is None:
            return
        instance.offered, instance.newest = event, None
        instance.offered_revision = instance.revision
        instance.offered_merged, instance.newest_merged = instance.newest_merged, 0
        runs = [run for run in instance.roots() if run.in_line]
        jobs = [self._ready_task(instance, run, event, instance.merged + instance.offered_merged) for run in runs]
        self._out.send(SCHEDULER, ReviseTasks(instance.key, tuple(jobs)))

    def revised(self, key: InstanceKey, now: Instant, *, taken: bool) -> None:
        instance = self.live.get(key)
        if instance is None or instance.offered is None:
            return
        if taken:
            instance.event = instance.offered
            instance.merged += instance.offered_merged
            instance.offered = None
            instance.confirmed = instance.offered_revision
            if instance.newest is not None and instance.merges():
                self._offer(instance)
                return
        if instance.offered is not None or instance.newest is not None:
            self.continue_(instance, now)

    def continue_(self, instance: Instance, now: Instant) -> None:
        """What merged too late runs once more, in the instance that follows."""
        event = instance.newest or instance.offered
        count = instance.newest_merged + (instance.offered_merged if instance.offered is not None else 0)
        instance.offered = instance.newest = None
        instance.newest_merged = 0
        row = self._table.get(instance.entity)
        if event is None or row is None:
            return
        last = self.lanes.last(instance.workflow.id, instance.entity)
        if last is not None and last is not instance and last.merges():
            last.merged += count  # It has a newer event already.
            instance.continued_by = last.key
            return
        following = self.begin(instance.workflow, row, now)
        following.event, following.merged = event, count
        instance.continued_by = following.key
        self.launch(following, now)

    def set_deadline(self, instance: Instance, accepted: Instant) -> None:
        """It must start within its event's time, else it expires."""
        event = instance.newest or instance.offered or instance.event
        valid = event.valid_for_ms if event is not None and event.valid_for_ms is not None else None
        valid = instance.workflow.valid_for_ms if valid is None else valid
        if valid is not None:
            instance.deadline = accepted + valid * NS_PER_MS
            self._out.set_timer(("valid", instance.key), instance.deadline, ValidityOver(instance.key))
        elif instance.deadline is not None:
            instance.deadline = None
            self._out.clear_timer(("valid", instance.key))

    # --- becoming ready --------------------------------------------------------------------------

    def make_ready(self, instance: Instance, run: Run, now: Instant) -> None:
        if not run.order:
            self._orders += 1
            run.order = self._orders
            if run.task.queue_timeout_ms is not None:
                due = now + run.task.queue_timeout_ms * NS_PER_MS
                key = instance.task_key(run)
                self._out.set_timer(("queue", key), due, QueueTimeoutDue(key))
        run.new_attempt(now)
        self.open_run(instance, run)
        run.in_line = True
        instance.sent = True
        self._out.ready.append(self._ready_task(instance, run, instance.event, instance.merged))
        if self._out.wants(ChangeType.TASK_READY):
            self._out.task_change(ChangeType.TASK_READY, now, instance, run)

    def _ready_task(self, instance: Instance, run: Run, event: Event | None, merged: int) -> ReadyTask:
        row = self._table.get(instance.entity)
        assert row is not None
        task = run.task
        job = Job(
            instance.attempt_id(run),
            instance.workflow.id,
            task,
            instance.task_id(task),
            instance.id,
            instance.task_priority(run),
            row.entity,
            event,
            {**task.params, **instance.params} if instance.params else task.params,
            instance.inputs(run) if task.depends_on else {},
            run.restored,
            merged,
            f"{self._store_id}-{instance.task_key(run)}",
        )
        return ReadyTask(job, run.order, run.preemptions)

    def open_run(self, instance: Instance, run: Run) -> None:
        if not run.open:
            run.open = True
            instance.open += 1
            self.working += instance.open == 1

    def shut_run(self, instance: Instance, run: Run) -> None:
        if run.open:
            run.open = False
            instance.open -= 1
            self.working -= instance.open == 0

    # --- finding -----------------------------------------------------------------------------

    def find(self, task: TaskKey) -> tuple[Instance, Run] | None:
        instance = self.live.get(InstanceKey(task // MAX_TASKS))
        return None if instance is None else (instance, instance.runs[task % MAX_TASKS])

    def find_attempt(self, attempt: AttemptId) -> tuple[Instance, Run] | None:
        """None for a report about anything but the newest attempt of an unfinished task: it is stale."""
        found = self.find(attempt.task)
        if found is None:
            return None
        run = found[1]
        current = len(run.attempts) == attempt.number and run.in_line
        return found if current else None

    def reprioritised(self, instance: Instance, before: list[Priority]) -> None:
        """Tell the scheduler which of its tasks changed priority; ``before`` is by place."""
        for run, old in zip(instance.runs, before, strict=True):
            priority = instance.task_priority(run)
            if run.in_line and priority != old:
                self._out.send(SCHEDULER, ChangePriority(instance.task_key(run), priority))
