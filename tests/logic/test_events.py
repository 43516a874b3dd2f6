"""Events: what they change, what they start, how they are ordered, merged, refused and counted."""

from __future__ import annotations

from actors.effects import KEEPER, ROUTER
from actors.errors import ConditionError
from actors.logic.routing import BATCH_EVENTS, MAX_BATCHES
from actors.messages import (
    AwaitIdle,
    EventBatch,
    Publish,
    ReadDeadLetters,
    ReadEntities,
    ScheduleEvents,
    ValidityOver,
    WithdrawTask,
)
from actors.model import (
    NOBODY,
    Coalesce,
    EntitySeed,
    Event,
    InstanceKey,
    OnUnknownEntity,
    StopReason,
    TimedEvent,
    Trigger,
)
from tests.logic.worlds import OVERLOADED, When, World, chain, full_world, on_data, task, workflow

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


# --- dedup, expiry -----------------------------------------------------------------------------


def test_an_event_id_that_was_accepted_does_nothing_and_gets_the_first_receipt() -> None:
    world = World(on_data("quotes"))
    first = world.publish("a", id="tick-1", data=1)
    world.finish_all()

    again = world.publish("a", id="tick-1", data=2)

    assert (again.duplicate, again.instances) == (True, first.instances)
    assert len(world.instances("a")) == 1
    assert world.entity("a").data == 1
    assert world.stats(KEEPER)["events"]["duplicates"] == 1


def test_the_oldest_ids_are_forgotten_beyond_the_bound() -> None:
    world = World(workflow("byhand"), max_remembered_ids=3)
    for n in range(4):
        world.publish("a", id=f"e{n}")

    assert not world.publish("a", id="e0").duplicate
    assert world.publish("a", id="e3").duplicate


def test_the_ids_that_merged_at_the_router_are_all_remembered() -> None:
    world = World(on_data("quotes"))
    world.answers(*[Event("DATA_READY", "a", id=f"e{n}") for n in range(3)])

    assert [world.publish("a", id=f"e{n}").duplicate for n in range(3)] == [True, True, True]


def test_a_rejected_event_may_come_again_under_its_id() -> None:
    world = World(on_data("quotes"), on_unknown_entity=OnUnknownEntity.REJECT)
    world.refusal(Event("DATA_READY", "a", id="e1"))
    world.put("a", phase="closed")

    assert not world.publish("a", id="e1").duplicate
    assert world.running() == ["quotes@a"]


def test_an_event_past_its_time_at_the_keeper_expires_and_changes_nothing() -> None:
    world = World(on_data("quotes"))
    answer = world.promise(ROUTER, Publish((Event("DATA_READY", "a", valid_for_ms=50),)))
    world.deliver(ROUTER)
    world.now += 51_000_000

    world.settle()

    assert answer()[0].receipt.instances == ()
    assert world.instances() == []
    assert world.stats(KEEPER)["events"]["expired"] == 1
    assert "event_expired" in world.kinds()


def test_an_instance_whose_event_is_past_its_time_expires_unless_it_has_started() -> None:
    world = full_world(on_data("quotes"), agents=1)
    world.publish("a", valid_for_ms=50)

    world.pass_ms(49)
    assert world.instance("a").status == "running"
    world.pass_ms(1)

    assert world.instance("a").status == "expired"
    world.end("study@low1")
    assert world.running() == []


def test_what_has_started_in_time_does_not_expire() -> None:
    world = World(on_data("quotes"))
    world.publish("a", valid_for_ms=50)

    world.pass_ms(500)

    assert world.running() == ["quotes@a"]


def test_a_workflows_valid_for_counts_where_the_event_has_none() -> None:
    world = full_world(on_data("quotes", valid_for_ms=50), agents=1)
    world.publish("a")
    world.publish("b", valid_for_ms=500)

    world.pass_ms(60)

    assert (world.instance("a").status, world.instance("b").status) == ("expired", "running")


def test_a_deadline_that_rings_for_an_older_event_does_nothing() -> None:
    world = full_world(on_data("quotes"), agents=1)
    world.publish("a", valid_for_ms=50)
    world.pass_ms(40)
    world.publish("a", valid_for_ms=50)

    world.pass_ms(20)
    world.tell(KEEPER, ValidityOver(InstanceKey(2)))

    assert world.instance("a").status == "running"


def test_a_deadline_that_rings_late_does_nothing_to_what_has_started() -> None:
    world = World(on_data("quotes", task("x"), task("y")), agents=1)
    world.publish("a", valid_for_ms=50)
    world.pass_ms(60)
    sent = len(world.messages(WithdrawTask))

    world.tell(KEEPER, ValidityOver(InstanceKey(1)))

    assert (world.running(), len(world.messages(WithdrawTask))) == (["x@a"], sent)


def test_what_got_its_agent_just_before_it_expired_runs_on() -> None:
    world = full_world(on_data("quotes", task("x"), task("y")), agents=1)
    world.publish("a", valid_for_ms=50)
    world.end("study@low1", settle=False)
    world.deliver("agent_0", "scheduler", KEEPER, "scheduler")  # x has the agent; the keeper has not heard.
    world.now += 50_000_000
    world.ring()
    world.deliver(KEEPER)

    world.settle()
    world.finish_all()

    assert world.instance("a").status == "completed"
    assert [t.status for t in world.instance("a").tasks] == ["completed", "completed"]


