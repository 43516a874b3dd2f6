"""Events, the state table and bad input, against a real engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors import Event, Overloaded, RequestError
from actors.errors import NotFoundError, RefusedError
from actors.model import OnUnknownEntity, Settings
from actors.views import ChangeType
from tests.engine.conftest import BOUND_S, Watched, one_task


def held(tmp_path: Path, **fields: Any) -> dict[str, Any]:
    """A workflow whose task runs until ``go`` appears."""
    return one_task("wait_for_file", params={"file": str(tmp_path / "go")}, isolation="thread") | fields


def test_an_event_of_the_same_id_is_answered_with_the_first_ones_receipt(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread")).engine

    first = engine.publish(Event("DATA_READY", "X", id="e1"))
    engine.wait(first, BOUND_S)
    second = engine.publish(Event("DATA_READY", "X", id="e1"))

    assert second.duplicate
    assert second.instances == first.instances
    engine.wait_idle(BOUND_S)
    assert len(engine.instances()) == 1


def test_events_for_what_runs_run_once_more_with_the_newest_data(start: Callable[..., Watched], tmp_path: Path) -> None:
    watched = start(held(tmp_path))
    first = watched.engine.publish(Event("DATA_READY", "X", data=0))
    watched.until(ChangeType.TASK_STARTED)

    later = [watched.engine.publish(Event("DATA_READY", "X", data=number)) for number in range(1, 6)]
    (tmp_path / "go").touch()
    last = watched.engine.wait(later[-1], BOUND_S)

    assert last is not None
    assert last.merged == 5
    assert {receipt.instances for receipt in later} == {(last.id,)}
    assert first.instances != (last.id,)
    watched.engine.wait_idle(BOUND_S)
    assert len(watched.engine.instances()) == 2
    assert watched.engine.entity("X").data == 5


def test_where_each_event_counts_they_run_one_after_the_other_in_order(
    start: Callable[..., Watched], tmp_path: Path
) -> None:
    watched = start(held(tmp_path, coalesce="all"))

    receipts = watched.engine.publish_many([Event("DATA_READY", "X", data=number) for number in range(4)])
    (tmp_path / "go").touch()
    watched.engine.wait_idle(BOUND_S)

    assert len({receipt.instances for receipt in receipts}) == 4
    ended = watched.until(ChangeType.INSTANCE_ENDED, 4)
    assert [(change.instance_id,) for change in ended] == [receipt.instances for receipt in receipts]


def test_a_full_line_of_events_that_each_count_rejects_the_next_whole(
    start: Callable[..., Watched], tmp_path: Path
) -> None:
    watched = start(held(tmp_path, coalesce="all"), settings=Settings(max_lined_up=2))
    watched.engine.publish_many([Event("DATA_READY", "X", data=number) for number in range(3)])

    with pytest.raises(RefusedError, match="2 events of X wait for flow already"):
        watched.engine.publish(Event("DATA_READY", "X", data="one too many"))

    assert watched.engine.entity("X").data == 2
    (letter,) = watched.engine.dead_letters()
    assert letter["data"] == "one too many"
    (tmp_path / "go").touch()
    watched.engine.wait_idle(BOUND_S)


def test_an_event_past_its_time_never_runs(start: Callable[..., Watched], tmp_path: Path) -> None:
    watched = start(held(tmp_path), agents=1)
    watched.engine.publish(Event("DATA_READY", "A"))
    watched.until(ChangeType.TASK_STARTED)

    receipt = watched.engine.publish(Event("DATA_READY", "B", valid_for_ms=20))
    run = watched.engine.wait(receipt, BOUND_S)

    assert run is not None
    assert run.status == "expired"
    assert run.tasks[0].attempts == ()
    watched.until(ChangeType.EVENT_EXPIRED, entity_id="B")
    (tmp_path / "go").touch()
    watched.engine.wait_idle(BOUND_S)


def test_an_overloaded_engine_says_how_many_it_accepted_and_loses_none_of_them(
    start: Callable[..., Watched],
) -> None:
    engine = start(one_task("quick", isolation="thread"), settings=Settings(max_waiting_events=10)).engine
    events = [Event("DATA_READY", f"E{number}") for number in range(200)]

    with pytest.raises(Overloaded) as refused:
        engine.publish_many(events)

    accepted = refused.value.accepted
    assert accepted == 10
    assert refused.value.retry_after > 0
    engine.wait_idle(BOUND_S)
    assert len(engine.instances()) == accepted
    assert len(engine.publish_many(events[accepted : accepted + 10])) == 10
    engine.wait_idle(BOUND_S)


def test_an_unknown_entity_is_added_at_the_events_priority_or_rejected_as_told(start: Callable[..., Watched]) -> None:
    adds = start(one_task("quick", isolation="thread")).engine
    adds.publish(Event("DATA_READY", "X", priority=1))
    assert adds.entity("X").priority == 1

    rejects = start(
        {**one_task("quick", isolation="thread")}, settings=Settings(on_unknown_entity=OnUnknownEntity.REJECT)
    ).engine
    with pytest.raises(RefusedError, match="no entity 'X'; put it first"):
        rejects.publish(Event("DATA_READY", "X"))
    rejects.put_entity("X")
    assert rejects.publish(Event("DATA_READY", "X")).instances


BAD_EVENTS = [
    (Event("DATA_READ", "X"), "unknown event type 'DATA_READ'; did you mean 'DATA_READY'"),
    (Event("TASK_COMPLETED", "X"), "published by the engine alone"),
    (Event("DATA_READY", "X", priority=-1), "priority is a whole number"),
    (Event("DATA_READY", "X", priority=1.5), "priority is a whole number"),  # type: ignore[arg-type]
    (Event("DATA_READY", "X", priority=True), "priority is a whole number"),
    (Event("DATA_READY", ""), "entity's id"),
    (Event("DATA_READY", "a/b"), "entity's id"),
    (Event("DATA_READY", 1), "entity's id"),  # type: ignore[arg-type]
    (Event("DATA_READY", "X", data={1, 2}), "data"),
    (Event("DATA_READY", "X", data=math.nan), "data"),
    (Event("DATA_READY", "X", data="x" * 2_000_000), "bytes"),
    (Event("DATA_READY", "X", valid_for_ms=-5), "valid_for_ms"),
    (Event("DATA_READY", "X", id=""), "id"),
    ("DATA_READY", "takes an Event"),
]


@pytest.mark.parametrize(("event", "said"), BAD_EVENTS, ids=[said[:30] for _, said in BAD_EVENTS])
def test_a_bad_event_is_refused_in_a_sentence_and_nothing_is_lost(
    start: Callable[..., Watched], event: Any, said: str
) -> None:
    engine = start(one_task("quick", isolation="thread")).engine

    with pytest.raises(RequestError, match=said):
        engine.publish_many([Event("DATA_READY", "Y"), event])

    assert engine.entities() == (), "all are checked before the first is published"
    assert engine.wait(engine.publish(Event("DATA_READY", "Y")), BOUND_S) is not None


def test_bad_requests_name_the_thing_and_the_cure(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread")).engine
    calls: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: engine.put_entity("X", prority=1), RequestError, "did you mean 'priority'"),
        (lambda: engine.put_entity("X", priority=-1), RequestError, "priority"),
        (lambda: engine.put_entity("X", status="penting"), RequestError, "did you mean 'pending'"),
        (lambda: engine.put_entity("X", data=object()), RequestError, "data"),
        (lambda: engine.entity("nobody"), NotFoundError, "no entity 'nobody'"),
        (lambda: engine.instance("nothing"), NotFoundError, "no instance 'nothing'"),
        (lambda: engine.wait("nothing", 1), NotFoundError, "no instance 'nothing'"),
        (lambda: engine.cancel("nothing"), NotFoundError, "nothing"),
        (lambda: engine.why("nothing"), NotFoundError, "nothing"),
        (lambda: engine.set_priority("nothing", 1), NotFoundError, "nothing"),
        (lambda: engine.set_priority("nothing", "high"), RequestError, "priority"),  # type: ignore[arg-type]
        (lambda: engine.resolve("nothing", "completed"), NotFoundError, "nothing"),
        (lambda: engine.instances(status="done"), RequestError, "status"),
    ]
    for call, error, said in calls:
        with pytest.raises(error, match=said):
            call()

    assert engine.wait(engine.publish(Event("DATA_READY", "Y")), BOUND_S) is not None


def test_a_store_it_does_not_know_is_refused_before_anything_starts() -> None:
    from actors import Engine

    engine = Engine(one_task("quick", isolation="thread"), actions={"quick": print}, store="postgre://x")
    with pytest.raises(RequestError, match="no store 'postgre'"):
        engine.start()
