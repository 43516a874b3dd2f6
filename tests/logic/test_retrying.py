"""An ended instance started once more by hand: the same event and params, linked to the old one both ways."""

from __future__ import annotations

import marshal
from typing import Any

import pytest

from actors.effects import KEEPER
from actors.errors import NotFoundError, RefusedError
from actors.logic.history import again
from actors.messages import ReadInstance, RunWorkflow
from actors.model import EntityId, Event, WorkflowId
from actors.views import InstanceView, Receipt
from tests.logic.worlds import World, chain, on_data, task, workflow


def retry(world: World, instance: InstanceView) -> InstanceView:
    """Retry it from its record; the new instance."""
    receipt: Receipt = world.ask(KEEPER, again(world.records[instance.id]))
    return next(one for one in world.instances() if one.id == receipt.instances[0])


def test_a_retry_acts_on_the_same_event_and_stands_for_as_many() -> None:
    world = World(on_data("quotes"), agents=1)
    world.publish("busy")
    world.publish("a", data=1, priority=0)
    world.publish("a", data=2, valid_for_ms=5, timestamp=17.0, id="mine")
    world.end("quotes@busy")
    world.fail("quotes@a")
    old = world.instance("a")

    retry(world, old)

    job = world.live("quotes@a").job
    assert job.event == old.event == Event("DATA_READY", "a", None, 2, 17.0, 5, "mine")
    assert job.merged == old.merged == 2


def test_a_retry_has_the_params_of_the_start_by_hand() -> None:
    world = World(workflow("study", task("x", params={"window": 5, "mode": "fast"})), agents=1)
    world.ask(KEEPER, RunWorkflow(WorkflowId("study"), EntityId("a"), {"window": 9}))
    world.end("x@a")

    retry(world, world.instance("a"))

    assert world.live("x@a").job.params == {"window": 9, "mode": "fast"}
    assert world.live("x@a").job.event is None


def test_old_and_new_are_linked_both_ways_and_the_newest_retry_is_told() -> None:
    world = World(workflow("study"), agents=1)
    world.run("study", "a")
    world.end("study@a")
    first = world.instance("a")
    second = retry(world, first)
    assert (first.retry_of, second.retry_of) == (None, first.id)
    assert world.instances("a")[0].retried_by == second.id
    world.finish_all()

    third = retry(world, first)
    world.finish_all()

    shown = {one.id: (one.retry_of, one.retried_by) for one in world.instances("a")}
    assert shown == {first.id: (None, third.id), second.id: (first.id, None), third.id: (first.id, None)}


def test_a_retry_runs_all_its_tasks_from_the_start() -> None:
    world = World(chain("step", 2), agents=1)
    world.run("step", "a")
    world.end("step1@a")
    world.fail("step2@a")

    retry(world, world.instance("a"))

    assert world.running() == ["step1@a"]
    world.finish_all()
    assert [str(one.status) for one in world.instances("a")] == ["failed", "completed"]
    assert world.entity("a").status == "completed"


def test_what_has_expired_or_was_cancelled_can_be_retried_and_its_time_is_over() -> None:
    world = World(on_data("quotes", valid_for_ms=10), agents=1)
    world.publish("busy")
    world.publish("late")
    world.pass_ms(11)
    world.publish("gone")
    world.cancel("gone")
    assert [str(world.instance(entity).status) for entity in ("late", "gone")] == ["expired", "cancelled"]

    for entity in ("late", "gone"):
        retry(world, world.instance(entity))
    world.pass_ms(100)
    world.finish_all()

    assert [str(one.status) for one in world.instances("late")] == ["expired", "completed"]
    assert [str(one.status) for one in world.instances("gone")] == ["cancelled", "completed"]


def test_no_event_merges_into_a_retry() -> None:
    world = World(on_data("quotes"), agents=1)
    world.publish("a", data=1)
    world.end("quotes@a")
    old = world.instance("a")
    world.publish("busy")
    new = retry(world, old)

    world.publish("a", data=2)
    world.finish_all()

    assert [one.event.data for one in world.instances("a") if one.event is not None] == [1, 1, 2]
    assert [one.merged for one in world.instances("a") if one.id == new.id] == [1]


def test_what_has_not_ended_cannot_be_retried() -> None:
    world = World(workflow("study"), agents=1)
    world.run("study", "a")
    world.end("study@a")
    ended = again(world.records[world.instance("a").id])
    live = retry(world, world.instance("a"))

    with pytest.raises(RefusedError, match="has not ended"):
        world.ask(KEEPER, type(ended)(live.id, ended.workflow, ended.entity))


def test_a_retry_of_a_workflow_that_is_not_defined_any_more_is_refused_by_name() -> None:
    world = World(workflow("study"), agents=1)
    world.run("study", "a")
    world.end("study@a")
    (record,) = world.records.values()

    with pytest.raises(NotFoundError, match=r"'gone'.*study"):
        world.ask(KEEPER, again((*record[:2], "gone", *record[3:])))


def test_a_retry_counts_in_its_line_as_every_start_by_hand_does() -> None:
    world = World(workflow("study"), agents=1, max_lined_up=1)
    world.run("study", "a")
    world.end("study@a")
    old = world.instance("a")
    retry(world, old)  # Runs.
    retry(world, old)  # Waits for its turn.

    with pytest.raises(RefusedError, match="1 instances of study wait for a already"):
        retry(world, old)


def test_an_unfinished_instance_is_found_by_its_own_id_and_by_its_tasks() -> None:
    world = World(workflow("study", task("x"), task("y")), agents=1)
    world.run("study", "a")
    one = world.instance("a")

    found: list[Any] = [world.ask(KEEPER, ReadInstance(id, by_task=True)) for id in (one.id, one.tasks[1].id)]

    assert [each.id for each in found] == [one.id, one.id]
    assert world.ask(KEEPER, ReadInstance(one.tasks[1].id)) is None
    assert world.ask(KEEPER, ReadInstance("x_b_1", by_task=True)) is None


def test_what_a_record_keeps_for_a_retry_is_little_more_than_the_event_itself() -> None:
    world = World(on_data("quotes"), agents=1)
    event = Event("DATA_READY", "000001", data={"price": 10.9, "volume": 1200}, id="0123abc-17")
    world.answers(event)
    world.finish_all()
    (record,) = world.records.values()

    more = len(marshal.dumps(record)) - len(marshal.dumps(record[:12]))

    assert more < 60 + len(marshal.dumps(event.data))
