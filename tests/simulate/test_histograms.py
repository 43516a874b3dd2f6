"""Quantiles in bounded memory: exact while they can be, close afterwards."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from actors.simulate.histograms import EXACT, Histogram


def filled(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


def test_a_few_values_are_kept_as_they_are() -> None:
    histogram = filled([50, 10, 40, 20, 30])

    assert (histogram.count, histogram.mean, histogram.max) == (5, 30, 50)
    assert list(histogram.quantiles(0.0, 0.5, 0.95, 1.0)) == [10, 30, 50, 50]


def test_none_has_none() -> None:
    assert (Histogram().mean, list(Histogram().quantiles(0.5))) == (0.0, [0.0])


def test_many_are_counted_and_their_quantiles_are_off_by_a_thousandth_at_most() -> None:
    chance = random.Random(7)
    values = [0] * 100 + [int(chance.lognormvariate(18, 2)) for _ in range(5 * EXACT)]
    chance.shuffle(values)
    histogram = filled(values)

    ordered = sorted(values)
    shares = (0.001, 0.1, 0.5, 0.9, 0.95, 0.99, 0.9999)
    wanted = [ordered[int(len(ordered) * share)] for share in shares]
    assert list(histogram.quantiles(*shares)) == pytest.approx(wanted, rel=0.001)
    assert histogram.count == len(values)
    assert histogram.mean == pytest.approx(sum(values) / len(values))
    assert histogram.max == ordered[-1]


def test_its_memory_does_not_grow_with_their_number() -> None:
    chance = random.Random(7)
    histogram = filled([int(chance.expovariate(1e-8)) for _ in range(2 * EXACT)])

    tracemalloc.start()
    try:
        for _ in range(50_000):
            histogram.add(int(chance.expovariate(1e-8)))
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 1_000_000  # The values themselves would be twice that.
