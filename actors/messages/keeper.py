"""Messages to the keeper: reports from its neighbours, requests from outside, its timers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from actors.frozen import frozen
from actors.messages.rebuilding import RouterRestarted, SchedulerRestarted
from actors.messages.router import Watch
from actors.messages.shared import AwaitIdle, Inspect, Note, ReadStats
from actors.messages.versions import AdoptDefinitions, AwaitUnused
from actors.model import (
    NOBODY,
    AgentName,
    AttemptId,
    EntityId,
    EntitySeed,
    EntityStatus,
    Event,
    InstanceKey,
    InstanceStatus,
    Instant,
    Json,
    Outcome,
    Priority,
    ReplyId,
    StopReason,
    TaskKey,
    WorkflowId,
)
from actors.views import Receipt


@frozen
class ForwardedEvent:
    """An event as admitted: with its id, its priority, when it was accepted, whom it stands for."""

    event: Event
    priority: Priority
    accepted: Instant
    ids: tuple[str, ...]
    """All event ids it stands for; the survivor's own comes last."""
    derived: bool = False
    """It follows from a recorded outcome; no publisher waits for its answer."""


@frozen
class EventBatch:
    """Act on these events in order; answer with ``EventsAnswered`` of the same number."""

    batch: int
    events: tuple[ForwardedEvent, ...]


@frozen
class Bootstrap:
    """The initial entities and the events due at once, taken as one batch."""

    entities: tuple[EntitySeed, ...]
    events: tuple[ForwardedEvent, ...]


@frozen
class AttemptAssigned:
    """This attempt has got this agent; with ``at_most_once`` it runs when ``ReleaseAttempt`` comes."""

    attempt: AttemptId
    agent: AgentName
    at: Instant
    resumed: bool = False


@frozen
class AttemptClosed:
    """An attempt ended as the outcome says; ``reason`` is what it was asked to stop for, if it was.

    ``agent`` is None for an attempt that had been assigned but was never sent to its agent.
    """

    attempt: AttemptId
    agent: AgentName | None
    outcome: Outcome
    reason: StopReason | None
    preempted_by: TaskKey | None = None


@frozen
class AttemptParked:
    """An attempt is suspended and waits in line, alive.

    ``again``: it had been told to go on, and that was lost with its agent: no new preemption.
    """

    attempt: AttemptId
    preempted_by: TaskKey | None = None
    agent: AgentName | None = None
    """Who suspended it."""
    at: Instant = 0
    """Since when it stands still."""
    again: bool = False


@frozen
class AttemptSetAside:
    """An attempt does not stop and cannot be killed; its agent goes on without it, or waits."""

    attempt: AttemptId
    reason: StopReason
    replaced: bool


@frozen
class NoteReceived:
    """Record it once, though it may come again after a crash; answer with ``NoteTaken``."""

    attempt: AttemptId
    note: Note
    number: int = 0


@frozen
class TasksRevised:
    """Whether the revised jobs of this instance were taken: all of them, or none."""

    instance: InstanceKey
    taken: bool


@frozen
class TaskWithdrawn:
    """A task was taken out of the line before it started, as asked."""

    task: TaskKey


@frozen
class PutEntity:
    """Add or change an entity; answer with the ``Entity``."""

    seed: EntitySeed
    reply: ReplyId = NOBODY


@frozen
class RunWorkflow:
    """Start an instance by hand; answer with a ``Receipt``."""

    workflow: WorkflowId
    entity: EntityId
    params: Mapping[str, Json] | None = None
    reply: ReplyId = NOBODY


@frozen
class RetryInstance:
    """Start what this ended instance was once more, by hand; answer with a ``Receipt``.

    The rest is what its record says of it. The two are linked: ``retry_of`` and ``retried_by``.
    """

    id: str
    workflow: WorkflowId
    entity: EntityId
    event: Event | None = None
    merged: int = 0
    params: Mapping[str, Json] | None = None
    reply: ReplyId = NOBODY


@frozen
class Cancel:
    """Cancel an instance or a task by its readable id; answer with the ids told to stop."""

    id: str
    reply: ReplyId = NOBODY


@frozen
class SetPriority:
    """Replace the priority of an unfinished instance's tasks, or of one task."""

    id: str
    priority: Priority
    reply: ReplyId = NOBODY


