"""Distributions of durations, each by its quantiles, and how a task behaves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

TaskName = tuple[str, str]
"""The workflow's id and the task's."""
LONGEST_NS = 366 * 24 * 3600 * 1_000_000_000
_NORMAL = NormalDist()


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
