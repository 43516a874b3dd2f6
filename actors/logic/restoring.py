"""What the keeper tells a neighbour whose logic crashed: all that the neighbour had from it.

The snapshot is made when the batch ends, so that it has everything in it that the batch has
led to; nothing of that is sent a second time.
"""

from __future__ import annotations

from actors.effects import ROUTER, SCHEDULER
from actors.logic.books import Books
from actors.logic.late import given_up
from actors.logic.versions import Library, intake_of, limits_of
from actors.logic.workflows import Instance, Run, Withdrawal
from actors.messages import (
    CancelTask,
    HeldTask,
    ReadyTask,
    RouterRestarted,
    RouterRestored,
    SchedulerRestarted,
    SchedulerRestored,
    Standing,
    WithdrawTask,
)
from actors.model import DEFAULT_PRIORITY, Definitions, Event, TaskStatus


class Restoring:
    def __init__(self, books: Books, library: Library) -> None:
        self._books = books
        self._library = library
        self._scheduler: int | None = None
        self._router: int | None = None
        """The generations that ask, in this batch."""

    def receive(self, message: SchedulerRestarted | RouterRestarted) -> None:
        """Answer it when the batch ends."""
        if isinstance(message, SchedulerRestarted):
            self._scheduler = message.generation
        else:
            self._router = message.generation

    def settle(self) -> None:
        """Put the answers where the batch's other messages are, in place of those that they contain."""
        if self._scheduler is not None:
            self._restore_scheduler(self._scheduler)
            self._scheduler = None
        if self._router is not None:
            self._restore_router(self._router)
            self._router = None

    def _restore_scheduler(self, generation: int) -> None:
        books = self._books
        out = books.out
        out.ready, out.recorded = [], []
        sent = [instance for instance in books.instances.live.values() if instance.sent_at is not None]
        late = [one.held for one in books.state.late.values()]
        tasks = tuple([held for instance in sent for held in self._held(instance)] + late)
        state, limits = books.state, limits_of(self._library, self._in_force())
        paused, drained = tuple(sorted(state.paused)), tuple(sorted(state.drained))
        out.send(SCHEDULER, SchedulerRestored(generation, tasks, paused, state.all_paused, drained, limits))
        for instance in sent:
            if instance.untouched:
                books.instances.offer_again(instance)
            else:
                self._ask_again(instance)
        for held in late:
            out.send(SCHEDULER, CancelTask(held.ready.job.attempt.task))

    def _held(self, instance: Instance) -> list[HeldTask]:
        """Its tasks that the scheduler has; those of one that nothing has happened to are not even made."""
        first_ones = self._books.instances.first_ones
        if instance.untouched:
            since = instance.sent_at or instance.created
            return [HeldTask(ready, Standing.WAITING, since) for ready in first_ones(instance)]
        return [_held(self._books.instances.ready_task(instance, run), run) for run in instance.runs if run.in_line]

    def _ask_again(self, instance: Instance) -> None:
        """What it was asked for and has not answered: new events, to be taken out, to be stopped."""
        out = self._books.out
        self._books.instances.offer_again(instance)
        for run in instance.runs:
            if not run.in_line:
                continue
            key = instance.task_key(run.task)
            if not run.open or run.withdrawing is Withdrawal.CANCELLED:
                out.send(SCHEDULER, CancelTask(key))
            elif (run.withdrawing is not None and not instance.started) or run.withdrawing is Withdrawal.QUEUE_TIMEOUT:
                out.send(SCHEDULER, WithdrawTask(key))

    def _restore_router(self, generation: int) -> None:
        books = self._books
        books.out.priorities, books.out.derived = {}, []
        rows = (row.entity for row in books.table)
        priorities = {entity.id: entity.priority for entity in rows if entity.priority != DEFAULT_PRIORITY}
        intake = intake_of(self._in_force())
        books.out.send(ROUTER, RouterRestored(generation, priorities, _derived(books), intake))

    def _in_force(self) -> Definitions:
        """Adopted in this very batch, perhaps."""
        return self._library[self._books.state.version]


def _derived(books: Books) -> tuple[Event, ...]:
    """Those that have not come back from the router, oldest first."""
    return tuple([event for _, event in sorted(books.state.derived_out.values(), key=lambda one: one[0])])


def _held(ready: ReadyTask, run: Run) -> HeldTask:
    attempt = run.attempt
    parked = bool(attempt.stood)
    paused = sum(end - begin for begin, end in attempt.stood if end is not None)
    match run.status:
        case TaskStatus.RUNNING:
            since = (attempt.stood[-1][1] if parked else attempt.assigned) or attempt.ready
            return HeldTask(ready, Standing.RUNNING, since, attempt.agent, parked, paused)
        case TaskStatus.PENDING:
            if not parked:
                return HeldTask(ready, Standing.WAITING, attempt.ready)
            return HeldTask(ready, Standing.PARKED, attempt.stood[-1][0], attempt.home, parked=True, paused=paused)
        case _:
            return given_up(ready, attempt)
