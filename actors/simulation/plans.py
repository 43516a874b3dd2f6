"""What a simulated attempt will do, and what is told of one that has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from actors.frozen import frozen
from actors.model import AgentName, Instant, Job, Json, OutcomeKind, Priority, StopReason


@dataclass(frozen=True, slots=True)
class Plan:
    """What one attempt will do, decided when it starts. Times are nanoseconds."""

    takes: int
    """Work in all for the *task*; what earlier attempts kept is taken off."""
    kind: OutcomeKind = OutcomeKind.COMPLETED
    """How it ends when the work is done."""
    hears_after: int | None = 0
    """From the stop request to the action's end; None: it is deaf, until killed if it can be."""
    keeps_work: bool = True
    """Checkpointed: the next attempt continues where this one stopped; False: it starts over."""
    result: Json = None
    begins_after: int = 0
    """From the start order to the action's first line."""
    retryable: bool = True
    """Of a failure."""


Planner = Callable[[Job, int], Plan]
"""Takes the job, and how much work earlier attempts have kept, in ns."""


@frozen
class Span:
    """One attempt that ended; instants are ns since the simulation's beginning."""

    task_id: str
    task: str
    workflow: str
    entity: str
    priority: Priority
    attempt: int
    agent: AgentName
    ready: Instant
    """When the attempt came into line."""
    began: Instant | None
    ended: Instant
    outcome: OutcomeKind
    reason: StopReason | None
    stood_still: int
    """How long of it the attempt was suspended, in ns."""
    work: int
    """Work of the task that was done in this attempt, in ns."""
    kept: bool
    """Whether that work counts: it completed, or the next attempt continues from there."""
