"""What an event does: to its entity, to what waits and runs, and what it starts; and the table alone."""

from __future__ import annotations

from actors.effects import KEEPER, ROUTER
from actors.errors import ConditionError
from actors.messages import (
    AwaitIdle,
    ReadDeadLetters,
)
from actors.model import (
    NOBODY,
    EntitySeed,
    Event,
    OnUnknownEntity,
    StopReason,
    Trigger,
)
from tests.logic.worlds import When, World, chain, full_world, on_data, workflow

# --- what an event does ------------------------------------------------------------------------


def test_data_ready_starts_its_workflow_and_its_data_become_the_entitys() -> None:
    world = World(on_data("quotes"))
    world.put("000001", phase="closed", data={"price": 1})

    receipt = world.publish("000001", data={"price": 2})

    assert receipt.instances == (world.instance("000001").id,)
    entity = world.entity("000001")
    assert (entity.phase, entity.status, entity.data) == ("data_ready", "processing", {"price": 2})
    event = world.live("quotes@000001").job.event
    assert event is not None
    assert event.data == {"price": 2}


def test_an_unknown_entity_is_added_at_the_events_priority() -> None:
    world = World(on_data("quotes"))

    world.publish("000003", priority=1)
    world.publish("000004")

    assert (world.entity("000003").priority, world.entity("000004").priority) == (1, 2)


def test_a_known_entitys_priority_is_not_changed_by_data_ready() -> None:
    world = World(on_data("quotes"))
    world.put("000001", priority=5, phase="closed")

    world.publish("000001", priority=0)

    assert world.entity("000001").priority == 5


def test_an_unknown_entity_is_rejected_whole_where_the_settings_say_so() -> None:
    world = World(on_data("quotes"), on_unknown_entity=OnUnknownEntity.REJECT)

    refusal = world.refusal(Event("DATA_READY", "000009"))

    assert "'000009'" in refusal
    assert world.instances() == []
    (letter,) = world.ask(KEEPER, ReadDeadLetters())
    assert (letter["entity_id"], letter["why"]) == ("000009", refusal)
    assert world.stats(KEEPER)["events"]["rejected"] == 1


def test_an_event_without_a_priority_takes_its_entitys() -> None:
    world = World(on_data("quotes", when=When(lambda entity, event: event is not None and event["priority"] == 7)))
    world.put("a", priority=7, phase="closed")

    receipt = world.publish("a")

    assert len(receipt.instances) == 1


def test_every_workflow_whose_trigger_matches_starts_side_by_side() -> None:
    world = World(on_data("x"), on_data("y", priority=0), workflow("z"), agents=5)

    receipt = world.publish("a")

    assert world.running() == ["x@a", "y@a"]
    assert [i.split("_")[0] for i in receipt.instances] == ["y", "x"]  # The most important first.


def test_a_condition_decides_by_entity_and_event() -> None:
    world = World(
        on_data("high", when=When(lambda entity, _: entity["priority"] <= 0)),
        on_data("low", when=When(lambda entity, _: entity["priority"] > 0)), agents=5,
    )  # fmt: skip

    world.publish("000001", priority=0)
    world.publish("000002", priority=2)

    assert world.running() == ["high@000001", "low@000002"]


def test_a_condition_that_cannot_be_evaluated_starts_nothing_and_is_told() -> None:
    def broken(entity: object, event: object) -> bool:
        raise ConditionError("no such key 'price'")

    world = World(on_data("quotes", when=When(broken)), on_data("other"))

    receipt = world.publish("a")

    assert len(receipt.instances) == 1
    (told,) = [change for change in world.changes if change.type == "condition_failed"]
    assert "price" in told.detail["error"]


def test_a_workflow_of_another_phase_does_not_start() -> None:
    world = World(on_data("quotes", phase="closed"))

    assert world.publish("a").instances == ()


def test_other_event_types_ask_for_no_phase_and_change_none() -> None:
    world = World(workflow("ticks", trigger=Trigger.EVENT, trigger_event="TICK"), event_types=frozenset({"TICK"}))
    world.put("a", phase="closed", priority=3)

    world.publish("a", "TICK", data=[1])

    assert world.running() == ["ticks@a"]
    assert (world.entity("a").phase, world.entity("a").data) == ("closed", [1])


def test_an_event_that_nothing_wants_is_accepted_and_changes_the_row() -> None:
    world = World(workflow("byhand"))

    receipt = world.publish("a", data=5)

    assert receipt.instances == ()
    assert (world.entity("a").status, world.entity("a").data) == ("pending", 5)


# --- high priority -----------------------------------------------------------------------------


def test_high_priority_arrived_sets_the_priority_and_starts_what_data_ready_starts() -> None:
    world = World(on_data("quotes"))
    world.put("a", priority=4, phase="closed")

    world.publish("a", "HIGH_PRIORITY_ARRIVED", priority=0)

    assert (world.entity("a").priority, world.entity("a").phase) == (0, "data_ready")
    event = world.live("quotes@a").job.event
    assert event is not None
    assert event.type == "HIGH_PRIORITY_ARRIVED"
    assert world.instance("a").priority == 0


def test_high_priority_arrived_raises_what_waits_for_the_entity() -> None:
    world = full_world(on_data("slow", priority=5), agents=1)
    world.publish("a")
    assert world.running() == ["study@low1"]

    world.publish("a", "HIGH_PRIORITY_ARRIVED", priority=0)

    assert world.running() == ["slow@a"]
    assert world.told.interrupted == [("study@low1", StopReason.PREEMPT)]


