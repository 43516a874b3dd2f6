"""Quantiles of any number of durations in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator

EXACT = 10_000
"""So many values are kept as they are; more are counted in buckets."""
RELATIVE = 0.001
"""A bucket's width: quantiles are off by at most half of that, a twentieth of a percent."""
_STEP = math.log1p(RELATIVE)


class Histogram:
    """Durations in ns. Count, mean and maximum are exact; quantiles are, up to ``EXACT`` values."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0
        self.max = 0
        self._values: list[int] = []
        self._buckets: dict[int, int] = {}

    def add(self, ns: int) -> None:
        self.count += 1
        self.total += ns
        self.max = max(self.max, ns)
        if self.count <= EXACT:
            self._values.append(ns)
            return
        if self._values:
            for value in self._values:
                self._into_bucket(value)
            self._values = []
        self._into_bucket(ns)

    def _into_bucket(self, ns: int) -> None:
        place = int(math.log(ns) / _STEP) if ns > 0 else -1
        self._buckets[place] = self._buckets.get(place, 0) + 1

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    def quantiles(self, *shares: float) -> Iterator[float]:
        """Yield for each share, in rising order, the value it lies at; the higher of two neighbours."""
        if self.count <= EXACT:
            ordered = sorted(self._values)
            for share in shares:
                yield ordered[min(self.count - 1, int(self.count * share))] if ordered else 0.0
            return
        places = iter(sorted(self._buckets.items()))
        place, passed = next(places)
        passed_before = 0
        for share in shares:
            rank = min(self.count - 1, int(self.count * share))
            while passed_before + passed <= rank:
                passed_before += passed
                place, passed = next(places)
            yield min(self.max, math.exp((place + 0.5) * _STEP)) if place >= 0 else 0.0
