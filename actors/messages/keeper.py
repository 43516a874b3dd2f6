"""Messages to the keeper: reports from its neighbours, its timers; requests from outside are in ``asked``."""

from __future__ import annotations

from typing import TypeAlias

from actors.frozen import frozen
from actors.messages.asked import (
    AdoptDefinitions,
    AwaitInstance,
    AwaitReceipt,
    AwaitUnused,
    Cancel,
    DrainAgent,
    DropDeadLetter,
    ExplainTask,
    ListEntities,
    ListInstances,
    PauseWorkflow,
    PutEntity,
    ReadDeadLetters,
    ReadEntities,
    ReadInstance,
    ReadInstances,
    ResolveTask,
    RetryDeadLetter,
    RetryInstance,
    RunWorkflow,
    SetPriority,
)
from actors.messages.rebuilding import RouterRestarted, SchedulerRestarted
from actors.messages.router import Watch
from actors.messages.shared import AwaitIdle, Inspect, Note, ReadStats
from actors.model import (
    AgentName,
    AttemptId,
    EntitySeed,
    Event,
    InstanceKey,
    Instant,
    Outcome,
    Priority,
    StopReason,
    TaskKey,
)


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
