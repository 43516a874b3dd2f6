"""Which events get in, and when: duplicates, expiry, order, merging, bounds and credit."""

from __future__ import annotations

from actors.effects import KEEPER, ROUTER
from actors.logic.routing import BATCH_EVENTS, MAX_BATCHES
from actors.messages import (
    DueEvent,
    EventBatch,
    Publish,
    ReadEntities,
    ScheduleEvents,
    ValidityOver,
    WithdrawTask,
)
from actors.model import (
    NS_PER_MS,
    Coalesce,
    Event,
    InstanceKey,
    OnUnknownEntity,
)
from tests.logic.worlds import OVERLOADED, When, World, full_world, on_data, task, workflow

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
    for n in range(5):  # They go a generation at a time, here of one.
        world.publish("a", id=f"e{n}")

    assert world.publish("a", id="e2").duplicate
    assert world.publish("a", id="e4").duplicate
    assert not world.publish("a", id="e0").duplicate


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


def due(world: World, ms: int, entity: str) -> DueEvent:
    return DueEvent(world.now + ms * NS_PER_MS, Event("DATA_READY", entity))


def test_timed_events_come_in_their_time_and_idleness_waits_for_them() -> None:
    world = World(on_data("quotes"), agents=2)
    world.tell(ROUTER, ScheduleEvents((due(world, 500, "a"), due(world, 20, "b"))))

    world.pass_ms(20)
    assert world.running() == ["quotes@b"]
    world.end("quotes@b")
    assert not world.idle()
    world.pass_ms(480)

    assert world.running() == ["quotes@a"]


def test_timed_events_that_are_added_later_leave_the_earlier_ones_alone() -> None:
    world = World(on_data("quotes"), agents=3)
    world.tell(ROUTER, ScheduleEvents((due(world, 20, "a"), due(world, 60, "b"))))
    world.pass_ms(30)

    world.tell(ROUTER, ScheduleEvents((due(world, 30, "c"),)))
    world.pass_ms(30)

    assert world.running() == ["quotes@a", "quotes@b", "quotes@c"]
