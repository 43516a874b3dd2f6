"""Messages to the scheduler: the keeper's orders, the agents' reports, its timers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from actors.frozen import frozen
from actors.messages.rebuilding import (
    AgentDied,
    AttemptEnded,
    AttemptSuspended,
    SchedulerRestored,
    WorkReport,
)
from actors.messages.shared import Inspect, Note, NoteTaken, ReadStats, ReadyTask
from actors.model import (
    NOBODY,
    AgentName,
    AttemptId,
    InstanceKey,
    Instant,
    Json,
    Millis,
    Priority,
    ReplyId,
    StopReason,
    TaskKey,
    WorkflowId,
)


@frozen
class TasksReady:
    """These may start, and the ends of these attempts are recorded, with all that follows (law 7)."""

    tasks: tuple[ReadyTask, ...]
    recorded: tuple[AttemptId, ...] = ()


@frozen
class ReviseTasks:
    """A newer event merged into an instance without a started attempt: these are its jobs now.

    Taken only if every one of them still waits for its first start; answered with ``TasksRevised``.
    """

    instance: InstanceKey
    tasks: tuple[ReadyTask, ...]


@frozen
class ReleaseAttempt:
    """That it was assigned is saved: an ``at_most_once`` attempt may run now."""

    attempt: AttemptId


@frozen
class WithdrawTask:
    """Take it out of the line if no attempt of it has been assigned; otherwise do nothing."""

    task: TaskKey


@frozen
class CancelTask:
    """Take it out of the line, or stop its attempt."""

    task: TaskKey
    reason: StopReason = StopReason.CANCEL


@frozen
class ChangePriority:
    """From now on the task has this priority, waiting or running."""

    task: TaskKey
    priority: Priority


@frozen
class HoldWorkflow:
    """Start no task of this workflow, of none at all if it is None, until it is let go again."""

    workflow: WorkflowId | None
    held: bool


@frozen
class LimitsChanged:
    """``max_concurrent`` by workflow, from now on; a workflow that is not named has none. What runs goes on."""

    limits: Mapping[WorkflowId, int]


@frozen
class HoldAgent:
    """Give this agent no new work until it is let go again."""

    agent: AgentName
    held: bool


@frozen
class AgentReady:
    """An agent of this incarnation is free for work."""

    agent: AgentName
    incarnation: int


@frozen
class AttemptStuck:
    """Its grace is over and it can neither be stopped nor killed.

    ``reason`` is why it should stop; ``shutdown`` if its agent's crash is why.
    """

    agent: AgentName
    incarnation: int
    attempt: AttemptId
    reason: StopReason = StopReason.TIMEOUT


@frozen
class AttemptNoted:
    """What a running attempt said, on its way to the keeper."""

    agent: AgentName
    incarnation: int
    attempt: AttemptId
    note: Note
    number: int = 0
    """Counts the notes of the attempt on its agent."""


@frozen
class MinRuntimeOver:
    """Timer: the attempt may be preempted from now on."""

    attempt: AttemptId


@frozen
class AgingDue:
    """Timer: a task has waited so long that it ages."""


@frozen
class ExplainWaiting:
    """Complete the keeper's answer about a task and give it to the caller."""

    task: TaskKey
    facts: Mapping[str, Json]
    reply: ReplyId


@frozen
class ReadQueues:
    """Answer with what waits by priority, and the agents."""

    reply: ReplyId = NOBODY


@frozen
class StopAgents:
    """Start nothing more and stop what runs; answer when every agent is free.

    ``grace`` is how long attempts may go on before they are stopped, from ``since`` on, when the
    engine was told. So it is over at the same instant however often this is told again.
    """

    grace: Millis
    since: Instant
    reply: ReplyId = NOBODY


@frozen
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
    | HoldAgent
    | LimitsChanged
    | AgentReady
    | AttemptEnded
    | AttemptSuspended
    | AttemptStuck
    | AttemptNoted
    | NoteTaken
    | MinRuntimeOver
    | AgingDue
    | ExplainWaiting
    | ReadQueues
    | ReadStats
    | Inspect
    | StopAgents
    | StopGraceOver
    | SchedulerRestored
    | WorkReport
    | AgentDied
)
