"""Dependencies: any graph without cycles, and every cycle named."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from actors.reading.graph import MAX_CYCLES, cycles, dependants
from tests.definitions.conftest import Faults

Graph = list[list[int]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to eight places, each waiting for any of them."""
    count = draw(st.integers(1, 8))
    return [draw(st.lists(st.integers(0, count - 1), unique=True, max_size=3)) for _ in range(count)]


def has_cycle(graph: Graph) -> bool:
    """Take away what waits for nothing until nothing changes; what is left is in a cycle or behind one."""
    left = set(range(len(graph)))
    while free := {place for place in left if not left & set(graph[place])}:
        left -= free
    return bool(left)


def test_a_cycle_is_named_from_the_task_that_comes_first(faults: Faults) -> None:
    text = """
    id: w
    tasks:
      - {id: a, run: [x], depends_on: [c]}
      - {id: b, run: [x], depends_on: [a]}
      - {id: c, run: [x], depends_on: [b]}
      - {id: d, run: [x], depends_on: [c]}
      - {id: self, run: [x], depends_on: [self]}
    """

    assert faults(text) == [
        "w.yaml:3:35: tasks[0].depends_on: waits for itself: a → c → b → a",
        "w.yaml:7:38: tasks[4].depends_on: waits for itself: self → self",
    ]


def test_a_long_cycle_is_shown_by_its_ends(faults: Faults) -> None:
    rows = [f"  - {{id: t{number}, run: [x], depends_on: [t{(number + 1) % 500}]}}" for number in range(500)]

    found = faults("\n".join(["id: w", "tasks:", *rows]))

    assert len(found) == 1
    assert found[0].endswith("waits for itself: t0 → t1 → t2 → t3 → t4 → t5 → t6 → t7 → t8 → t9 → … → t0")


def test_a_task_named_twice_among_the_dependencies_is_refused(faults: Faults) -> None:
    text = "{id: w, tasks: [{id: a, run: [x]}, {id: b, run: [x], depends_on: [a, a]}]}"

    assert faults(text) == ["w.yaml:1:70: tasks[1].depends_on: 'a' is named twice"]


@given(graphs())
def test_a_cycle_is_found_exactly_if_there_is_one(graph: Graph) -> None:
    assert bool(list(cycles(graph))) == has_cycle(graph)


@given(graphs())
def test_a_cycle_follows_the_dependencies_and_shares_no_place_with_another(graph: Graph) -> None:
    found = list(cycles(graph))

    for cycle in found:
        assert cycle[0] == cycle[-1] == min(cycle)
        assert all(after in graph[before] for before, after in itertools.pairwise(cycle))
    places = [place for cycle in found for place in cycle[1:]]
    assert len(places) == len(set(places))


@given(graphs())
def test_every_other_cycle_goes_through_one_that_was_found(graph: Graph) -> None:
    inside = {place for cycle in cycles(graph) for place in cycle}

    rest = [
        [other for other in needed if other not in inside] if place not in inside else []
        for place, needed in enumerate(graph)
    ]

    assert len(graph) <= MAX_CYCLES
    assert not has_cycle(rest)


@given(graphs())
def test_dependants_are_the_dependencies_turned_round(graph: Graph) -> None:
    turned = dependants(graph)

    assert {(a, b) for a, needed in enumerate(graph) for b in needed} == {
        (a, b) for b, waiting in enumerate(turned) for a in waiting
    }
    assert all(list(waiting) == sorted(waiting) for waiting in turned)
