"""Messages to an agent: the scheduler's orders, a runner's reports, its timers."""

from __future__ import annotations

from typing import TypeAlias

from actors.frozen import frozen
from actors.messages.rebuilding import EndTaken, ReportWork
from actors.messages.shared import Inspect, Note, NoteTaken, ReadStats
from actors.model import AttemptId, Instant, Job, Millis, Outcome, StopReason


@frozen
class RunAttempt:
    """Run it now. Refused, as not begun, unless the agent is idle and of this incarnation."""

    job: Job
    incarnation: int


@frozen
class CancelAttempt:
    """Stop this attempt if the agent still runs it; otherwise do nothing."""

    attempt: AttemptId
    reason: StopReason
    grace: Millis


@frozen
class SuspendAttempt:
    """Suspend this attempt if the agent still runs it; otherwise do nothing."""

    attempt: AttemptId


@frozen
class ResumeAttempt:
    """Go on with a suspended attempt, here. ``paused`` is how long it has stood still in all, in ns."""

    job: Job
    incarnation: int
    paused: int


@frozen
class EndSuspended:
    """Kill a suspended attempt; report its end."""

    attempt: AttemptId
    reason: StopReason


@frozen
class SetAside:
    """Leave the stuck attempt to itself and come back free, as the next incarnation."""

    attempt: AttemptId


@frozen
class ActionEnded:
    """From a runner: nothing of the attempt runs any more, and this is how it ended."""

    attempt: AttemptId
    outcome: Outcome


@frozen
class ActionSuspended:
    """From a runner: the attempt is stopped where it was, and alive."""

    attempt: AttemptId


@frozen
class ActionNoted:
    """From a runner: what the action said since the last note."""

    attempt: AttemptId
    note: Note


@frozen
class ActionProbed:
    """When the action's first line ran, asked for when its timeout came up; None: not yet."""

    attempt: AttemptId
    began: Instant | None


@frozen
class TimeoutDue:
    """Timer: what runs may have used up its time."""


@frozen
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
    | ReportWork
    | EndTaken
    | ReadStats
    | Inspect
)