# --- order, bounds and credit ------------------------------------------------------------------


def test_events_are_handled_in_priority_order() -> None:
    world = World(on_data("quotes"))

    world.answers(*[Event("DATA_READY", f"p{n}", priority=n) for n in (5, 0, 3)])

    assert [job.entity.id for job in world.told.jobs] == ["p0"]
    world.finish_all()
    assert [one.entity_id for one in world.instances()] == ["p0", "p3", "p5"]


def test_events_of_one_entity_merge_at_the_router_into_the_newest() -> None:
    world = World(on_data("quotes"))

    answers = world.answers(*[Event("DATA_READY", "a", priority=5 - n, data=n) for n in range(3)])

    job = world.live("quotes@a").job
    assert job.event is not None
    assert (job.event.data, job.merged) == (2, 3)
    assert len({answer.receipt.instances for answer in answers if answer.receipt}) == 1
    assert world.entity("a").priority == 3  # The most urgent one's.


def test_an_event_that_merges_moves_up_to_the_most_urgent_priority() -> None:
    world = World(on_data("quotes"))

    world.answers(
        Event("DATA_READY", "a", priority=5), Event("DATA_READY", "b", priority=3),
        Event("DATA_READY", "a", priority=0), Event("DATA_READY", "a", priority=9),
    )  # fmt: skip

    assert world.told.started == ["quotes@a"]
    assert world.live("quotes@a").job.merged == 3


def test_where_each_event_counts_or_a_condition_reads_it_the_router_merges_nothing() -> None:
    reads = When(lambda entity, event: event is not None and event["data"] == 0, reads_event=True)
    for flow in (on_data("each", coalesce=Coalesce.ALL), on_data("reads", when=reads)):
        world = World(flow)
        world.answers(*[Event("DATA_READY", "a", data=n) for n in range(3)])
        assert world.stats(ROUTER)["merged"] == 0


def test_the_router_has_at_most_64_batches_unanswered() -> None:
    world = World(workflow("byhand"), max_waiting_events=100_000)
    for n in range(200):
        world.post(ROUTER, Publish((Event("DATA_READY", f"e{n}"),)))
        world.deliver(ROUTER)

    assert len(world.messages(EventBatch)) == MAX_BATCHES == 64
    assert world.routing.counts["published"] == 200
    world.settle()
    assert sum(len(batch.events) for batch in world.messages(EventBatch)) == 200
    assert len(world.messages(EventBatch)) == 65  # All that had waited went as one.


def test_a_batch_holds_256_events_at_most() -> None:
    world = World(workflow("byhand"))
    world.answers(*[Event("DATA_READY", f"e{n}") for n in range(600)])

    assert [len(batch.events) for batch in world.messages(EventBatch)] == [BATCH_EVENTS, BATCH_EVENTS, 88]


def test_a_full_line_refuses_the_rest_of_a_publication_and_nothing_that_was_accepted_is_lost() -> None:
    world = World(workflow("byhand"), max_waiting_events=10)

    answers = world.answers(*[Event("DATA_READY", f"e{n}") for n in range(15)])

    assert [answer.refusal for answer in answers] == [""] * 10 + [OVERLOADED] * 5
    assert len(world.ask(KEEPER, ReadEntities())) == 10
    assert world.publish("e14").instances == ()  # There is room again.


def test_an_event_that_merges_needs_no_room() -> None:
    world = World(workflow("byhand"), max_waiting_events=1)

    answers = world.answers(Event("DATA_READY", "a"), Event("DATA_READY", "a"), Event("DATA_READY", "b"))

    assert [answer.refusal for answer in answers] == ["", "", OVERLOADED]


def test_the_first_that_is_refused_ends_the_publication() -> None:
    world = World(workflow("byhand"), max_waiting_events=1)

    answers = world.answers(Event("DATA_READY", "a"), Event("DATA_READY", "b"), Event("DATA_READY", "a"))

    assert [answer.refusal for answer in answers] == ["", OVERLOADED, OVERLOADED]


def test_timed_events_come_in_their_time_and_idleness_waits_for_them() -> None:
    world = World(on_data("quotes"), agents=2)
    world.tell(
        ROUTER, ScheduleEvents((TimedEvent(500, Event("DATA_READY", "a")), TimedEvent(20, Event("DATA_READY", "b"))))
    )

    world.pass_ms(20)
    assert world.running() == ["quotes@b"]
    world.end("quotes@b")
    assert not world.idle()
    world.pass_ms(480)

    assert world.running() == ["quotes@a"]


def test_timed_events_that_are_added_later_leave_the_earlier_ones_alone() -> None:
    world = World(on_data("quotes"), agents=3)
    first, second = TimedEvent(20, Event("DATA_READY", "a")), TimedEvent(60, Event("DATA_READY", "b"))
    world.tell(ROUTER, ScheduleEvents((first, second)))
    world.pass_ms(30)

    world.tell(ROUTER, ScheduleEvents((TimedEvent(30, Event("DATA_READY", "c")),)))
    world.pass_ms(30)

    assert world.running() == ["quotes@a", "quotes@b", "quotes@c"]


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
