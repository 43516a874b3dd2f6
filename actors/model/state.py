"""What an engine holds and hands on: entities, jobs, outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

from actors.frozen import frozen
from actors.model.definition import Event, Task
from actors.model.words import (
    DEFAULT_PRIORITY,
    EntityId,
    EntityStatus,
    Instant,
    Json,
    Phase,
    Priority,
    TaskKey,
    Utc,
    WorkflowId,
)


@dataclass(frozen=True, slots=True)
class Entity:
    """A row of the state table."""

    id: EntityId
    name: str = ""
    phase: str = Phase.DATA_READY
    status: EntityStatus = EntityStatus.PENDING
    priority: Priority = DEFAULT_PRIORITY
    last_processed: Utc | None = None
    data: Json = None


class AttemptId(NamedTuple):
    """One execution of one task. The number fences late results."""

    task: TaskKey
    number: int


@frozen
class Origin:
    """Where a workflow instance comes from: what its readable ids are made of.

    They keep the shape ``workflow_entity_epochseconds`` and ``task_entity_epochseconds``, with
    the instance's creation second, and ``_2`` and so on where that has been taken.
    """

    store: str
    workflow: WorkflowId
    entity: EntityId
    second: int
    suffix: int = 1
    version: str = ""
    """Of the definitions that it runs by, whatever is loaded later."""

    def named(self, name: str) -> str:
        """The readable id of the instance (by its workflow's id) or of a task (by the task's)."""
        end = f"_{self.suffix}" if self.suffix > 1 else ""
        return f"{name}_{self.entity}_{self.second}{end}"


@frozen
class Job:
    """What a runner needs to run one attempt, and what the action sees of it: plain values.

    Ids are made when asked for: a hundred thousand waiting jobs need not carry their texts.
    """

    attempt: AttemptId
    origin: Origin
    task: Task
    priority: Priority
    entity: Entity
    event: Event | None
    params: Mapping[str, Json]
    inputs: Mapping[str, Json]
    """Results of the tasks it depends on, by task id."""
    restored: Json
    """The newest checkpoint of earlier attempts, else None."""
    merged: int
    """How many events it stands for."""

    @property
    def workflow(self) -> WorkflowId:
        return self.origin.workflow

    @property
    def version(self) -> str:
        """Of the definitions whose code it runs."""
        return self.origin.version

    @property
    def task_id(self) -> str:
        return self.origin.named(self.task.id)

    @property
    def instance_id(self) -> str:
        return self.origin.named(self.origin.workflow)

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of the task, and in no other store."""
        return f"{self.origin.store}-{self.attempt.task}"


class OutcomeKind(StrEnum):
    """How an action ended, not what it was asked."""

    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    """It left by the stop exception, or was killed after ``grace_ms``."""
    LOST = "lost"
    """Its process is gone, through no request of ours."""


@frozen
class ErrorInfo:
    """What is kept of an exception: bounded texts."""

    type: str
    message: str
    traceback: str = ""
    retryable: bool = True


@frozen
class Outcome:
    kind: OutcomeKind
    result: Json = None
    error: ErrorInfo | None = None
    """For ``failed`` and ``lost``."""
    checkpoint: Json = None
    """The newest of this attempt; None if it saved none."""
    began: Instant | None = None
    """When the action's first line ran; None if it never did."""
    ended: Instant = 0
    killed: bool = False
    saved: Instant | None = None
    """When the newest checkpoint was taken."""


class Level(IntEnum):
    """Severity of an action's log line, as in ``logging``."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
