"""Messages by which an actor whose logic crashed learns from its neighbours what it must know.

Channels are first in first out: what a neighbour sent before its snapshot or report is older
than that, and superseded by it. A generation counts an actor's rebuilt logics; an answer for
an older one comes too late.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from actors.frozen import frozen
from actors.messages.shared import Note, ReadyTask
from actors.model import (
    AgentName,
    AttemptId,
    EntityId,
    ErrorInfo,
    Event,
    Instant,
    Job,
    Outcome,
    Priority,
    StopReason,
    WorkflowId,
)

UNASKED = 0
"""The generation of a report that nobody asked for: its agent has crashed, and still ends what it had begun."""

# --- the scheduler -------------------------------------------------------------------------------


@frozen
class SchedulerRestarted:
    """To the keeper: the scheduler knows nothing any more. Answer with ``SchedulerRestored``."""

    generation: int


class Standing(StrEnum):
    """Where the keeper believes a task to be that the scheduler has."""

    WAITING = "waiting"
    RUNNING = "running"
    PARKED = "parked"
    """Its attempt is suspended, and waits in line."""
    GIVEN_UP = "given_up"
    """Its outcome is recorded, but its attempt would not stop, and has not ended yet."""


@frozen
class HeldTask:
    """One task that the scheduler has, as the keeper knows it."""

    ready: ReadyTask
    """Its newest attempt, at the task's present priority."""
    standing: Standing
    since: Instant
    """When it came into line, got its agent, or was suspended."""
    agent: AgentName | None = None
    """Where it runs, or was suspended."""
    parked: bool = False
    """Its attempt has been suspended at least once."""
    paused: int = 0
    """Nanoseconds that its attempt has stood still so far."""


@frozen
class SchedulerRestored:
    """The keeper's snapshot for a rebuilt scheduler; what it still asks for follows behind it."""

    generation: int
    tasks: tuple[HeldTask, ...]
    held: tuple[WorkflowId, ...] = ()
    """Workflows that are paused."""
    all_held: bool = False
    """The whole engine is paused."""
    drained: tuple[AgentName, ...] = ()
    """Agents that get no new work."""
    limits: Mapping[WorkflowId, int] | None = None
    """``max_concurrent`` by workflow; None: as the definitions say that it was built with."""


@frozen
class ReportWork:
    """To an agent: the scheduler knows nothing any more. Answer with ``WorkReport``."""

    generation: int


@frozen
class RunningWork:
    """The attempt that an agent runs."""

    job: Job
    since: Instant
    """When the agent got it, this time."""
    stopping: StopReason | None = None
    suspending: bool = False
    stuck: bool = False
    """It does not stop, and the scheduler has not said yet to go on without it."""
    note: Note | None = None
    """What it said last, if that is not known to be recorded."""
    note_number: int = 0


@frozen
class AsideWork:
    """An attempt that an agent left to itself, and under which incarnation it was begun."""

    job: Job
    incarnation: int
    reason: StopReason | None = None


@frozen
class AttemptEnded:
    """The action of this attempt is gone, and this is how it ended."""

    agent: AgentName
    incarnation: int
    attempt: AttemptId
    outcome: Outcome
    reason: StopReason | None = None


@frozen
class AttemptSuspended:
    """The attempt stands still where it was, and its agent is free."""

    agent: AgentName
    incarnation: int
    attempt: AttemptId


@frozen
class WorkReport:
    """All that an agent has of attempts; what it reported last comes again, for it may have been lost."""

    agent: AgentName
    generation: int
    incarnation: int
    """Under which it reports; while it still ends what a crash of it left behind, the old one."""
    present: bool = True
    """Fit for work, or at it; false until it has ended what a crash of it left behind, or for good."""
    runs: RunningWork | None = None
    aside: tuple[AsideWork, ...] = ()
    ending: tuple[tuple[AttemptId, StopReason], ...] = ()
    """Suspended attempts that it was told to kill."""
    last: AttemptEnded | AttemptSuspended | None = None
    """How the last attempt left it that had it for itself."""
    ends: tuple[AttemptEnded, ...] = ()
    """Ends of others that the scheduler has not confirmed."""


# --- the router ----------------------------------------------------------------------------------


@frozen
class RouterRestarted:
    """To the keeper: the router knows nothing any more. Answer with ``RouterRestored``."""

    generation: int


@frozen
class IntakeChanged:
    """To the router: how it takes events in from now on."""

    mergeable: frozenset[str]
    """Types whose events merge into the newest of their entity."""
    max_waiting: int
    """So many events may wait at the router."""


@frozen
class RouterRestored:
    """The keeper's snapshot for a rebuilt router."""

    generation: int
    priorities: Mapping[EntityId, Priority]
    """Of all entities whose priority is not the default."""
    derived: tuple[Event, ...]
    """Derived events that have not come back yet, in order, each with its id."""
    intake: IntakeChanged | None = None
    """None: as the definitions say that it was built with."""


# --- an agent ------------------------------------------------------------------------------------


@frozen
class AgentDied:
    """The last act of an agent's incarnation: nothing it had begun runs any more, or is set aside.

    ``in_hand`` names the message it died of. ``final``: it crashed too often and is taken out.
    """

    agent: AgentName
    incarnation: int
    error: ErrorInfo
    in_hand: str = ""
    final: bool = False


@frozen
class EndTaken:
    """To an agent: the end of this attempt, which had no agent any more, is taken in."""

    attempt: AttemptId
