"""The life of workflow instances: started, merged into, advanced by the ends of attempts, ended.

It protects three rules. A task is given to the scheduler again only after its old attempt is
known to have ended. Terminal states are final. An event that merged into an instance is acted
on: by that instance if its jobs could still be revised, otherwise by the one that follows it.
"""

from __future__ import annotations

from actors.effects import SCHEDULER
from actors.logic.entities import Row, StateTable, Triggers
from actors.logic.history import record
from actors.logic.lanes import Lanes
from actors.logic.outbox import Outbox
from actors.logic.workflows import Instance, Judgement, Run, Verdict, Withdrawal, judge
from actors.messages import (
    AttemptAssigned,
    AttemptClosed,
    AttemptSetAside,
    BackoffOver,
    CancelTask,
    ChangePriority,
    QueueTimeoutDue,
    ReadyTask,
    ReleaseAttempt,
    ReviseTasks,
    ValidityOver,
    WithdrawTask,
)
from actors.model import (
    MAX_TASKS,
    NS_PER_MS,
    AttemptId,
    Coalesce,
    Delivery,
    EntityId,
    EntityStatus,
    ErrorInfo,
    Event,
    EventType,
    InstanceKey,
    InstanceStatus,
    Instant,
    Job,
    Priority,
    StopReason,
    TaskKey,
    TaskStatus,
    Workflow,
)
from actors.views import ChangeType


