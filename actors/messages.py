"""Every message that crosses an actor boundary, grouped by who receives it.

Commands are imperative, reports past tense. Values only: names instead of references, no
callables. One closed union per receiver; handled by a ``match`` that ends in ``assert_never``.
A message with ``reply`` expects one answer to a caller outside, unless it is ``NOBODY``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from actors.model import (
    NOBODY,
    AgentName,
    AttemptId,
    EntityId,
    EntitySeed,
    Event,
    InstanceKey,
    InstanceStatus,
    Instant,
    Job,
    Json,
    Level,
    Millis,
    Outcome,
    Priority,
    ReplyId,
    StopReason,
    TaskKey,
    TimedEvent,
    WorkflowId,
)
from actors.views import ChangeType, Receipt, StateChanged

# --- shared by several receivers ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Note:
    """What an attempt says while it runs. None: nothing new of that kind."""

    checkpoint: Json = None
    progress: tuple[float, str] | None = None
    lines: tuple[tuple[Level, str], ...] = ()
    lost_lines: int = 0
    """Log lines dropped because they came faster than they were taken in."""


@dataclass(frozen=True, slots=True)
class ReadyTask:
    """A task that may start: its next attempt, and its place in line.

    ``order`` is the sequence number of the moment the task first became ready; it keeps it
    through preemption, retries and losses.
    """

    job: Job
    order: int
    preemptions: int = 0


@dataclass(frozen=True, slots=True)
class NoteTaken:
    """The attempt's last note is recorded; another may be sent."""

    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class AwaitIdle:
    """Answer when nothing accepted is left undone."""

    reply: ReplyId


@dataclass(frozen=True, slots=True)
class ReadStats:
    """Answer with this actor's counts, as a mapping."""

    reply: ReplyId = NOBODY


# --- to the router -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Publish:
    """Take these events in, all or as many as fit; answer with receipts or refusals, in order."""

    events: tuple[Event, ...]
    reply: ReplyId = NOBODY


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """``receipt`` when accepted, else why not."""

    receipt: Receipt | None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class EventsAnswered:
    """The keeper has dealt with a forwarded batch; its credit is back."""

    batch: int
    answers: tuple[EventAnswer, ...]


@dataclass(frozen=True, slots=True)
class EventsDerived:
    """Events that follow from recorded outcomes; never merged, never refused."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class PrioritiesChanged:
    """Entities' priorities, for events that carry none."""

    priorities: Mapping[EntityId, Priority]


@dataclass(frozen=True, slots=True)
class ChangesMade:
    """State changes to fan out to subscribers."""

    changes: tuple[StateChanged, ...]


@dataclass(frozen=True, slots=True)
class ScheduleEvents:
    """Publish each of these when its time has come, counted from now."""

    events: tuple[TimedEvent, ...]


@dataclass(frozen=True, slots=True)
class TimedEventDue:
    """Timer: publish this one now."""

    number: int


@dataclass(frozen=True, slots=True)
class Watch:
    """Whether anybody subscribes, and to which types (empty: all)."""

    watched: bool
    types: frozenset[ChangeType] = frozenset()


ToRouter: TypeAlias = (
    Publish
    | EventsAnswered
    | EventsDerived
    | PrioritiesChanged
    | ChangesMade
    | ScheduleEvents
    | TimedEventDue
    | AwaitIdle
    | ReadStats
)

# --- to the keeper -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ForwardedEvent:
    """An event as admitted: with its id, its priority, when it was accepted, whom it stands for."""

    event: Event
    priority: Priority
    accepted: Instant
    ids: tuple[str, ...]
    """All event ids it stands for; the survivor's own comes last."""
    derived: bool = False
    """It follows from a recorded outcome; no publisher waits for its answer."""


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Act on these events in order; answer with ``EventsAnswered`` of the same number."""

    batch: int
    events: tuple[ForwardedEvent, ...]


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The initial entities and the events due at once, taken as one batch."""

    entities: tuple[EntitySeed, ...]
    events: tuple[ForwardedEvent, ...]


@dataclass(frozen=True, slots=True)
class AttemptAssigned:
    """This attempt has got this agent; with ``at_most_once`` it runs when ``ReleaseAttempt`` comes."""

    attempt: AttemptId
    agent: AgentName
    at: Instant
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class AttemptClosed:
    """An attempt ended as the outcome says; ``reason`` is what it was asked to stop for, if it was.

    ``agent`` is None for an attempt that had been assigned but was never sent to its agent.
    """

    attempt: AttemptId
    agent: AgentName | None
    outcome: Outcome
    reason: StopReason | None
    preempted_by: TaskKey | None = None


@dataclass(frozen=True, slots=True)
class AttemptParked:
    """An attempt is suspended and waits in line, alive."""

    attempt: AttemptId
    preempted_by: TaskKey | None = None