def test_high_priority_arrived_raises_what_runs_for_the_entity() -> None:
    world = full_world(on_data("order", priority=1), agents=1)

    world.publish("low1", "HIGH_PRIORITY_ARRIVED", priority=0)
    world.publish("b")

    assert world.running() == ["study@low1"]
    assert world.task("study@low1").priority == 0


def test_a_raise_reaches_the_tasks_that_are_still_to_come() -> None:
    world = full_world(chain("step", 2, priority=7), on_data("other"), agents=2)
    world.run("step", "a")
    world.publish("a", "HIGH_PRIORITY_ARRIVED", priority=0)
    world.end("step1@a")

    assert "step2@a" in world.running()


def test_a_raise_never_lowers() -> None:
    world = World(on_data("order", priority=0))
    world.publish("a")

    world.publish("a", "HIGH_PRIORITY_ARRIVED", priority=6)

    assert world.task("order@a").priority == 0


# --- outcomes ----------------------------------------------------------------------------------


def outcome_world(kind: str) -> World:
    listener = workflow("audit", trigger=Trigger.EVENT, trigger_event=kind)
    return World(workflow("study", priority=1), listener, agents=2)


def test_a_recorded_completion_starts_what_listens_to_it() -> None:
    world = outcome_world("TASK_COMPLETED")
    world.run("study", "a")

    world.end("study@a", {"n": 1})

    event = world.live("audit@a").job.event
    assert event is not None
    assert (event.type, event.data["task"], event.data["result"]) == ("TASK_COMPLETED", "study", {"n": 1})
    assert event.priority == 1


def test_a_recorded_failure_starts_what_listens_to_it() -> None:
    world = outcome_world("TASK_FAILED")
    world.run("study", "a")

    world.fail("study@a")

    event = world.live("audit@a").job.event
    assert event is not None
    assert "no such price" in event.data["error"]


def test_a_workflow_is_not_started_by_its_own_outcomes() -> None:
    world = outcome_world("TASK_COMPLETED")
    world.run("study", "a")
    world.end("study@a")

    world.end("audit@a")

    assert world.running() == []
    assert world.idle()


def test_the_engine_is_not_idle_while_an_outcome_is_on_its_way() -> None:
    world = outcome_world("TASK_COMPLETED")
    world.run("study", "a")
    world.pass_ms(500)
    world.end("study@a", settle=False)
    world.deliver("agent_0", "scheduler")
    idle = world.promise(ROUTER, AwaitIdle(NOBODY))
    world.deliver(ROUTER, KEEPER)  # The end is recorded; what listens to it has not started.
    assert not idle.kept

    world.settle()
    assert not idle.kept  # Now the audit runs.
    world.end("audit@a")

    assert idle.kept


# --- the table alone ---------------------------------------------------------------------------


def test_without_any_event_every_pending_entity_runs() -> None:
    world = World(on_data("quotes"), agents=3)

    world.bootstrap(*[EntitySeed(f"{n:06}") for n in range(20)])  # type: ignore[arg-type]
    world.finish_all()

    assert len(world.told.started) == 20
    assert {world.entity(f"{n:06}").status for n in range(20)} == {"completed"}


def test_an_entity_that_is_put_ready_is_found_by_the_reconcile() -> None:
    world = World(on_data("quotes"))
    world.put("a")
    assert world.running() == []

    world.pass_ms(100)

    assert world.running() == ["quotes@a"]
    assert world.live("quotes@a").job.event is None


def test_a_table_and_an_event_that_call_for_the_same_start_it_once() -> None:
    world = World(on_data("quotes"))
    world.put("a")
    world.publish("a", data=1)
    world.pass_ms(500)

    world.finish_all()

    assert world.told.started == ["quotes@a"]


def test_an_event_merges_into_what_the_table_has_started() -> None:
    world = full_world(on_data("quotes"), agents=1)
    world.bootstrap(EntitySeed("a"))  # type: ignore[arg-type]

    world.publish("a", data=7)
    world.end("study@low1")

    event = world.live("quotes@a").job.event
    assert event is not None
    assert event.data == 7
    assert len(world.instances("a")) == 1


def test_a_state_workflow_starts_by_the_table_and_by_the_event_that_makes_it_ready() -> None:
    world = World(workflow("state", trigger=Trigger.STATE), agents=2)
    world.put("a")
    world.publish("b")
    world.pass_ms(100)

    assert world.running() == ["state@a", "state@b"]


def test_a_state_workflow_is_called_for_once_however_many_events_make_its_entity_ready() -> None:
    world = full_world(workflow("state", trigger=Trigger.STATE, priority=3), agents=1)
    for _ in range(3):
        world.publish("a")
    world.put("a", phase="data_ready")
    world.pass_ms(500)

    assert len(world.instances("a")) == 1


def test_nothing_looks_at_the_table_when_nothing_changed() -> None:
    world = World(on_data("quotes"), agents=2)
    world.bootstrap(*[EntitySeed(f"{n}") for n in range(30)])  # type: ignore[arg-type]
    world.finish_all()
    before = len(world.sent)

    world.pass_ms(60_000)

    assert len(world.sent) == before
