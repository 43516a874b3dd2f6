"""The keeper's logic: the truth about entities and instances.

Everything that changes state passes through here, one message after another; ``settle`` then
hands out what a batch has led to, what must be saved first.
"""

from __future__ import annotations

from actors.effects import ROUTER, Effect
from actors.logic.asking import Asking
from actors.logic.attempts import Attempts
from actors.logic.books import Books
from actors.logic.endings import Endings
from actors.logic.entities import StateTable, Triggers
from actors.logic.history import Calendar
from actors.logic.instances import Instances
from actors.logic.intake import Intake
from actors.logic.outbox import Outbox
from actors.logic.restoring import Restoring
from actors.logic.steering import Steering
from actors.messages import (
    AttemptAssigned,
    AttemptClosed,
    AttemptParked,
    AttemptSetAside,
    BackoffOver,
    Bootstrap,
    Cancel,
    EventBatch,
    EventsAnswered,
    NoteReceived,
    PauseWorkflow,
    PutEntity,
    QueueTimeoutDue,
    ReconcileDue,
    ResolveTask,
    RouterRestarted,
    RunWorkflow,
    SchedulerRestarted,
    SetPriority,
    TasksRevised,
    TaskWithdrawn,
    ToKeeper,
    ValidityOver,
    Watch,
)
from actors.model import NS_PER_MS, Definitions, InstanceStatus, Instant, TaskStatus
from actors.views import ChangeType


class Keeping:
    def __init__(self, definitions: Definitions, *, calendar: Calendar, store_id: str) -> None:
        settings = definitions.settings
        self._reconcile_ns = settings.reconcile_ms * NS_PER_MS
        self._out = Outbox(calendar)
        self._table = StateTable()
        triggers = Triggers(definitions.workflows.values())
        self._instances = Instances(self._table, self._out, store_id=store_id)
        self._endings = Endings(self._instances, self._table, triggers, self._out)
        self._attempts = Attempts(self._instances, self._endings, self._out, max_infra_losses=settings.max_infra_losses)
        self._intake = Intake(definitions, self._table, triggers, self._instances, self._out)
        books = Books(definitions, self._out, self._table, self._instances, self._endings, self._attempts, self._intake)
        self._steering = Steering(books)
        self._asking = Asking(books, self._steering)
        self._restoring = Restoring(books, self._steering)
        self._reconcile_set = False

    def receive(self, message: ToKeeper, now: Instant) -> list[Effect]:
        """Take one message. What must happen because of it comes from ``settle``."""
        attempts = self._attempts
        match message:
            case AttemptAssigned():
                attempts.assigned(message, now)
            case AttemptClosed():
                attempts.closed(message, now)
            case EventBatch(batch, events):
                answers = tuple([self._intake.take(forwarded, now) for forwarded in events])
                self._out.send(ROUTER, EventsAnswered(batch, answers))
            case AttemptParked():
                attempts.parked(message, now)
            case AttemptSetAside():
                attempts.set_aside(message, now)
            case NoteReceived():
                attempts.noted(message, now)
            case TasksRevised(key, taken):
                self._instances.revised(key, now, taken=taken)
            case TaskWithdrawn(task):
                attempts.withdrawn(task, now)
            case BackoffOver(task):
                attempts.backoff_over(task, now)
            case QueueTimeoutDue(task):
                attempts.queue_timeout(task)
            case ValidityOver(key):
                attempts.validity_over(key, now)
            case ReconcileDue():
                self._reconcile_set = False
                self._intake.reconcile(now)
            case Bootstrap(entities, events):
                for seed in entities:
                    self._intake.put_row(self._table.put(seed), now)
                for forwarded in events:
                    self._intake.take(forwarded, now)
                self._intake.reconcile(now)
            case Watch(watched, types):
                self._out.watch((types or frozenset(ChangeType)) if watched else frozenset())
            case PutEntity() | RunWorkflow() | Cancel() | SetPriority() | PauseWorkflow() | ResolveTask():
                self._steering.receive(message, now)
            case SchedulerRestarted() | RouterRestarted():
                self._restoring.receive(message)
            case _:
                self._asking.receive(message)
        return []

    def check(self) -> None:
        """Assert what must be true of it after every batch; O(unfinished instances)."""
        working = 0
        for instance in self._instances.live.values():
            assert instance.status is InstanceStatus.RUNNING, f"{instance.id} has ended and is live"
            working += instance.open > 0
            if instance.untouched:
                continue
            opened = sum(run.open for run in instance.runs)
            assert opened == instance.open, f"{instance.id} counts {instance.open} open tasks of {opened}"
            for run in instance.runs:
                waits = run.status in (TaskStatus.PENDING, TaskStatus.RUNNING)
                assert not run.open or waits, f"{instance.task_id(run.task)} is open, and {run.status}"
                assert run.open or not (run.in_line and waits), f"{instance.task_id(run.task)} is in line, and shut"
                assert not run.in_line or run.attempts, f"{instance.task_id(run.task)} is in line without an attempt"
            unknown = sum(run.status is TaskStatus.UNKNOWN for run in instance.runs)
            assert unknown == instance.unknown, f"{instance.id} counts {instance.unknown} unknown tasks of {unknown}"
        assert working == self._instances.working, f"{self._instances.working} instances count as working of {working}"
        unfinished = sum(row.live for row in self._table)
        assert unfinished == len(self._instances.live), f"{unfinished} unfinished by the table"

    def settle(self, now: Instant) -> list[Effect]:
        """Everything the batch has led to, in the order it must happen."""
        if self._table.pending and not self._reconcile_set:
            self._reconcile_set = True
            self._out.set_timer("reconcile", now + self._reconcile_ns, ReconcileDue())
        for event in self._out.derived:
            self._intake.derived_out[event.id or ""] = event
        self._asking.settle()
        self._restoring.settle()
        return self._out.flush()