@dataclass(frozen=True, slots=True)
class AttemptSetAside:
    """An attempt does not stop and cannot be killed; its agent goes on without it, or waits."""

    attempt: AttemptId
    reason: StopReason
    replaced: bool


@dataclass(frozen=True, slots=True)
class NoteReceived:
    attempt: AttemptId
    note: Note


@dataclass(frozen=True, slots=True)
class TasksRevised:
    """Whether the revised jobs of this instance were taken: all of them, or none."""

    instance: InstanceKey
    taken: bool


@dataclass(frozen=True, slots=True)
class TaskWithdrawn:
    """A task was taken out of the line before it started, as asked."""

    task: TaskKey


@dataclass(frozen=True, slots=True)
class PutEntity:
    """Add or change an entity; answer with the ``Entity``."""

    seed: EntitySeed
    reply: ReplyId = NOBODY


@dataclass(frozen=True, slots=True)
class RunWorkflow:
    """Start an instance by hand; answer with a ``Receipt``."""

    workflow: WorkflowId
    entity: EntityId
    params: Mapping[str, Json] | None = None
    reply: ReplyId = NOBODY


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel an instance or a task by its readable id; answer with the ids told to stop."""

    id: str
    reply: ReplyId = NOBODY


@dataclass(frozen=True, slots=True)
class SetPriority:
    """Replace the priority of an unfinished instance's tasks, or of one task."""

    id: str
    priority: Priority
    reply: ReplyId = NOBODY


@dataclass(frozen=True, slots=True)
class PauseWorkflow:
    """Start no task of it until resumed; what runs goes on."""

    workflow: WorkflowId
    paused: bool
    reply: ReplyId = NOBODY


@dataclass(frozen=True, slots=True)
class ResolveTask:
    """Move an ``unknown`` task on: ``completed``, ``failed``, ``retry`` or ``cancelled``."""

    id: str
    outcome: str
    reply: ReplyId = NOBODY


@dataclass(frozen=True, slots=True)
class AwaitReceipt:
    """Answer with the most important instance of the receipt when it has ended, None if it has none."""

    receipt: Receipt
    reply: ReplyId


@dataclass(frozen=True, slots=True)
class AwaitInstance:
    """Answer with the instance when it has ended or holds an ``unknown`` task."""

    id: str
    reply: ReplyId


@dataclass(frozen=True, slots=True)
class ReadEntities:
    """Answer with one ``Entity``, or a tuple of all when ``id`` is None."""

    id: EntityId | None = None
    reply: ReplyId = NOBODY


@dataclass(frozen=True, slots=True)
class ReadInstance:
    id: str
    reply: ReplyId = NOBODY


@dataclass(frozen=True, slots=True)
class ReadInstances:
    """Answer with a tuple of ``InstanceView``, newest first."""

    status: InstanceStatus | None = None
    workflow: WorkflowId | None = None
    limit: int = 1000
    reply: ReplyId = NOBODY


@dataclass(frozen=True, slots=True)
class ExplainTask:
    """Answer with why a task is where it is, in words and as data."""

    id: str
    reply: ReplyId = NOBODY


@dataclass(frozen=True, slots=True)
class ReadDeadLetters:
    reply: ReplyId = NOBODY


@dataclass(frozen=True, slots=True)
class ReconcileDue:
    """Timer: start what pending entities call for."""


@dataclass(frozen=True, slots=True)
class BackoffOver:
    """Timer: the task may be tried again."""

    task: TaskKey


@dataclass(frozen=True, slots=True)
class QueueTimeoutDue:
    """Timer: the task has waited too long for its first start."""

    task: TaskKey


@dataclass(frozen=True, slots=True)
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
    | Cancel
    | SetPriority
    | PauseWorkflow
    | ResolveTask
    | AwaitReceipt
    | AwaitInstance
    | AwaitIdle
    | ReadEntities
    | ReadInstance
    | ReadInstances
    | ReadDeadLetters
    | ExplainTask
    | ReadStats
    | Watch
    | ReconcileDue
    | BackoffOver
    | QueueTimeoutDue
    | ValidityOver
)

