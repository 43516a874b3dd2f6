"""A store's records a page at a time: newest first by key, filtered, each once, and bounded work in each call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.model import InstanceKey, InstanceStatus, Settings
from actors.ports import Store
from actors.stores import memory
from actors.stores.memory import MemoryStore
from actors.stores.opening import open_store
from actors.views import Record

STATUSES = [InstanceStatus.COMPLETED, InstanceStatus.FAILED]


def record(key: int, workflow: str = "flow", entity: str = "a", status: str = "completed") -> Record:
    """As much of a record as a store looks at."""
    return (
        f"{workflow}_{entity}_{key}",
        key,
        workflow,
        entity,
        str(status),
        2,
        0,
        1,
        1,
        0,
        None,
        (),
        None,
        None,
        None,
        None,
    )


def pages(store: Store, limit: int, **wanted: Any) -> Iterator[Sequence[Record]]:
    below: InstanceKey | None = None
    while below != 0:
        page, floor = store.older(below, limit=limit, **wanted)
        assert len(page) <= limit
        assert below is None or floor < below
        yield page
        below = InstanceKey(floor)


@pytest.fixture(params=["memory"])
def opened(request: pytest.FixtureRequest) -> Iterator[Callable[[int], Store]]:
    stores: list[Store] = []

    def make(max_finished: int) -> Store:
        stores.append(open_store(request.param, Settings(max_finished=max_finished)))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@given(
    keys=st.lists(st.integers(1, 2_000), unique=True, max_size=60),
    kept=st.integers(1, 40),
    limit=st.integers(1, 9),
    seed=st.randoms(use_true_random=False),
)
def test_pages_have_every_record_that_is_wanted_once_and_newest_first(
    keys: list[int], kept: int, limit: int, seed: Any
) -> None:
    store = MemoryStore("id", max_finished=kept)
    made = [record(key, seed.choice("xy"), seed.choice("ab"), seed.choice(STATUSES)) for key in keys]
    for each in made:
        store.commit([each])
    left = sorted(made[-kept:], key=lambda each: -each[1])

    for status in (None, *STATUSES):
        for workflow in (None, "x"):
            for entity in (None, "a"):
                wanted = {"status": status, "workflow": workflow, "entity": entity}
                shown = [each for page in pages(store, limit, **wanted) for each in page]
                assert shown == [
                    each
                    for each in left
                    if workflow in (None, each[2]) and entity in (None, each[3]) and status in (None, each[4])
                ]
    assert [store.get(each[0]) for each in made[-kept:]] == made[-kept:]
    assert not any(store.get(each[0]) for each in made[:-kept])
    assert list(store.newest(status=None, workflow="x", limit=5)) == [each for each in left if each[2] == "x"][:5]


def test_what_is_added_and_forgotten_between_pages_moves_nothing_else(opened: Callable[[int], Store]) -> None:
    store = opened(10)
    store.commit([record(key) for key in range(1, 11)])
    first, floor = store.older(None, limit=4)

    store.commit([record(key) for key in range(11, 14)])
    second, floor = store.older(InstanceKey(floor), limit=4)
    third, floor = store.older(InstanceKey(floor), limit=4)

    assert [each[1] for each in (*first, *second, *third)] == [10, 9, 8, 7, 6, 5, 4]
    assert floor == 0


def test_a_record_that_is_saved_twice_is_one(opened: Callable[[int], Store]) -> None:
    store = opened(3)
    store.commit([record(1), record(2)])

    store.commit([record(1), record(2), record(3), record(4)])

    assert [each[1] for each in store.newest(status=None, workflow=None, limit=9)] == [4, 3, 2]


def test_a_call_that_finds_little_looks_at_a_bounded_number_and_says_where_to_go_on(
    opened: Callable[[int], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "LOOKED_AT", 1_000)
    store = opened(10_000)
    few = range(7, 6_000, 100)
    store.commit([record(key, entity="rare" if key in few else "a") for key in range(1, 10_001)])

    found, floor = store.older(None, entity="rare", limit=5)
    all_found = [each for page in pages(store, 5, entity="rare") for each in page]

    assert found == []
    assert 8_000 < floor < 9_001
    assert [each[1] for each in all_found] == list(reversed(few))


def test_a_hundred_of_a_hundred_thousand_are_found_at_once(opened: Callable[[int], Store]) -> None:
    store = opened(100_000)
    store.commit([record(key, entity=f"{key % 1000:06}") for key in range(1, 100_001)])
    unpacked = 0

    began = time.perf_counter()
    for wanted in ({}, {"status": InstanceStatus.COMPLETED}, {"workflow": "flow"}, {"entity": "000500"}):
        page, _ = store.older(None, limit=100, **wanted)
        unpacked += len(page)

    assert unpacked == 3 * 100 + 20  # Of the entity, those among the first that are looked at.
    assert time.perf_counter() - began < 1.0
