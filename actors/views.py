"""What users read: frozen snapshots of instances, tasks, attempts, receipts and state changes.

Times come twice: monotonic nanoseconds, for differences within this engine's life, and UTC
seconds. ``None`` means it has not happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeAlias, TypeVar

from actors.model import (
    AgentName,
    EntityId,
    ErrorInfo,
    Event,
    InstanceStatus,
    Instant,
    Json,
    OutcomeKind,
    Priority,
    StopReason,
    TaskStatus,
    Utc,
    WorkflowId,
)

T = TypeVar("T")

Record: TypeAlias = tuple[Any, ...]
"""A finished instance as the store keeps it: nested tuples of plain values; see ``logic.history``."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One point in time on both clocks."""

    ns: Instant
    utc: Utc


@dataclass(frozen=True, slots=True)
class AttemptView:
    number: int
    agent: AgentName | None
    outcome: OutcomeKind | None
    """None while it runs or is suspended."""
    reason: StopReason | None
    """What it was asked to stop for, if it was."""
    ready: Moment
    started: Moment | None
    """Its action's first line."""
    ended: Moment | None
    error: ErrorInfo | None = None
    killed: bool = False
    preempted_by: str | None = None
    """The task that it made way for, the last time."""
    assigned: Moment | None = None
    """When it got its agent, the first time."""
    stood: tuple[tuple[Moment, Moment | None], ...] = ()
    """From when until when it was suspended; None: it still is."""


@dataclass(frozen=True, slots=True)
class TaskView:
    id: str
    task: str
    """Its id in the workflow."""
    action: str
    """The action's name, or the command's program."""
    status: TaskStatus
    priority: Priority
    result: Json
    error: ErrorInfo | None
    retries: int
    max_retry: int
    preemptions: int
    infra_losses: int
    attempts: tuple[AttemptView, ...]
    progress: tuple[float, str] | None = None
    checkpoint: Json = None


@dataclass(frozen=True, slots=True)
class InstanceView:
    id: str
    workflow: WorkflowId
    entity_id: EntityId
    status: InstanceStatus
    priority: Priority
    created_at: Utc
    completed_at: Utc | None
    merged: int
    """How many events it stands for."""
    tasks: tuple[TaskView, ...]
    event: Event | None = None
    """The newest that it acts on; None: the state table or a person started it."""
    params: Mapping[str, Json] | None = None
    """Of a start by hand: they override each task's."""
    retry_of: str | None = None
    """The ended instance that it does once more."""
    retried_by: str | None = None
    """The newest instance that does it once more."""
    version: str = ""
    """Of the definitions that it runs by."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to an accepted event or start by hand.

    ``instances`` are the ids of what it started or merged into, the most important first;
    empty when no workflow wanted it. ``duplicate`` is true when an event of the same id had
    been accepted before: then the rest is the first one's.
    """

    event_id: str
    instances: tuple[str, ...] = ()
    duplicate: bool = False
    revisions: tuple[int, ...] = field(default=(), repr=False)
    """For each instance, its revision when this event merged into it: engine-internal."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload has changed: workflows by id, settings by name."""

    version: str
    previous: str
    added: tuple[str, ...]
    changed: tuple[str, ...]
    """Whose definition is another one."""
    removed: tuple[str, ...]
    """They start no more; their instances go on, below the limit that they had."""
    code_changed: bool
    """Actions' files are others."""
    settings: tuple[str, ...]
    """In force from now on."""
    at_next_start: tuple[str, ...]
    """Changed as well, and taken only when an engine starts."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a long list. With ``next_cursor`` there may be more: give it to get what follows.

    A page may be short, even empty, though there is more: a call looks at a bounded number of items.
    """

    items: tuple[T, ...]
    next_cursor: str | None


class ChangeType(StrEnum):
    """The kinds of state change that ``subscribe`` tells of."""

    ENTITY_CHANGED = "entity_changed"
    EVENT_REJECTED = "event_rejected"
    EVENT_EXPIRED = "event_expired"
    CONDITION_FAILED = "condition_failed"
    INSTANCE_CREATED = "instance_created"
    INSTANCE_ENDED = "instance_ended"
    TASK_READY = "task_ready"
    TASK_STARTED = "task_started"
    TASK_COMPLETED = "task_completed"
    TASK_RETRIED = "task_retried"
    TASK_FAILED = "task_failed"
    TASK_PREEMPTED = "task_preempted"
    TASK_SUSPENDED = "task_suspended"
    TASK_RESUMED = "task_resumed"
    TASK_CANCELLED = "task_cancelled"
    TASK_UNKNOWN = "task_unknown"
    TASK_LOST = "task_lost"
    TASK_NOTED = "task_noted"
    AGENT_CHANGED = "agent_changed"
    GAP = "gap"
    """Some changes were not told, because the subscriber was too slow; ``detail`` has how many."""


@dataclass(frozen=True, slots=True)
class StateChanged:
    """One change of state, in the order the keeper made them."""

    seq: int
    type: ChangeType
    at: Moment
    entity_id: str = ""
    instance_id: str = ""
    task_id: str = ""
    workflow: str = ""
    task: str = ""
    status: str = ""
    priority: Priority | None = None
    attempt: int = 0
    agent: str = ""
    detail: Mapping[str, Json] = field(default_factory=dict)