class Instances:
    def __init__(self, table: StateTable, triggers: Triggers, out: Outbox, *, store_id: str, max_infra_losses: int) -> None:
        self._table = table
        self._triggers = triggers
        self._out = out
        self._store_id = store_id
        self._max_losses = max_infra_losses
        self.live: dict[InstanceKey, Instance] = {}
        self.lanes = Lanes()
        self.working = 0
        """Instances with a task in line, running or waiting for a backoff."""
        self._keys = 0
        self._orders = 0
        self._second = 0
        self._taken: dict[tuple[str, EntityId], int] = {}
        """Names used in this second, and how often, so that readable ids never collide."""
        self.just_ended: list[Instance] = []
        self.counts = {name: 0 for name in ("completed", "failed", "cancelled", "expired")}
        self.task_counts = {str(verdict): 0 for verdict in Verdict}

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
            self._activate(instance, now)

    def _activate(self, instance: Instance, now: Instant) -> None:
        instance.active = True
        for run in instance.roots():
            self._make_ready(instance, run, now)

    def _name(self, instance: Instance, now: Instant) -> None:
        second = int(self._out.calendar.utc(now))
        if second != self._second:
            self._second = second
            self._taken.clear()
        entity, taken = instance.entity, self._taken
        names = [str(instance.workflow.id), *[task.id for task in instance.workflow.tasks]]
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
            self._continue(instance, now)

    def _continue(self, instance: Instance, now: Instant) -> None:
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

    def set_deadline(self, instance: Instance, accepted: Instant, now: Instant) -> None:
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

    def _make_ready(self, instance: Instance, run: Run, now: Instant) -> None:
        if not run.order:
            self._orders += 1
            run.order = self._orders
            if run.task.queue_timeout_ms is not None:
                due = now + run.task.queue_timeout_ms * NS_PER_MS
                key = instance.task_key(run)
                self._out.set_timer(("queue", key), due, QueueTimeoutDue(key))
        run.new_attempt(now)
        self._open(instance, run)
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

    def _open(self, instance: Instance, run: Run) -> None:
        if not run.open:
            run.open = True
            instance.open += 1
            self.working += instance.open == 1

    def _shut(self, instance: Instance, run: Run) -> None:
        if run.open:
            run.open = False
            instance.open -= 1
            self.working -= instance.open == 0

    # --- reports from the scheduler --------------------------------------------------------------

    def find(self, task: TaskKey) -> tuple[Instance, Run] | None:
        instance = self.live.get(InstanceKey(task // MAX_TASKS))
        return None if instance is None else (instance, instance.runs[task % MAX_TASKS])

    def _find_attempt(self, attempt: AttemptId) -> tuple[Instance, Run] | None:
        """None for a report about anything but the newest attempt of an unfinished task: it is stale."""
        found = self.find(attempt.task)
        if found is None:
            return None
        run = found[1]
        current = len(run.attempts) == attempt.number and run.in_line
        return found if current else None

    def assigned(self, message: AttemptAssigned, now: Instant) -> None:
        found = self._find_attempt(message.attempt)
        if found is None:
            return
        instance, run = found
        run.attempt.agent = message.agent
        run.attempt.assigned = run.attempt.assigned or message.at
        run.move(TaskStatus.RUNNING)
        if not instance.started:
            instance.started = True
            if instance.deadline is not None:
                self._out.clear_timer(("valid", instance.key))
            for other in instance.roots():  # Taken out for expiry while this one got its agent.
                if other.withdrawing is Withdrawal.EXPIRED and not other.in_line:
                    other.withdrawing = None
                    self._make_ready(instance, other, now)
        if run.task.queue_timeout_ms is not None:
            self._out.clear_timer(("queue", message.attempt.task))
        if run.task.delivery is Delivery.AT_MOST_ONCE and not message.resumed:
            self._out.send(SCHEDULER, ReleaseAttempt(message.attempt))
        type_ = ChangeType.TASK_RESUMED if message.resumed else ChangeType.TASK_STARTED
        if self._out.wants(type_):
            self._out.task_change(type_, now, instance, run)

    def parked(self, attempt: AttemptId, by: TaskKey | None, now: Instant) -> None:
        found = self._find_attempt(attempt)
        if found is not None:
            instance, run = found
            run.move(TaskStatus.PENDING)
            run.preemptions += 1
            self._out.task_change(ChangeType.TASK_SUSPENDED, now, instance, run, self._preemptor(by))

    def closed(self, message: AttemptClosed, now: Instant) -> None:
        """Record how an attempt ended, and go on from there; the scheduler is told in any case."""
        self._out.recorded.append(message.attempt)
        found = self._find_attempt(message.attempt)
        if found is None:
            return
        instance, run = found
        outcome, attempt = message.outcome, run.attempt
        attempt.outcome, attempt.reason, attempt.started = outcome.kind, message.reason, outcome.began
        attempt.ended, attempt.error, attempt.killed = outcome.ended, outcome.error, outcome.killed
        attempt.preempted_by = message.preempted_by
        run.in_line = False
        if run.status not in (TaskStatus.PENDING, TaskStatus.RUNNING):
            return  # It was given up while the attempt would not stop.
        if outcome.checkpoint is not None:
            run.restored = outcome.checkpoint
        judgement = judge(run, outcome, message.reason, self._max_losses)
        self._apply(instance, run, judgement, message, now)

    def _apply(self, instance: Instance, run: Run, judgement: Judgement, message: AttemptClosed, now: Instant) -> None:
        verdict = judgement.verdict
        comes_back = verdict in (Verdict.RETRY, Verdict.PREEMPTED, Verdict.LOST, Verdict.AGAIN)
        if comes_back and (instance.failing or instance.cancelling):
            verdict = Verdict.CANCELLED
        self.task_counts[verdict] += 1
        match verdict:
            case Verdict.COMPLETED:
                self._complete(instance, run, message, now)
            case Verdict.FAILED:
                self._fail(instance, run, judgement.error, now)
            case Verdict.CANCELLED:
                self._give_up(instance, run, now)
            case Verdict.UNKNOWN:
                self._leave_unknown(instance, run, judgement.error, now)
            case _:
                self._bring_back(instance, run, judgement, message, now)

    def _complete(self, instance: Instance, run: Run, message: AttemptClosed, now: Instant) -> None:
        run.result = message.outcome.result
        self._finish(instance, run, TaskStatus.COMPLETED)
        run.error = None
        self._out.task_change(ChangeType.TASK_COMPLETED, now, instance, run)
        self._derive(EventType.TASK_COMPLETED, instance, run)
        if not (instance.failing or instance.cancelling):
            for dependant in instance.release_dependants(run):
                self._make_ready(instance, dependant, now)
        self._end_if_done(instance, now)

    def _bring_back(self, instance: Instance, run: Run, judgement: Judgement, message: AttemptClosed, now: Instant) -> None:
        if run.status is TaskStatus.RUNNING:
            run.move(TaskStatus.PENDING)
        detail: dict[str, object] = {}
        match judgement.verdict:
            case Verdict.RETRY:
                run.retries += 1
                run.error = judgement.error
                type_ = ChangeType.TASK_RETRIED
                detail = {"retry": run.retries, "max_retry": run.task.retry, "error": _text(judgement.error)}
            case Verdict.PREEMPTED:
                run.preemptions += 1
                type_ = ChangeType.TASK_PREEMPTED
                detail = self._preemptor(message.preempted_by)
            case Verdict.LOST:
                run.losses += 1
                type_ = ChangeType.TASK_LOST
                detail = {"error": _text(judgement.error)}
            case _:
                return  # The engine stops; it stays pending.
        self._out.task_change(type_, now, instance, run, detail)
        if judgement.delay:
            key = instance.task_key(run)
            self._out.set_timer(("backoff", key), now + judgement.delay * NS_PER_MS, BackoffOver(key))
        else:
            self._make_ready(instance, run, now)

    def backoff_over(self, task: TaskKey, now: Instant) -> None:
        found = self.find(task)
        if found is not None and found[1].open and not found[1].in_line:
            self._make_ready(*found, now)

    def set_aside(self, message: AttemptSetAside, now: Instant) -> None:
        """Its attempt will not stop. What cannot run again anyway ends now; a late end changes nothing."""
        found = self._find_attempt(message.attempt)
        if found is None:
            return
        instance, run = found
        final = message.reason is StopReason.CANCEL or instance.failing or instance.cancelling
        timed_out = message.reason is StopReason.TIMEOUT and run.retries >= run.task.retry
        error = ErrorInfo("Timeout", f"took longer than its timeout of {run.task.timeout_ms} ms and does not stop")
        run.attempt.reason = message.reason
        if run.task.delivery is Delivery.AT_MOST_ONCE and (final or timed_out):
            self._leave_unknown(instance, run, error, now)
        elif final:
            self._give_up(instance, run, now)
        elif timed_out:
            run.attempt.error = error
            self._fail(instance, run, error, now)

    def withdrawn(self, task: TaskKey, now: Instant) -> None:
        found = self.find(task)
        if found is None or not found[1].in_line:
            return
        instance, run = found
        run.in_line = False
        run.attempts = run.attempts[:-1]  # It was never assigned.
        why = run.withdrawing
        if instance.failing or instance.cancelling or why is None or why is Withdrawal.CANCELLED:
            self._give_up(instance, run, now)
        elif why is Withdrawal.QUEUE_TIMEOUT:
            error = ErrorInfo("QueueTimeout", f"waited longer than {run.task.queue_timeout_ms} ms for an agent")
            self._fail(instance, run, error, now)
        elif instance.started:  # Another task of it began just before: its event was acted on in time.
            run.withdrawing = None
            self._make_ready(instance, run, now)
        elif not any(other.in_line for other in instance.runs):
            self._expire(instance, now)

    def queue_timeout(self, task: TaskKey) -> None:
        found = self.find(task)
        if found is not None and found[1].in_line and not any(a.assigned for a in found[1].attempts):
            found[1].withdrawing = Withdrawal.QUEUE_TIMEOUT
            self._out.send(SCHEDULER, WithdrawTask(task))

    def validity_over(self, key: InstanceKey, now: Instant) -> None:
        instance = self.live.get(key)
        if instance is None or instance.started or instance.deadline is None or now < instance.deadline:
            return
        waiting = [run for run in instance.runs if run.in_line]
        for run in waiting:
            run.withdrawing = Withdrawal.EXPIRED
            self._out.send(SCHEDULER, WithdrawTask(instance.task_key(run)))
        if not waiting:
            self._expire(instance, now)

    # --- endings ---------------------------------------------------------------------------------

    def _finish(self, instance: Instance, run: Run, status: TaskStatus) -> None:
        run.move(status)
        self._shut(instance, run)
        instance.unfinished -= 1

    def _fail(self, instance: Instance, run: Run, error: ErrorInfo | None, now: Instant) -> None:
        self._finish(instance, run, TaskStatus.FAILED)
        run.error = error
        detail = {"error": _text(error), "type": error.type if error is not None else ""}
        self._out.task_change(ChangeType.TASK_FAILED, now, instance, run, detail)
        self._derive(EventType.TASK_FAILED, instance, run)
        instance.failing = True
        self._stop_others(instance, now)
        self._end_if_done(instance, now)

    def _give_up(self, instance: Instance, run: Run, now: Instant) -> None:
        self._finish(instance, run, TaskStatus.CANCELLED)
        self._out.task_change(ChangeType.TASK_CANCELLED, now, instance, run)
        if not instance.failing and not instance.cancelling:
            instance.cancelling = True
            self._stop_others(instance, now)
        self._end_if_done(instance, now)

    def _leave_unknown(self, instance: Instance, run: Run, error: ErrorInfo | None, now: Instant) -> None:
        run.move(TaskStatus.UNKNOWN)
        run.error = error
        self._shut(instance, run)
        instance.unknown += 1
        self._out.task_change(ChangeType.TASK_UNKNOWN, now, instance, run, {"error": _text(error)})
        self.just_ended.append(instance)

    def resolve(self, instance: Instance, run: Run, outcome: str, now: Instant) -> None:
        """A person says what became of an ``unknown`` task."""
        instance.unknown -= 1
        match outcome:
            case "completed":
                run.result = None
                self._finish(instance, run, TaskStatus.COMPLETED)
                self._out.task_change(ChangeType.TASK_COMPLETED, now, instance, run)
                self._derive(EventType.TASK_COMPLETED, instance, run)
                if not (instance.failing or instance.cancelling):
                    for dependant in instance.release_dependants(run):
                        self._make_ready(instance, dependant, now)
                self._end_if_done(instance, now)
            case "failed":
                self._fail(instance, run, run.error, now)
            case "cancelled":
                self._give_up(instance, run, now)
            case _:
                run.move(TaskStatus.PENDING)
                self._make_ready(instance, run, now)

    def cancel(self, instance: Instance, now: Instant) -> None:
        """Stop what runs of it, take out what waits; also what a person should have decided."""
        instance.cancelling = True
        for run in instance.runs:
            if run.status is TaskStatus.UNKNOWN:
                instance.unknown -= 1
                self._give_up(instance, run, now)
        if instance.status is InstanceStatus.RUNNING:
            self._stop_others(instance, now)
            self._end_if_done(instance, now)

    def _stop_others(self, instance: Instance, now: Instant) -> None:
        for run in instance.runs:
            if run.in_line and run.open:
                run.withdrawing = Withdrawal.CANCELLED
                self._out.send(SCHEDULER, CancelTask(instance.task_key(run)))
            elif run.open:  # Waiting for its backoff.
                self._out.clear_timer(("backoff", instance.task_key(run)))
                self._finish(instance, run, TaskStatus.CANCELLED)
                self._out.task_change(ChangeType.TASK_CANCELLED, now, instance, run)

    def _end_if_done(self, instance: Instance, now: Instant) -> None:
        if instance.open or instance.unknown or instance.status is not InstanceStatus.RUNNING:
            return
        if instance.failing:
            self._end(instance, InstanceStatus.FAILED, now)
        elif instance.cancelling:
            self._end(instance, InstanceStatus.CANCELLED, now)
        elif not instance.unfinished:
            self._end(instance, InstanceStatus.COMPLETED, now)

    def _expire(self, instance: Instance, now: Instant) -> None:
        self._end(instance, InstanceStatus.EXPIRED, now)
        self._out.change(ChangeType.EVENT_EXPIRED, now, entity=instance.entity, detail={"instance": instance.id})

    def _end(self, instance: Instance, status: InstanceStatus, now: Instant) -> None:
        for run in instance.runs:
            if run.status is TaskStatus.PENDING:
                if run.open:
                    self._shut(instance, run)
                run.move(TaskStatus.CANCELLED)
            if run.task.queue_timeout_ms is not None:
                self._out.clear_timer(("queue", instance.task_key(run)))
        instance.move(status)
        instance.completed_at = now
        self.counts[status] += 1
        if instance.deadline is not None:
            self._out.clear_timer(("valid", instance.key))
        if instance.started and (instance.offered is not None or instance.newest is not None):
            self._continue(instance, now)
        continued = self.live.get(instance.continued_by) if instance.continued_by is not None else None
        self._out.finished.append(record(instance, continued.id if continued is not None else None))
        self.just_ended.append(instance)
        del self.live[instance.key]
        self._out.instance_change(ChangeType.INSTANCE_ENDED, now, instance)
        following = self.lanes.remove(instance)
        self._end_round(instance, now)
        if following is not None:
            self._activate(following, now)

    def _end_round(self, instance: Instance, now: Instant) -> None:
        """The entity's status, when this was its last unfinished instance."""
        row = self._table.get(instance.entity)
        assert row is not None
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
            self._table.pending[instance.entity] = None
            self._out.change(ChangeType.ENTITY_CHANGED, now, entity=instance.entity, status=EntityStatus.PENDING)
        row.failed = False
        row.next_phase = None

    # --- priorities ------------------------------------------------------------------------------

    def reprioritised(self, instance: Instance, before: list[Priority]) -> None:
        """Tell the scheduler which of its tasks changed priority; ``before`` is by place."""
        for run, old in zip(instance.runs, before, strict=True):
            priority = instance.task_priority(run)
            if run.in_line and priority != old:
                self._out.send(SCHEDULER, ChangePriority(instance.task_key(run), priority))

    def _preemptor(self, by: TaskKey | None) -> dict[str, object]:
        found = None if by is None else self.find(by)
        return {} if found is None else {"by": found[0].task_id(found[1].task)}

    def _derive(self, type_: EventType, instance: Instance, run: Run) -> None:
        """Publish the outcome, if any workflow listens."""
        if self._triggers.listens_to(type_):
            data = {
                "task_id": instance.task_id(run.task),
                "task": run.task.id,
                "workflow": instance.workflow.id,
                "instance_id": instance.id,
                "result": run.result,
                "error": _text(run.error),
            }
            self._out.derived.append(Event(type_, instance.entity, instance.task_priority(run), data))


def _text(error: ErrorInfo | None) -> str | None:
    return None if error is None else f"{error.type}: {error.message}"
