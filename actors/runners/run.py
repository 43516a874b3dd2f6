"""One attempt on its worker, as the engine knows it."""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace
from enum import Enum, auto

from actors.model import ErrorInfo, Instant, Job, Outcome, OutcomeKind
from actors.ports import Report
from actors.runners.board import Reading
from actors.runners.hand import Ended, Hand
from actors.runners.limits import cpu_text, hint

_NICE = (0, 5, 10)
"""By priority; the last for all that are less important."""


class Phase(Enum):
    RUNNING = auto()
    SUSPENDING = auto()
    """SIGSTOP is sent, and may still be on its way."""
    SUSPENDED = auto()


@dataclass(slots=True)
class Run:
    """One attempt on its worker."""

    job: Job
    report: Report
    hand: Hand
    reading: Reading
    turn: int
    started: Instant
    phase: Phase = Phase.RUNNING
    credit: bool = True
    called: bool = False
    """The worker has announced a note that was not asked for yet."""
    told: bool = False
    killed: bool = False
    suspended_at: Instant = 0
    paused_ns: int = 0
    outcome: Outcome | None = None
    """How it ended, when that is not reported yet."""
    over: bool = False
    """Nothing of it runs any more; only the report is due."""

    def began(self, now: Instant) -> Instant | None:
        """When the action's first line ran; None if not yet, or if the worker says what cannot be."""
        return self._possible(self.hand.began(), now)

    def said(self, outcome: Outcome, now: Instant) -> Outcome:
        """The outcome as the worker says it, its times only if they can be."""
        ended = self._possible(outcome.ended, now) or now
        return replace(outcome, began=self._possible(outcome.began, ended), ended=ended)

    def _possible(self, instant: Instant | None, latest: Instant) -> Instant | None:
        return instant if instant is not None and self.started <= instant <= latest else None

    def death(self, ended: Ended, now: Instant) -> Outcome:
        """The outcome of an attempt whose worker died under it."""
        began = self.began(now)
        if self.killed:
            return Outcome(OutcomeKind.STOPPED, began=began, ended=now, killed=True)
        limits = self.job.task.limits
        if limits is not None and limits.cpu_s is not None and ended.signal == signal.SIGXCPU:
            return Outcome(OutcomeKind.FAILED, error=ErrorInfo("CpuLimit", cpu_text(limits)), began=began, ended=now)
        error = ErrorInfo("WorkerLost", f"{ended}{hint(limits)}")
        return Outcome(OutcomeKind.LOST, error=error, began=began, ended=now)


def nice_for(priority: int) -> int:
    """How nice a worker for that priority is: 0 for the most important, then 5, then 10."""
    return _NICE[min(max(priority, 0), len(_NICE) - 1)]
