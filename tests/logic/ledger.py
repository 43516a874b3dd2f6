"""What an agent's shell knows of attempts from the effects it performed, whatever its logic has forgotten.

Kept outside the logic, so that a rebuilt one can be told what its forerunner began.
"""

from __future__ import annotations

from dataclasses import replace

from actors.effects import Abandon, Effect, Resume, Send, Start
from actors.logic.reaping import Orphan
from actors.messages import AttemptEnded, AttemptSuspended, EndTaken
from actors.model import AttemptId


class Ledger:
    """The attempts that began on one agent and are not over there; and what was reported last."""

    def __init__(self) -> None:
        self._began: dict[AttemptId, Orphan] = {}
        self.last: AttemptEnded | AttemptSuspended | None = None
        """The newest report that took an attempt from the agent."""
        self._ends: dict[AttemptId, AttemptEnded] = {}

    @property
    def orphans(self) -> tuple[Orphan, ...]:
        return tuple(self._began.values())

    @property
    def ends(self) -> tuple[AttemptEnded, ...]:
        """Reported ends of attempts that had no agent any more, not confirmed yet."""
        return tuple(self._ends.values())

    def performed(self, effect: Effect, incarnation: int) -> None:
        """Call it for each effect that was performed, with the logic's incarnation."""
        match effect:
            case Start(job) | Resume(job):
                self._began[job.attempt] = Orphan(job.attempt, job, incarnation)
                self.last = None
            case Abandon(attempt):
                orphan = self._began.get(attempt)
                if orphan is not None:
                    self._began[attempt] = replace(orphan, aside=True)
            case Send(_, AttemptEnded() as report):
                orphan = self._began.pop(report.attempt, None)
                if orphan is None or orphan.aside:
                    self._ends[report.attempt] = report
                else:
                    self.last = report
            case Send(_, AttemptSuspended() as report):
                self._began.pop(report.attempt, None)
                self.last = report
            case _:
                pass

    def confirmed(self, message: EndTaken) -> None:
        """Call it when the agent takes this message."""
        self._ends.pop(message.attempt, None)
