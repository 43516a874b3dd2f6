"""One workflow instance: its tasks, what of it is ready, done, to be revised."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

from actors.logic.transitions import INSTANCE_MOVES, TASK_MOVES
from actors.model import (
    LOCK_PLACEHOLDERS,
    MAX_TASKS,
    AgentName,
    EntityId,
    ErrorInfo,
    Event,
    InstanceKey,
    InstanceStatus,
    Instant,
    Json,
    Origin,
    OutcomeKind,
    Priority,
    StopReason,
    Task,
    TaskKey,
    TaskStatus,
    Workflow,
)

_PLACEHOLDER = re.compile("{(" + "|".join(map(re.escape, LOCK_PLACEHOLDERS)) + ")}")


class Attempt:
    """The account of one attempt."""

    __slots__ = (
        "agent",
        "assigned",
        "ended",
        "error",
        "home",
        "killed",
        "noted",
        "number",
        "outcome",
        "preempted_at",
        "preempted_by",
        "ready",
        "reason",
        "started",
        "stood",
    )

    def __init__(self, number: int, ready: Instant) -> None:
        self.number = number
        self.ready = ready
        self.agent: AgentName | None = None
        self.assigned: Instant | None = None
        self.started: Instant | None = None
        self.ended: Instant | None = None
        self.outcome: OutcomeKind | None = None
        self.reason: StopReason | None = None
        self.error: ErrorInfo | None = None
        self.killed = False
        self.preempted_by: str | None = None
        """The task it made way for last, by its readable id."""
        self.preempted_at: Instant | None = None
        self.noted = 0
        """The number of its newest note."""
        self.home: AgentName | None = None
        """Who suspended it last."""
        self.stood: tuple[tuple[Instant, Instant | None], ...] = ()
        """From when until when it stood still, suspended; None: it still does."""

    def stand_still(self, home: AgentName, now: Instant) -> None:
        self.home = home
        self.stood = (*self.stood, (now, None))

    def go_on(self, now: Instant) -> None:
        if self.stood and self.stood[-1][1] is None:
            self.stood = (*self.stood[:-1], (self.stood[-1][0], now))


class Withdrawal(StrEnum):
    """Why a task is being taken out of the line."""

    CANCELLED = "cancelled"
    QUEUE_TIMEOUT = "queue_timeout"
    EXPIRED = "expired"


class Run:
    """One task of one instance."""

    __slots__ = (
        "attempts",
        "due",
        "error",
        "fixed_priority",
        "in_line",
        "losses",
        "missing",
        "open",
        "order",
        "preemptions",
        "progress",
        "restored",
        "result",
        "retries",
        "status",
        "task",
        "withdrawing",
    )

    def __init__(self, task: Task) -> None:
        self.task = task
        self.status = TaskStatus.PENDING
        self.missing = len(task.depends_on)
        """Dependencies not completed yet."""
        self.order = 0
        """Its place in line, given when it first becomes ready."""
        self.in_line = False
        """The scheduler has it: waiting, running or suspended."""
        self.open = False
        """In line, or waiting for a backoff."""
        self.due: Instant | None = None
        """When its newest backoff is over."""
        self.withdrawing: Withdrawal | None = None
        self.result: Json = None
        self.error: ErrorInfo | None = None
        self.retries = 0
        self.preemptions = 0
        self.losses = 0
        self.restored: Json = None
        self.progress: tuple[float, str] | None = None
        self.fixed_priority: Priority | None = None
        self.attempts: list[Attempt] | tuple[Attempt, ...] = ()

    def move(self, status: TaskStatus) -> None:
        assert status in TASK_MOVES[self.status], f"{self.task.id}: {self.status} -> {status}"
        self.status = status

    @property
    def over(self) -> bool:
        """Nothing of it runs for its own sake any more: it has ended, or a person decides."""
        return self.status not in (TaskStatus.PENDING, TaskStatus.RUNNING)

    def new_attempt(self, now: Instant) -> Attempt:
        attempt = Attempt(len(self.attempts) + 1, now)
        self.attempts = [*self.attempts, attempt]
        return attempt

    @property
    def attempt(self) -> Attempt:
        """The newest."""
        return self.attempts[-1]


class Revising:
    """A newer event for jobs that the scheduler already has.

    It is offered to the scheduler, one offer at a time; what comes meanwhile waits as the
    newest. A refused offer continues in the next instance.
    """

    __slots__ = ("continued_by", "newest", "newest_merged", "offered", "offered_merged", "offered_revision")

    def __init__(self) -> None:
        self.offered: Event | None = None
        self.offered_merged = 0
        self.offered_revision = 0
        self.newest: Event | None = None
        self.newest_merged = 0
        self.continued_by: InstanceKey | None = None


class Instance:
    """One run of a workflow for one entity.

    A backlog is made of these, so what most of them never need is not there until it is: its
    tasks while none of them has started, and everything about revising.
    """

    __slots__ = (
        "_runs",
        "active",
        "cancelling",
        "completed_at",
        "confirmed",
        "created",
        "deadline",
        "event",
        "failing",
        "first_order",
        "fixed_priority",
        "from_table",
        "key",
        "merged",
        "open",
        "origin",
        "own",
        "params",
        "raised",
        "retry_of",
        "revising",
        "revision",
        "sent_at",
        "started",
        "status",
        "unfinished",
        "unknown",
        "workflow",
    )  # fmt: skip

    def __init__(self, key: InstanceKey, workflow: Workflow, origin: Origin, now: Instant) -> None:
        self.key = key
        self.workflow = workflow
        self.origin = origin
        self.created = now
        self.status = InstanceStatus.RUNNING
        self.completed_at: Instant | None = None
        self.event: Event | None = None
        self.params: Mapping[str, Json] | None = None
        self.own = False
        """Started by hand: no event merges into it."""
        self.retry_of: str | None = None
        """The ended instance that it does once more."""
        self.from_table = False
        self.merged = 0
        self.deadline: Instant | None = None
        """Until its first attempt has started."""
        self.active = False
        """First of its line: its tasks may become ready."""
        self.sent_at: Instant | None = None
        """When the scheduler got its first jobs."""
        self.first_order = 0
        """The place in line of the first of them; the others follow."""
        self.started = False
        self.open = 0
        """Tasks in line, running, or waiting for a backoff."""
        self.unknown = 0
        self.unfinished = len(workflow.tasks)
        self.failing = False
        self.cancelling = False
        self.raised: Priority | None = None
        self.fixed_priority: Priority | None = None
        self.revision = 0
        """How many events have merged into it."""
        self.confirmed = 0
        """Of those, how many its jobs stand for."""
        self.revising: Revising | None = None
        self._runs: tuple[Run, ...] | None = None

    @property
    def entity(self) -> EntityId:
        return self.origin.entity

    @property
    def id(self) -> str:
        return self.origin.named(self.workflow.id)

    def task_id(self, task: Task) -> str:
        return self.origin.named(task.id)

    @property
    def runs(self) -> tuple[Run, ...]:
        """Its tasks by place. Made when first asked for, as they are then: the first ones in line."""
        if self._runs is None:
            self._runs = tuple([Run(task) for task in self.workflow.tasks])
            if self.sent_at is not None:
                self._put_in_line(self.sent_at)
        return self._runs

    def send(self, first_order: int, now: Instant) -> None:
        """Note that the scheduler gets its first jobs, from this place in line on."""
        self.sent_at, self.first_order = now, first_order
        if self._runs is not None:  # Somebody asked for them while it waited for its turn.
            self._put_in_line(now)

    def _put_in_line(self, now: Instant) -> None:
        for order, run in enumerate(self.roots(), start=self.first_order):
            run.order, run.open, run.in_line = order, True, True
            run.new_attempt(now)

    @property
    def untouched(self) -> bool:
        """Nothing has happened to any task of it but that the first ones came into line."""
        return self._runs is None

    def task_key(self, task: Task) -> TaskKey:
        return TaskKey(self.key * MAX_TASKS + task.index)

    def lock_key(self, task: Task) -> str | None:
        """The key of the lock that the task must have to run: its text with what stands in braces filled in."""
        if task.lock is None:
            return None
        names = {"entity.id": self.entity, "workflow.id": self.workflow.id, "task.id": task.id}
        return _PLACEHOLDER.sub(lambda found: names[found[1]], task.lock)

    @property
    def priority(self) -> Priority:
        return self._effective(self.workflow.priority, self.fixed_priority)

    def task_priority(self, task: Task) -> Priority:
        """Its own or else its workflow's, a raise if that is more important; or what it was set to."""
        own = task.priority if task.priority is not None else self.workflow.priority
        fixed = None if self._runs is None else self._runs[task.index].fixed_priority
        return self._effective(own, self.fixed_priority if fixed is None else fixed)

    def priority_from(self, task: Task) -> str:
        """What gives the task its priority: ``set`` by a person, ``raised``, its ``task`` or its ``workflow``."""
        fixed = None if self._runs is None else self._runs[task.index].fixed_priority
        if fixed is not None or self.fixed_priority is not None:
            return "set"
        own = task.priority if task.priority is not None else self.workflow.priority
        if self.raised is not None and self.raised < own:
            return "raised"
        return "workflow" if task.priority is None else "task"

    def _effective(self, own: Priority, fixed: Priority | None) -> Priority:
        if fixed is not None:  # A raise that came before it was replaced by it; a later one lowered it.
            return fixed
        return own if self.raised is None else min(own, self.raised)

    def raise_priority(self, priority: Priority) -> None:
        """Every task of it gets at least this priority."""
        self.raised = priority if self.raised is None else min(self.raised, priority)
        if self.fixed_priority is not None:
            self.fixed_priority = min(self.fixed_priority, priority)
        for run in self._runs or ():
            if run.fixed_priority is not None:
                run.fixed_priority = min(run.fixed_priority, priority)

    def merges(self) -> bool:
        """Whether an event may still merge into it."""
        return not (self.started or self.own or self.cancelling) and self.status is InstanceStatus.RUNNING

    def move(self, status: InstanceStatus) -> None:
        assert status in INSTANCE_MOVES[self.status], f"{self.id}: {self.status} -> {status}"
        self.status = status

    def roots(self) -> Iterator[Run]:
        return (run for run in self.runs if not run.task.depends_on)

    def inputs(self, run: Run) -> dict[str, Json]:
        """Results of the tasks it depends on, by task id."""
        return {self.runs[place].task.id: self.runs[place].result for place in run.task.depends_on}

    def release_dependants(self, run: Run) -> list[Run]:
        """It has completed; return the tasks that became ready by it."""
        freed = []
        for place in self.workflow.dependants[run.task.index]:
            dependant = self.runs[place]
            dependant.missing -= 1
            if not dependant.missing and dependant.status is TaskStatus.PENDING:
                freed.append(dependant)
        return freed


def error_text(error: ErrorInfo | None) -> str | None:
    return None if error is None else f"{error.type}: {error.message}"
