"""Unfinished workflow instances: started, merged into, and made ready task by task.

An event that merged into an instance is acted on: by that instance if its jobs could still be
revised, otherwise by the one that follows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from actors.effects import SCHEDULER
from actors.logic.entities import StateTable
from actors.logic.outbox import Outbox
from actors.logic.rows import Row
from actors.logic.state import State
from actors.logic.workflows import Instance, Revising, Run
from actors.messages import ChangePriority, QueueTimeoutDue, ReadyTask, ReviseTasks, ValidityOver
from actors.model import (
    MAX_TASKS,
    NS_PER_MS,
    AttemptId,
    Coalesce,
    Definitions,
    EntityId,
    EntityStatus,
    Event,
    InstanceKey,
    Instant,
    Job,
    Json,
    Origin,
    Priority,
    Task,
    TaskKey,
    Workflow,
    WorkflowId,
)
from actors.views import ChangeType

_NO_INPUTS: Mapping[str, Json] = MappingProxyType({})


class Instances:
    def __init__(self, state: State, table: StateTable, out: Outbox, *, store_id: str, newest: Definitions) -> None:
        self._state = state
        self._table = table
        self._out = out
        self.store_id = store_id
        self._newest = newest
        self.live = state.live
        self._names: dict[WorkflowId, tuple[str, ...]] = {}
        """What each workflow's instances take of names; from the definitions alone."""

    # --- starting --------------------------------------------------------------------------------

    def begin(self, workflow: Workflow, row: Row, now: Instant) -> Instance:
        """A new instance at the end of its line; ``launch`` it when it has its event."""
        return self._begin(workflow, self._newest.version, row, now)

    def _begin(self, workflow: Workflow, version: str, row: Row, now: Instant) -> Instance:
        self._state.keys += 1
        origin = self._origin(workflow, version, row.entity.id, now)
        instance = Instance(InstanceKey(self._state.keys), workflow, origin, now)
        self._state.uses(version, 1)
        self.live[instance.key] = instance
        row.live += 1
        if row.entity.status is not EntityStatus.PROCESSING:
            row.set(status=EntityStatus.PROCESSING)
            self._out.change(ChangeType.ENTITY_CHANGED, now, entity=row.entity.id, status=EntityStatus.PROCESSING)
        instance.active = row.line_up(instance)
        return instance

    def _origin(self, workflow: Workflow, version: str, entity: EntityId, now: Instant) -> Origin:
        """Readable ids that nothing else of this second has."""
        second = int(self._out.calendar.utc(now))
        state = self._state
        if second != state.second:
            state.second = second
            state.taken = {}
        names = self._names.get(workflow.id) if version == self._newest.version else _names(workflow)
        if names is None:
            names = self._names[workflow.id] = _names(workflow)
        taken = state.taken.get(entity)
        if taken is None:  # The usual case: one workflow for the entity in this second.
            state.taken[entity] = names
            return Origin(self.store_id, workflow.id, entity, state.second, version=version)
        state.note(state.taken, entity)
        state.taken[entity] = taken + names
        return Origin(self.store_id, workflow.id, entity, state.second, 1 + max(map(taken.count, names)), version)

    def launch(self, instance: Instance, now: Instant) -> None:
        self._out.instance_change(ChangeType.INSTANCE_CREATED, now, instance)
        if instance.active:
            self.activate(instance, now)

    def activate(self, instance: Instance, now: Instant) -> None:
        """Its turn has come: give its first tasks to the scheduler."""
        self._state.touch_whole(instance)
        instance.active = True
        order = self._state.orders + 1
        instance.send(order, now)
        for task in instance.workflow.tasks:
            if task.depends_on:
                continue
            instance.open += 1
            self._out.ready.append(self._first_attempt(instance, task, order, (instance.event, instance.merged)))
            self._state.orders = order
            order += 1
            self._set_queue_timeout(instance, task, now)
            if self._out.wants(ChangeType.TASK_READY):
                self._out.task_change(ChangeType.TASK_READY, now, instance, instance.runs[task.index])
        self._state.working += 1

    # --- merging ---------------------------------------------------------------------------------

    def mergeable(self, workflow: Workflow, row: Row | None) -> Instance | None:
        """The instance into which an event for this pair merges, if there is one."""
        last = None if row is None else row.last(workflow.id)
        if last is None or not last.merges():
            return None
        if workflow.coalesce is Coalesce.ALL and not last.from_table:
            return None
        if last.origin.version != self._newest.version:
            return None  # It would not run by the definitions that took the event in.
        self._state.touch_instance(last)
        return last

    def merge(self, instance: Instance, event: Event, count: int) -> None:
        """A newer event for an instance without a started attempt."""
        instance.revision += 1
        instance.from_table = False
        if instance.sent_at is None:
            instance.event, instance.confirmed = event, instance.revision
            instance.merged += count
            return
        if instance.revising is None:
            instance.revising = Revising()
        revising = instance.revising
        revising.newest = event
        revising.newest_merged += count
        if revising.offered is None:
            self._offer(instance, revising)

    def _offer(self, instance: Instance, revising: Revising) -> None:
        """Ask the scheduler to take the newest event into jobs that it already has."""
        event = revising.newest
        revising.offered, revising.newest = event, None
        revising.offered_revision = instance.revision
        revising.offered_merged, revising.newest_merged = revising.newest_merged, 0
        self.offer_again(instance)

    def offer_again(self, instance: Instance) -> None:
        """Put the offer that is not answered yet, if there is one; a rebuilt scheduler has lost it."""
        revising = instance.revising
        if revising is None or revising.offered is None:
            return
        event = revising.offered
        stands_for = (event, instance.merged + revising.offered_merged)
        roots = [task for task in instance.workflow.tasks if not task.depends_on]
        if not instance.untouched:
            roots = [task for task in roots if instance.runs[task.index].in_line]
        jobs = [self._first_attempt(instance, task, 0, stands_for) for task in roots]
        self._out.send(SCHEDULER, ReviseTasks(instance.key, tuple(jobs)))

    def revised(self, key: InstanceKey, now: Instant, *, taken: bool) -> None:
        """The scheduler's answer to an offer."""
        instance = self.live.get(key)
        revising = None if instance is None else instance.revising
        if instance is None or revising is None or revising.offered is None:
            return
        self._state.touch_instance(instance)
        if taken:
            instance.event = revising.offered
            instance.merged += revising.offered_merged
            instance.confirmed = revising.offered_revision
            revising.offered = None
            if revising.newest is not None and instance.merges():
                self._offer(instance, revising)
                return
        self.continue_late(instance, now)

    def continue_late(self, instance: Instance, now: Instant) -> None:
        """What merged too late for this instance runs once more, in the one that follows."""
        revising, row = instance.revising, self._table.get(instance.entity)
        event = None if revising is None else revising.newest or revising.offered
        if revising is None or event is None or row is None:
            return
        self._state.touch(row)
        count = revising.newest_merged + (revising.offered_merged if revising.offered is not None else 0)
        revising.offered = revising.newest = None
        revising.newest_merged = 0
        last = row.last(instance.workflow.id)
        if last is not None and last is not instance and last.merges():
            self._state.touch_instance(last)
            last.merged += count  # It has a newer event already.
            revising.continued_by = last.key
            return
        following = self._follow(instance, row, now)
        following.event, following.merged = event, count
        revising.continued_by = following.key
        self.launch(following, now)

    def _follow(self, instance: Instance, row: Row, now: Instant) -> Instance:
        """A new instance of its workflow; of the newest version, unless that does not have it any more."""
        workflow = self._newest.workflows.get(instance.workflow.id)
        if workflow is None:
            return self._begin(instance.workflow, instance.origin.version, row, now)
        return self.begin(workflow, row, now)

    def continuation(self, instance: Instance) -> Instance | None:
        """The unfinished instance in which its late events go on."""
        key = None if instance.revising is None else instance.revising.continued_by
        return None if key is None else self.live.get(key)

    def set_deadline(self, instance: Instance, event: Event, accepted: Instant) -> None:
        """It must start within its newest event's time, else it expires."""
        valid = event.valid_for_ms if event.valid_for_ms is not None else instance.workflow.valid_for_ms
        if valid is not None:
            instance.deadline = accepted + valid * NS_PER_MS
            self._out.set_timer(("valid", instance.key), instance.deadline, ValidityOver(instance.key))
        elif instance.deadline is not None:
            instance.deadline = None
            self._out.clear_timer(("valid", instance.key))

    # --- becoming ready --------------------------------------------------------------------------

    def make_ready(self, instance: Instance, run: Run, now: Instant) -> None:
        """Give the task's next attempt to the scheduler."""
        self._state.touch_run(run)
        if not run.order:
            self._state.orders += 1
            run.order = self._state.orders
            self._set_queue_timeout(instance, run.task, now)
        run.new_attempt(now)
        self._open_run(instance, run)
        run.in_line = True
        self._out.ready.append(self.ready_task(instance, run))
        if self._out.wants(ChangeType.TASK_READY):
            self._out.task_change(ChangeType.TASK_READY, now, instance, run)

    def ready_task(self, instance: Instance, run: Run) -> ReadyTask:
        """The newest attempt of a task, as the scheduler gets it."""
        inputs = instance.inputs(run) if run.task.depends_on else _NO_INPUTS
        job = self._job(instance, run.task, len(run.attempts), (instance.event, instance.merged), inputs, run.restored)
        return ReadyTask(job, run.order, run.preemptions, instance.lock_key(run.task))

    def first_ones(self, instance: Instance) -> list[ReadyTask]:
        """The first attempts of the tasks that an instance starts with, as the scheduler got them."""
        stands_for = (instance.event, instance.merged)
        roots = [task for task in instance.workflow.tasks if not task.depends_on]
        return [
            self._first_attempt(instance, task, order, stands_for)
            for order, task in enumerate(roots, start=instance.first_order)
        ]

    def _first_attempt(
        self, instance: Instance, task: Task, order: int, stands_for: tuple[Event | None, int]
    ) -> ReadyTask:
        job = self._job(instance, task, 1, stands_for, _NO_INPUTS, None)
        return ReadyTask(job, order, lock=instance.lock_key(task))

    def _job(
        self,
        instance: Instance,
        task: Task,
        number: int,
        stands_for: tuple[Event | None, int],
        inputs: Mapping[str, Json],
        restored: Json,
    ) -> Job:
        row = self._table.get(instance.entity)
        assert row is not None
        return Job(
            AttemptId(instance.task_key(task), number),
            instance.origin,
            task,
            instance.task_priority(task),
            row.entity,
            stands_for[0],
            {**task.params, **instance.params} if instance.params else task.params,
            inputs,
            restored,
            stands_for[1],
        )

    def _set_queue_timeout(self, instance: Instance, task: Task, now: Instant) -> None:
        if task.queue_timeout_ms is not None:
            key = instance.task_key(task)
            self._out.set_timer(("queue", key), now + task.queue_timeout_ms * NS_PER_MS, QueueTimeoutDue(key))

    def _open_run(self, instance: Instance, run: Run) -> None:
        if not run.open:
            run.open = True
            instance.open += 1
            self._state.working += instance.open == 1

    def shut_run(self, instance: Instance, run: Run) -> None:
        """Nothing of it is in line, running, or waiting for a backoff any more."""
        if run.open:
            run.open = False
            instance.open -= 1
            self._state.working -= instance.open == 0

    # --- finding ---------------------------------------------------------------------------------

    def find(self, task: TaskKey) -> tuple[Instance, Run] | None:
        """The task's instance and run, to be changed: both are noted as they are."""
        instance = self.live.get(InstanceKey(task // MAX_TASKS))
        if instance is None:
            return None
        self._state.touch_instance(instance)
        run = instance.runs[task % MAX_TASKS]
        self._state.touch_run(run)
        return instance, run

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
            priority = instance.task_priority(run.task)
            if run.in_line and priority != old:
                self._out.send(SCHEDULER, ChangePriority(instance.task_key(run.task), priority))


def _names(workflow: Workflow) -> tuple[str, ...]:
    return (workflow.id, *[task.id for task in workflow.tasks])
