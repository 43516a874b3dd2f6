"""The keeper's logic: the truth about entities and instances.

Everything that changes state passes through here, one message after another; ``settle`` then
hands out what a batch has led to, what must be saved first.
"""

from __future__ import annotations

from collections import Counter

from actors.effects import ROUTER, SCHEDULER, Effect, Send
from actors.errors import NotFoundError
from actors.logic.asking import Asking, Question
from actors.logic.attempts import Attempts
from actors.logic.books import Books
from actors.logic.endings import Endings
from actors.logic.entities import StateTable, Triggers
from actors.logic.history import Calendar
from actors.logic.instances import Instances
from actors.logic.intake import Intake
from actors.logic.outbox import Outbox
from actors.logic.quarantine import Quarantine, poisoned
from actors.logic.restoring import Restoring
from actors.logic.state import State
from actors.logic.steering import Change, Steering
from actors.logic.versions import Library, intake_of, limits_of, names_of
from actors.messages import (
    AdoptDefinitions,
    AttemptAssigned,
    AttemptClosed,
    AttemptParked,
    AttemptSetAside,
    BackoffOver,
    Bootstrap,
    Cancel,
    DrainAgent,
    DropDeadLetter,
    EventBatch,
    EventsAnswered,
    LimitsChanged,
    NoteReceived,
    PauseWorkflow,
    PutEntity,
    QueueTimeoutDue,
    ReconcileDue,
    ResolveTask,
    RetryDeadLetter,
    RetryInstance,
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
from actors.model import NS_PER_MS, Definitions, ErrorInfo, InstanceStatus, Instant, TaskStatus
from actors.views import ChangeType


class Keeping:
    """Decides on a ``State`` that outlives it.

    Messages received up to a ``settle`` are one transaction of the state; it is over when the
    next message comes. If ``receive``, ``settle`` or ``quarantined`` raises, nothing of the batch
    may be performed: call ``state.roll_back()``, make a new ``Keeping`` on the same state, and
    give it the messages again. Who waits for an answer (``AwaitInstance``, ``AwaitReceipt``,
    ``AwaitIdle``) is part of the state: what an earlier batch asked is never given again, or it
    would be answered twice.
    """

    def __init__(
        self,
        definitions: Definitions,
        *,
        calendar: Calendar,
        store_id: str,
        state: State | None = None,
        library: Library | None = None,
    ) -> None:
        """``library`` has the definitions by version; of these the state says which are in force."""
        self._library = {definitions.version: definitions} if library is None else library
        self._calendar = calendar
        self._store_id = store_id
        self.state = State(definitions.settings, definitions.version) if state is None else state
        self._assemble()

    def _assemble(self) -> None:
        """Parts that hold nothing of their own between batches, around the state."""
        state = self.state
        self._adopting: list[AdoptDefinitions] = []
        """What of the batch takes effect when it ends."""
        self._definitions = definitions = self._library[state.version]
        settings = definitions.settings
        self._reconcile_ns = settings.reconcile_ms * NS_PER_MS
        self._out = Outbox(state, self._calendar)
        table = StateTable(state)
        triggers = Triggers(definitions.workflows.values())
        self._instances = Instances(state, table, self._out, store_id=self._store_id, newest=definitions)
        self._endings = Endings(state, self._instances, table, triggers, self._out)
        self._attempts = Attempts(
            state, self._instances, self._endings, self._out, max_infra_losses=settings.max_infra_losses
        )
        names = names_of(self._library, definitions)
        self._intake = Intake(state, definitions, table, triggers, self._instances, self._out)
        self._intake.known = tuple(names)
        books = Books(
            state, definitions, names, self._out, table, self._instances, self._endings, self._attempts, self._intake
        )
        self._steering = Steering(state, books)
        self._asking = Asking(state, books)
        self._restoring = Restoring(books, self._library)
        self._quarantine = Quarantine(books)

    def begin(self, now: Instant) -> list[Effect]:  # noqa: ARG002 - Every logic has it.
        """Nothing: its state is all there, and so are its timers."""
        return []

    def quarantined(self, message: ToKeeper, error: ErrorInfo, now: Instant) -> list[Effect]:
        """What must follow because this message crashed twice; of many parts, the others are acted on.

        For a new logic that has taken nothing since that crash: the state knows which part was in hand.
        """
        in_hand = self.state.in_hand  # None if it was not in any of them: then it is all of it.
        self.state.begin()
        match message:
            case EventBatch() | Bootstrap() | ReconcileDue():
                return self._without(message, [(in_hand, poisoned(error).message)], now)
            case SchedulerRestarted() | RouterRestarted():
                self._restoring.receive(message)  # Without an answer it would do nothing ever again.
                return self.settle(now)
            case _:
                self._quarantine.instead_of(message, error, now)
                return self.settle(now)

    def _without(self, message: ToKeeper, parts: list[tuple[object, str]], now: Instant) -> list[Effect]:
        """Act on it without these parts, and without any that crashes as well."""
        while True:
            self._intake.leave_out(parts)
            try:
                self.receive(message, now)
                self._intake.leave_out(())
                return self.settle(now)
            except Exception as error:  # Whatever it is: the other parts are to be acted on.
                if parts[-1][0] is None:  # Nothing of it was acted on.
                    raise
                why = poisoned(ErrorInfo(type(error).__name__, str(error))).message
                parts.append((self.state.in_hand, why))
                self.state.roll_back()
                self._assemble()

    def receive(self, message: ToKeeper, now: Instant) -> list[Effect]:
        """Take one message. What must happen because of it comes from ``settle``."""
        attempts = self._attempts
        if self.state.over:
            self.state.begin()
        match message:
            case AttemptAssigned():
                attempts.assigned(message, now)
            case AttemptClosed():
                attempts.closed(message, now)
            case EventBatch(batch, events):
                answers = tuple([self._intake.act_on(forwarded, now) for forwarded in events])
                self.state.in_hand = None
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
                self.state.reconcile_set = False
                self._intake.reconcile(now)
            case Bootstrap(entities, events):
                for seed in entities:
                    self._intake.put(seed, now)
                for forwarded in events:
                    self._intake.act_on(forwarded, now)
                self._intake.reconcile(now)
            case Watch(watched, types):
                self._out.watch((types or frozenset(ChangeType)) if watched else frozenset())
            case SchedulerRestarted() | RouterRestarted():
                self._restoring.receive(message)
            case AdoptDefinitions():
                self._adopting.append(message)
            case _:
                self._asked(message, now)
        return []

    def _asked(self, message: Change | Question, now: Instant) -> None:
        """What people want changed, or want to know."""
        match message:
            case (
                PutEntity()
                | RunWorkflow()
                | RetryInstance()
                | Cancel()
                | SetPriority()
                | PauseWorkflow()
                | DrainAgent()
                | RetryDeadLetter()
                | DropDeadLetter()
                | ResolveTask()
            ):
                self._steering.receive(message, now)
            case _:
                self._asking.receive(message, now)

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
        assert working == self.state.working, f"{self.state.working} instances count as working of {working}"
        used = Counter(instance.origin.version for instance in self._instances.live.values())
        used.update(one.held.ready.job.version for one in self.state.late.values())
        assert used == self.state.in_use, f"{self.state.in_use} by version counted, {dict(used)} there are"
        unfinished = sum(row.live for row in self.state.rows.values())
        assert unfinished == len(self._instances.live), f"{unfinished} unfinished by the table"

    def settle(self, now: Instant) -> list[Effect]:
        """Everything the batch has led to, in the order it must happen."""
        if self.state.pending and not self.state.reconcile_set:
            self.state.reconcile_set = True
            self._out.set_timer("reconcile", now + self._reconcile_ns, ReconcileDue())
        self.state.derived_sent(self._out.derived)
        before = self.state.version
        for message in self._adopting:
            self._adopt(message)
        self._adopting.clear()
        self._asking.settle()
        self._restoring.settle()
        effects = self._out.flush()
        if self.state.version != before:
            self._assemble()
        self.state.over = True
        return effects

    def _adopt(self, message: AdoptDefinitions) -> None:
        """Put other definitions in force, from the next batch on; neighbours hear of it before anything it leads to."""
        newest = self._library.get(message.version)
        if newest is None:
            self._out.reply(message.reply, NotFoundError(f"no definitions of version {message.version!r} are loaded"))
            return
        self.state.version = newest.version
        self._out.foremost += [
            Send(SCHEDULER, LimitsChanged(limits_of(self._library, newest))),
            Send(ROUTER, intake_of(newest)),
        ]
        self._out.reply(message.reply, None)
