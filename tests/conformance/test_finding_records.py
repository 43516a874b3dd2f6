"""What a store must find of ended instances: by an instance's id, by a task's, and who retried whom."""

from __future__ import annotations

import itertools
import marshal
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from actors.model import EventType, Settings
from actors.ports import Store
from actors.stores import memory
from actors.stores.opening import open_store
from actors.views import Record

KEYS = itertools.count(1)


def record(workflow: str, end: str, *tasks: str, event: Any = None) -> Record:
    """As much of a record as a store looks at."""
    rows = tuple([(f"{task}{end}", task, "action", "completed") for task in tasks])
    start = (f"{workflow}{end}", next(KEYS), workflow, "a", "completed", 2, 0, 1, 1, 0, None)
    return (*start, rows, event, None, None, None)


@pytest.fixture(params=["memory"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    opened = open_store(request.param, Settings(max_finished=3))
    yield opened
    opened.close()


def ids(*records: Record | None) -> list[str | None]:
    return [None if one is None else one[0] for one in records]


def test_an_instance_is_found_by_its_own_id_and_by_any_of_its_tasks(store: Store) -> None:
    store.commit([record("flow", "_a_100_2", "x", "x_y"), record("other", "_a_100_2", "z")])

    found = [store.find(id) for id in ("flow_a_100_2", "x_a_100_2", "x_y_a_100_2", "z_a_100_2")]

    assert ids(*found) == ["flow_a_100_2", "flow_a_100_2", "flow_a_100_2", "other_a_100_2"]


def test_what_is_not_there_is_not_found_however_much_it_looks_like_something(store: Store) -> None:
    store.commit([record("flow", "_a_100", "x"), record("flow", "_y_b_200", "x_y")])

    found = [store.find(id) for id in ("x_a_101", "y_a_100", "x", "x_", "", "flow", "x_y_b_200", "x_y_y_b_200")]

    assert ids(*found) == [*[None] * 7, "flow_y_b_200"]


def test_tasks_are_found_of_every_version_of_a_workflow_that_has_ended_instances(store: Store) -> None:
    store.commit([record("flow", "_a_100", "old")])
    store.commit([record("flow", "_a_200", "new")])

    assert ids(store.find("old_a_100"), store.find("new_a_200")) == ["flow_a_100", "flow_a_200"]
    assert ids(store.find("old_a_200"), store.find("new_a_100")) == [None, None]


def test_a_task_is_found_without_looking_at_any_other_record(monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store("memory", Settings(max_finished=1000))
    store.commit([record("flow", f"_e{n}_100", "x") for n in range(1000)])
    looked: list[bytes] = []

    def loads(packed: bytes) -> Any:
        looked.append(packed)
        return marshal.loads(packed)

    monkeypatch.setattr(memory, "_unpack", loads)

    assert ids(store.find("x_e500_100")) == ["flow_e500_100"]
    assert len(looked) == 1


def test_the_newest_retry_of_a_record_is_its_last_field_and_it_keeps_its_place(store: Store) -> None:
    store.commit([record("flow", f"_{name}_1", "x") for name in "ab"])

    store.commit([record("flow", "_c_1", "x")], [("flow_a_1", "flow_a_2")])
    store.commit((), [("flow_a_1", "flow_a_3"), ("flow_gone_1", "flow_gone_2")])

    shown: Sequence[Record] = store.newest(status=None, workflow=None, limit=9)
    assert ids(*shown) == ["flow_c_1", "flow_b_1", "flow_a_1"]
    assert [one[-1] for one in shown] == [None, None, "flow_a_3"]
    assert store.get("flow_gone_1") is None


def test_an_event_of_subclasses_of_plain_types_is_kept_as_it_is(store: Store) -> None:
    event = (EventType.DATA_READY, None, {"kind": EventType.DATA_READY}, None, None, "id")

    store.commit([record("flow", "_a_1", "x", event=event)], [("flow_a_1", "flow_a_2")])

    (kept,) = store.newest(status=None, workflow="flow", limit=1)
    assert kept[12] == event
    assert kept[-1] == "flow_a_2"
