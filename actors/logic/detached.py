"""Attempts that an agent began and does not run any more, and whose ends must still be reported from there.

They were set aside because they would not stop, or are killed while they stand still. Each end
is reported until the scheduler confirms it.
"""

from __future__ import annotations

from collections.abc import Iterable

from actors.effects import SCHEDULER, Effect, Send
from actors.messages import AsideWork, AttemptEnded
from actors.model import AgentName, AttemptId, Outcome, StopReason


class Detached:
    def __init__(self, name: AgentName, aside: Iterable[AsideWork], ends: Iterable[AttemptEnded]) -> None:
        """``aside`` and ``ends`` are what a crashed forerunner of the agent had."""
        self._name = name
        self._aside = {work.job.attempt: work for work in aside}
        self._ending: dict[AttemptId, StopReason] = {}
        self._ends = {report.attempt: report for report in ends}

    def __contains__(self, attempt: AttemptId) -> bool:
        """Whether it is set aside."""
        return attempt in self._aside

    def set_aside(self, work: AsideWork) -> None:
        self._aside[work.job.attempt] = work

    def ending(self, attempt: AttemptId, reason: StopReason) -> None:
        """It was suspended and is being killed."""
        self._ending[attempt] = reason

    def ended(self, attempt: AttemptId, outcome: Outcome, incarnation: int) -> list[Effect]:
        """Report its end, once; ``incarnation`` is the agent's present one."""
        if attempt in self._ends:
            return []
        ending = self._ending.get(attempt)
        aside = self._aside.get(attempt)
        if aside is not None:
            incarnation, ending = aside.incarnation, aside.reason
        # One that is neither was told to end before a crash: the scheduler still knows of it.
        report = AttemptEnded(self._name, incarnation, attempt, outcome, ending)
        self._ends[attempt] = report
        return [Send(SCHEDULER, report)]

    def confirmed(self, attempt: AttemptId) -> None:
        """The scheduler has heard of its end."""
        self._ends.pop(attempt, None)
        self._aside.pop(attempt, None)
        self._ending.pop(attempt, None)

    def work(self) -> tuple[tuple[AsideWork, ...], tuple[tuple[AttemptId, StopReason], ...], tuple[AttemptEnded, ...]]:
        """What is set aside, what is being killed, and reported ends, for a scheduler that asks."""
        return tuple(self._aside.values()), tuple(self._ending.items()), tuple(self._ends.values())
