"""What a crashed agent left behind, and how its next incarnation gets rid of it.

Nothing that an older incarnation began may go on unseen: each such attempt is told to stop,
killed after its grace, or set aside by the scheduler's leave. Only then does the agent tell
of its death, and come back free.
"""

from __future__ import annotations

from collections.abc import Iterable

from actors.effects import SCHEDULER, Effect, Interrupt, Kill, Send, SetTimer
from actors.frozen import frozen
from actors.messages import AsideWork, AttemptEnded, AttemptStuck, GraceOver, RunningWork
from actors.model import (
    NS_PER_MS,
    AgentName,
    AttemptId,
    ErrorInfo,
    Instant,
    Isolation,
    Job,
    Outcome,
    OutcomeKind,
    StopReason,
)

KILLABLE = frozenset({Isolation.PROCESS, Isolation.COMMAND, Isolation.RAY})
"""Isolations whose attempts can be killed whatever they do; the others are set aside."""


@frozen
class Orphan:
    """An attempt that began on an agent which crashed, and whose end or suspension was not reported."""

    attempt: AttemptId
    job: Job | None
    """None for one that had been suspended, and was to be killed."""
    incarnation: int
    """The agent's, when it began."""
    aside: bool = False
    """It had been set aside before the crash, and stays so."""


@frozen
class Death:
    """Of what an agent's incarnation died; ``final``: it does not come back."""

    error: ErrorInfo
    in_hand: str = ""
    final: bool = False


class Reaping:
    """The attempts that an older incarnation left running; falsy when there are none left."""

    def __init__(self, name: AgentName, orphans: Iterable[AsideWork], death: Death) -> None:
        self._name = name
        self._death = death
        self._left = {orphan.job.attempt: orphan for orphan in orphans}
        self._reasons: dict[AttemptId, StopReason] = {}
        self._stuck: set[AttemptId] = set()
        self._began: Instant = 0

    def __bool__(self) -> bool:
        return bool(self._left)

    def __contains__(self, attempt: AttemptId) -> bool:
        return attempt in self._left

    def begin(self, now: Instant) -> list[Effect]:
        """Tell each to stop, and give it its grace."""
        self._began = now
        effects: list[Effect] = []
        for attempt, orphan in self._left.items():
            # What follows is another attempt, as after a shutdown: that is what its action may prepare for.
            effects.append(Interrupt(attempt, StopReason.SHUTDOWN))
            due = now + orphan.job.task.grace_ms * NS_PER_MS
            effects.append(SetTimer(("grace", attempt), due, GraceOver(attempt)))
        return effects

    def cancelled(self, attempt: AttemptId, reason: StopReason) -> None:
        """The scheduler, which does not know yet, wants it stopped: it is being stopped, and now we know why."""
        self._reasons[attempt] = reason

    def grace_over(self, attempt: AttemptId) -> list[Effect]:
        """It had its grace: kill it, or ask to go on without it."""
        orphan = self._left[attempt]
        if orphan.job.task.isolation in KILLABLE:
            return [Kill(attempt)]
        self._stuck.add(attempt)
        return [Send(SCHEDULER, AttemptStuck(self._name, orphan.incarnation, attempt))]

    def drop(self, attempt: AttemptId) -> tuple[AsideWork, StopReason | None]:
        """It is no longer to be waited for: it has ended, or was set aside."""
        return self._left.pop(attempt), self._reasons.pop(attempt, None)

    def ended(self, attempt: AttemptId, outcome: Outcome) -> AttemptEnded:
        """A completion is a completion; what only stopped because we crashed was lost by us."""
        orphan, reason = self.drop(attempt)
        if outcome.kind is OutcomeKind.STOPPED:
            outcome = Outcome(
                OutcomeKind.LOST, error=self._death.error, checkpoint=outcome.checkpoint, began=outcome.began,
                ended=outcome.ended, killed=outcome.killed, saved=outcome.saved,
            )  # fmt: skip
        return AttemptEnded(self._name, orphan.incarnation, attempt, outcome, reason)

    def work(self) -> tuple[int, RunningWork]:
        """What the agent still has, for a scheduler that asks, and under which incarnation."""
        attempt, orphan = next(iter(self._left.items()))
        stopping = self._reasons.get(attempt, StopReason.SHUTDOWN)
        stuck = attempt in self._stuck
        return orphan.incarnation, RunningWork(orphan.job, self._began, stopping, stuck=stuck)