@frozen
class PauseWorkflow:
    """Start no task of it until resumed, of no workflow if it is None; what runs goes on.

    A workflow that is paused by itself stays so when the engine is resumed.
    """

    workflow: WorkflowId | None
    paused: bool
    reply: ReplyId = NOBODY


@frozen
class DrainAgent:
    """Give this agent no new work until it is let go on again; what it runs goes on."""

    agent: AgentName
    drained: bool
    reply: ReplyId = NOBODY


@frozen
class ResolveTask:
    """Move an ``unknown`` task on: ``completed``, ``failed``, ``retry`` or ``cancelled``."""

    id: str
    outcome: str
    reply: ReplyId = NOBODY


@frozen
class AwaitReceipt:
    """Answer with the most important instance of the receipt when it has ended, None if it has none."""

    receipt: Receipt
    reply: ReplyId


@frozen
class AwaitInstance:
    """Answer with the instance when it has ended or holds an ``unknown`` task."""

    id: str
    reply: ReplyId


@frozen
class ReadEntities:
    """Answer with one ``Entity``, or a tuple of all when ``id`` is None."""

    id: EntityId | None = None
    reply: ReplyId = NOBODY


@frozen
class ReadInstance:
    """Answer with one unfinished instance; None if there is none of this id."""

    id: str
    by_task: bool = False
    """The id may also be one of its tasks'."""
    reply: ReplyId = NOBODY


@frozen
class ReadInstances:
    """Answer with a tuple of ``InstanceView``, newest first."""

    status: InstanceStatus | None = None
    workflow: WorkflowId | None = None
    limit: int = 1000
    reply: ReplyId = NOBODY


@frozen
class ListInstances:
    """Answer with records of unfinished instances below this key, newest first, and the key down to which that is all.

    Looks at a bounded number; 0 when there is nothing below.
    """

    below: InstanceKey | None = None
    workflow: WorkflowId | None = None
    entity: EntityId | None = None
    limit: int = 100
    reply: ReplyId = NOBODY


@frozen
class ListEntities:
    """Answer with entities from this place on, as they were added, and the place to go on from, None at the end.

    Looks at a bounded number. ``search`` is part of the id or the name, in small letters or capitals.
    """

    place: int = 0
    status: EntityStatus | None = None
    phase: str | None = None
    search: str | None = None
    limit: int = 100
    reply: ReplyId = NOBODY


@frozen
class ExplainTask:
    """Answer with why a task is where it is, in words and as data."""

    id: str
    reply: ReplyId = NOBODY


@frozen
class ReadDeadLetters:
    """Answer with the dead letters as mappings, oldest first."""

    reply: ReplyId = NOBODY


@frozen
class RetryDeadLetter:
    """Act on its event again, under a new id; answer with a ``Receipt``, and drop the letter if it is accepted."""

    number: int
    reply: ReplyId = NOBODY


@frozen
class DropDeadLetter:
    """Keep it no longer; nothing of it is acted on."""

    number: int
    reply: ReplyId = NOBODY


@frozen
class ReconcileDue:
    """Timer: start what pending entities call for."""


@frozen
class BackoffOver:
    """Timer: the task may be tried again."""

    task: TaskKey


@frozen
class QueueTimeoutDue:
    """Timer: the task has waited too long for its first start."""

    task: TaskKey


@frozen
class ValidityOver:
    """Timer: the instance's event is past its time."""

    instance: InstanceKey


ToKeeper: TypeAlias = (
    EventBatch
    | Bootstrap
    | AttemptAssigned
    | AttemptClosed
    | AttemptParked
    | AttemptSetAside
    | NoteReceived
    | TasksRevised
    | TaskWithdrawn
    | PutEntity
    | RunWorkflow
    | RetryInstance
    | Cancel
    | SetPriority
    | PauseWorkflow
    | DrainAgent
    | RetryDeadLetter
    | DropDeadLetter
    | ResolveTask
    | AwaitReceipt
    | AwaitInstance
    | AwaitIdle
    | ReadEntities
    | ReadInstance
    | ReadInstances
    | ListInstances
    | ListEntities
    | ReadDeadLetters
    | ExplainTask
    | ReadStats
    | Inspect
    | Watch
    | AdoptDefinitions
    | AwaitUnused
    | ReconcileDue
    | BackoffOver
    | QueueTimeoutDue
    | ValidityOver
    | SchedulerRestarted
    | RouterRestarted
)