# --- to the scheduler --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TasksReady:
    """These may start, and the ends of these attempts are recorded, with all that follows (law 7)."""

    tasks: tuple[ReadyTask, ...]
    recorded: tuple[AttemptId, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviseTasks:
    """A newer event merged into an instance without a started attempt: these are its jobs now.

    Taken only if every one of them still waits for its first start; answered with ``TasksRevised``.
    """

    instance: InstanceKey
    tasks: tuple[ReadyTask, ...]


@dataclass(frozen=True, slots=True)
class ReleaseAttempt:
    """That it was assigned is saved: an ``at_most_once`` attempt may run now."""

    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class WithdrawTask:
    """Take it out of the line if no attempt of it has been assigned; otherwise do nothing."""

    task: TaskKey


@dataclass(frozen=True, slots=True)
class CancelTask:
    """Take it out of the line, or stop its attempt."""

    task: TaskKey
    reason: StopReason = StopReason.CANCEL


@dataclass(frozen=True, slots=True)
class ChangePriority:
    """From now on the task has this priority, waiting or running."""

    task: TaskKey
    priority: Priority


@dataclass(frozen=True, slots=True)
class HoldWorkflow:
    """Start no task of this workflow until it is let go again."""

    workflow: WorkflowId
    held: bool


@dataclass(frozen=True, slots=True)
class AgentReady:
    """An agent of this incarnation is free for work."""

    agent: AgentName
    incarnation: int


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """The action of this attempt is gone, and this is how it ended."""

    agent: AgentName
    incarnation: int
    attempt: AttemptId
    outcome: Outcome
    reason: StopReason | None = None


@dataclass(frozen=True, slots=True)
class AttemptSuspended:
    agent: AgentName
    incarnation: int
    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class AttemptStuck:
    """Its grace is over and it can neither be stopped nor killed."""

    agent: AgentName
    incarnation: int
    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class AttemptNoted:
    agent: AgentName
    incarnation: int
    attempt: AttemptId
    note: Note


@dataclass(frozen=True, slots=True)
class MinRuntimeOver:
    """Timer: the attempt may be preempted from now on."""

    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class ExplainWaiting:
    """Complete the keeper's answer about a task and give it to the caller."""

    task: TaskKey
    facts: Mapping[str, Json]
    reply: ReplyId


@dataclass(frozen=True, slots=True)
class ReadQueues:
    """Answer with what waits by priority, and the agents."""

    reply: ReplyId = NOBODY


@dataclass(frozen=True, slots=True)
class StopAgents:
    """Start nothing more and stop what runs; answer when every agent is free.

    ``grace`` is how long attempts may go on before they are stopped.
    """

    grace: Millis
    reply: ReplyId = NOBODY


@dataclass(frozen=True, slots=True)
class StopGraceOver:
    """Timer: stop what still runs."""


ToScheduler: TypeAlias = (
    TasksReady
    | ReviseTasks
    | ReleaseAttempt
    | WithdrawTask
    | CancelTask
    | ChangePriority
    | HoldWorkflow
    | AgentReady
    | AttemptEnded
    | AttemptSuspended
    | AttemptStuck
    | AttemptNoted
    | NoteTaken
    | MinRuntimeOver
    | ExplainWaiting
    | ReadQueues
    | ReadStats
    | StopAgents
    | StopGraceOver
)

# --- to an agent -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunAttempt:
    """Run it now. Refused, as not begun, unless the agent is idle and of this incarnation."""

    job: Job
    incarnation: int


@dataclass(frozen=True, slots=True)
class CancelAttempt:
    """Stop this attempt if the agent still runs it; otherwise do nothing."""

    attempt: AttemptId
    reason: StopReason
    grace: Millis


@dataclass(frozen=True, slots=True)
class SuspendAttempt:
    """Suspend this attempt if the agent still runs it; otherwise do nothing."""

    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class ResumeAttempt:
    """Go on with a suspended attempt, here. ``paused`` is how long it has stood still in all, in ns."""

    job: Job
    incarnation: int
    paused: int


@dataclass(frozen=True, slots=True)
class EndSuspended:
    """Kill a suspended attempt; report its end."""

    attempt: AttemptId
    reason: StopReason


@dataclass(frozen=True, slots=True)
class SetAside:
    """Leave the stuck attempt to itself and come back free, as the next incarnation."""

    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class ActionEnded:
    """From a runner: nothing of the attempt runs any more, and this is how it ended."""

    attempt: AttemptId
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class ActionSuspended:
    """From a runner: the attempt is stopped where it was, and alive."""

    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class ActionNoted:
    """From a runner: what the action said since the last note."""

    attempt: AttemptId
    note: Note


@dataclass(frozen=True, slots=True)
class ActionProbed:
    """When the action's first line ran, asked for when its timeout came up; None: not yet."""

    attempt: AttemptId
    began: Instant | None


@dataclass(frozen=True, slots=True)
class TimeoutDue:
    """Timer: what runs may have used up its time."""


@dataclass(frozen=True, slots=True)
class GraceOver:
    """Timer: the attempt was told to stop and had its grace."""

    attempt: AttemptId


FromRunner: TypeAlias = ActionEnded | ActionSuspended | ActionNoted

ToAgent: TypeAlias = (
    RunAttempt
    | CancelAttempt
    | SuspendAttempt
    | ResumeAttempt
    | EndSuspended
    | SetAside
    | NoteTaken
    | ActionEnded
    | ActionSuspended
    | ActionNoted
    | ActionProbed
    | TimeoutDue
    | GraceOver
    | ReadStats
)

Message: TypeAlias = ToRouter | ToKeeper | ToScheduler | ToAgent
