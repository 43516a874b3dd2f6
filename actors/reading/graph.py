"""What tasks wait for, as a graph without cycles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

MAX_CYCLES = 10
"""Each costs a pass over the graph; who has more has enough to do with these."""


def cycles(depends_on: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Cycles that have no place in common, each from a place to itself: ``[0, 1, 0]``, 0 waiting for 1.

    Every other cycle goes through a place of one of these.
    """
    left: dict[int, Sequence[int]] = dict(enumerate(depends_on))
    for _ in range(MAX_CYCLES):
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            # graphlib names each before what waits for it; a reader follows depends_on, the other way.
            cycle: list[int] = list(reversed(error.args[1]))
            yield _from_first(cycle)
            inside = set(cycle)
            left = {
                place: [other for other in needed if other not in inside]
                for place, needed in left.items()
                if place not in inside
            }
        else:
            return


def dependants(depends_on: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """By place: the places of the tasks that wait for it, in rising order."""
    waiting: list[list[int]] = [[] for _ in depends_on]
    for place, needed in enumerate(depends_on):
        for other in needed:
            waiting[other].append(place)
    return tuple(tuple(places) for places in waiting)


def _from_first(cycle: Sequence[int]) -> list[int]:
    """The same cycle, begun at the place that comes first."""
    ring = cycle[:-1]
    start = ring.index(min(ring))
    return [*ring[start:], *ring[:start], ring[start]]
