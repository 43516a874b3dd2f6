"""How long tasks take: distributions, and the plan of each attempt.

A task's duration is drawn from the seed, the task and its instance's number alone, so that runs
that differ in something else (the number of agents) are compared on the same work.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

from actors.model import MAX_TASKS, Job
from actors.simulation import Plan

TaskName = tuple[str, str]
"""The workflow's id and the task's."""
LONGEST_NS = 366 * 24 * 3600 * 1_000_000_000
_NORMAL = NormalDist()
_MASK = (1 << 64) - 1


class Law(Protocol):
    """A distribution of durations."""

    def draw(self, share: float) -> float:
        """The duration in ns below which this share of all is; the share lies between 0 and 1."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    ns: float

    def draw(self, share: float) -> float:  # noqa: ARG002 - every law has this face
        return self.ns


@dataclass(frozen=True, slots=True)
class Exponential:
    mean: float

    def draw(self, share: float) -> float:
        return -self.mean * math.log1p(-share)


@dataclass(frozen=True, slots=True)
class Uniform:
    low: float
    high: float

    def draw(self, share: float) -> float:
        return self.low + (self.high - self.low) * share


@dataclass(frozen=True, slots=True)
class Normal:
    """What would be below 0 is 0."""

    mean: float
    deviation: float

    def draw(self, share: float) -> float:
        return max(0.0, self.mean + self.deviation * _NORMAL.inv_cdf(share))


@dataclass(frozen=True, slots=True)
class Lognormal:
    """``sigma`` is the deviation of the logarithm."""

    median: float
    sigma: float

    def draw(self, share: float) -> float:
        return self.median * math.exp(min(700.0, self.sigma * _NORMAL.inv_cdf(share)))


@dataclass(frozen=True, slots=True)
class Empirical:
    """One of these, each as likely."""

    values: tuple[float, ...]

    def draw(self, share: float) -> float:
        return self.values[int(share * len(self.values))]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a task behaves."""

    law: Law
    keeps_work: bool = False
    """Cut, it continues where it was; otherwise it starts over."""
    hears_after: int | None = 0
    """Ns until it stops when it is told to; None: it does not."""


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
