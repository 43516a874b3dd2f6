"""Plans drawn from distributions.

A task's duration is drawn from the seed, the task and its instance's number alone, so that runs
that differ in something else (the number of agents) are compared on the same work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from actors.durations.laws import LONGEST_NS, Manner, TaskName
from actors.model import MAX_TASKS, Job
from actors.simulation import Plan

_MASK = (1 << 64) - 1


class Planner(Protocol):
    """Plans attempts, and is told of those that failed."""

    def plan(self, job: Job, restored: int) -> Plan: ...

    def failed(self, task_id: str) -> None: ...


class Drawn:
    """Plans from a manner for each task."""

    def __init__(self, manners: Mapping[TaskName, Manner], seed: int) -> None:
        self._manners = manners
        self._salt = _mix(seed & _MASK)

    def plan(self, job: Job, restored: int) -> Plan:  # noqa: ARG002 - the simulation's planner has this face
        manner = self._manners[job.workflow, job.task.id]
        takes = min(LONGEST_NS, round(manner.law.draw(self._share(job.attempt.task))))
        return Plan(takes, hears_after=manner.hears_after, keeps_work=manner.keeps_work)

    def failed(self, task_id: str) -> None:
        """No drawn task fails."""

    def _share(self, task: int) -> float:
        """Between 0 and 1, both excluded; the same for every attempt of a task."""
        instance, place = divmod(task, MAX_TASKS)
        return (_mix(self._salt ^ _mix(instance * MAX_TASKS + place)) >> 11 | 1) / (1 << 53)


def _mix(number: int) -> int:
    """One step of SplitMix64 (Steele, Lea and Flood 2014): 64 bits that look like chance."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)
