"""A logic crashes while messages cross: what was on its way is neither lost nor acted on twice."""

from __future__ import annotations

import pytest

from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.messages import DueEvent, Publish, RunWorkflow, ScheduleEvents, Watch
from actors.model import NS_PER_MS, AgentName, EntityId, Event, Isolation, OnPreempt, Trigger, WorkflowId
from tests.logic.worlds import World, full_world, on_data, task, workflow

BOTH = pytest.mark.parametrize("lose", [False, True], ids=["inbox kept", "inbox lost"])
FROZEN = task("frozen", isolation=Isolation.PROCESS, on_preempt=OnPreempt.SUSPEND)


def frozen_world() -> World:
    """Frozen work stands still, and an order has its agent."""
    world = World(workflow("frozen", FROZEN, priority=4), workflow("order", priority=0))
    world.run("frozen", "a")
    world.run("order", "now")
    return world


@BOTH
def test_time_that_an_attempt_stood_still_before_is_not_forgotten(lose: bool) -> None:
    world = frozen_world()
    world.pass_ms(50)
    world.end("order@now")
    world.run("order", "again")
    world.pass_ms(20)

    world.crash(SCHEDULER, lose_inbox=lose)
    world.settle()
    world.end("order@again")

    paused = [m.paused for _, _, m in world.sent if type(m).__name__ == "ResumeAttempt"]  # type: ignore[union-attr]
    assert paused == [50 * NS_PER_MS, 70 * NS_PER_MS]


def test_a_timer_of_the_crashed_router_publishes_nothing_else_too_early() -> None:
    world = World(on_data("quotes"), agents=3)
    for ms, entity in ((5, "a"), (20, "b"), (60, "c")):
        due = DueEvent(world.now + ms * NS_PER_MS, Event("DATA_READY", entity, id=entity))
        world.promise(ROUTER, ScheduleEvents((due,)))
    world.pass_ms(10)
    world.now += 10 * NS_PER_MS
    world.ring()

    world.crash(ROUTER)
    world.settle()
    world.pass_ms(0)

    assert world.running() == ["quotes@a", "quotes@b"]


@pytest.mark.parametrize("watched", [False, True], ids=["unwatched", "watched"])
@BOTH
def test_a_newer_event_on_its_way_into_a_waiting_task_arrives(lose: bool, watched: bool) -> None:
    world = full_world(on_data("quotes", priority=3), agents=1)
    world.tell(KEEPER, Watch(watched=watched))  # Of what nobody watches, less is made.
    world.publish("a", data="old")
    world.post(KEEPER, RunWorkflow(WorkflowId("study"), EntityId("low1")))  # Something else on the way.
    answer = world.promise(ROUTER, _publish("a", "new"))
    world.deliver(ROUTER, KEEPER)

    world.crash(SCHEDULER, lose_inbox=lose)
    world.settle()
    world.end("study@low1")
    world.end("study@low1")

    assert answer.kept
    job = world.live("quotes@a").job
    assert job.event is not None
    assert (job.event.data, job.merged) == ("new", 2)


def _publish(entity: str, data: str) -> Publish:
    return Publish((Event("DATA_READY", entity, data=data, id=data),))


def test_who_waits_for_an_agent_that_is_taken_out_has_another_one_freed() -> None:
    world = full_world(workflow("order", priority=0), agents=2)
    world.deaf.add("study")
    world.run("order", "now")
    name = AgentName("agent_1")
    world.working[name] = world.logic[name] = world._next_working(name, final=True)
    world._perform(name, world.working[name].begin(world.now))
    world.settle()
    world.deaf.clear()
    world.stop("study@low2")

    assert world.running() == ["order@now"]


def test_an_end_outlives_the_crash_of_who_told_it_and_of_who_was_told() -> None:
    world = full_world(agents=1)
    world.end("study@low1", settle=False)
    world.deliver("agent_0")
    world.ledgers["agent_0"]._book._last = None  # A shell that hands over orphans alone.
    world.crash("agent_0")

    world.crash(SCHEDULER)
    world.settle()

    assert world.instance("low1").status == "completed"


@BOTH
def test_what_follows_from_an_outcome_of_the_same_batch_is_told_once(lose: bool) -> None:
    after = workflow("after", trigger=Trigger.EVENT, trigger_event="TASK_COMPLETED")
    world = World(on_data("quotes"), after, agents=2)
    world.publish("a")
    world.end("quotes@a", settle=False)
    world.deliver("agent_0", SCHEDULER)

    world.crash(ROUTER, lose_inbox=lose)
    world.settle()

    assert world.running() == ["after@a"]
    assert world.stats(KEEPER)["events"]["duplicates"] == 0


@BOTH
def test_an_order_for_the_old_incarnation_is_not_heard_by_the_new_one(lose: bool) -> None:
    world = World(workflow("study"))
    world.run("study", "a", settle=False)
    world.deliver(KEEPER, SCHEDULER)

    world.crash("agent_0", lose_inbox=lose)
    world.settle()

    assert world.told.started == ["study@a"]
    assert [a.number for a in world.task("study@a").attempts] == [1, 2]


def test_a_leave_to_go_on_without_an_attempt_that_was_lost_is_given_again() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("order", "now")
    world.now += 100 * NS_PER_MS
    world.ring()
    world.deliver("agent_0", SCHEDULER)

    world.crash("agent_0", lose_inbox=True)
    world.pass_ms(100)

    assert world.running() == ["order@now"]


@BOTH
def test_a_note_on_its_way_is_recorded_and_its_credit_given(lose: bool) -> None:
    world = full_world(agents=1)
    _note(world)
    world.deliver("agent_0")

    world.crash(SCHEDULER, lose_inbox=lose)
    world.settle()

    assert world.live("study@low1").credit
    assert world.task("study@low1").checkpoint == "half"


@BOTH
def test_a_note_that_was_recorded_is_not_told_twice(lose: bool) -> None:
    world = full_world(agents=1)
    _note(world)
    world.deliver("agent_0", SCHEDULER, KEEPER)

    world.crash(SCHEDULER, lose_inbox=lose)
    world.settle()

    assert world.live("study@low1").credit
    assert world.kinds().count("task_noted") == 1


def _note(world: World) -> None:
    settle, world.settle = world.settle, lambda: None  # type: ignore[method-assign]
    world.checkpoint("study@low1", "half")
    world.settle = settle  # type: ignore[method-assign]


@pytest.mark.parametrize("home", ["agent_0", "agent_1"])
@BOTH
def test_an_end_is_believed_and_not_who_had_suspended_the_attempt_before(lose: bool, home: str) -> None:
    """That agent has begun nothing since: its last report is of the suspension still."""
    other = "agent_1" if home == "agent_0" else "agent_0"
    world = World(workflow("frozen", FROZEN, priority=4), workflow("order", priority=0), agents=2)
    for name in ("frozen", "order") if home == "agent_0" else ("order", "frozen"):
        world.run(name, f"{name}1")
    world.run("order", "late", settle=False)
    world.deliver(KEEPER, SCHEDULER, home, home, SCHEDULER)
    world.end("order@order1", settle=False)
    world.deliver(other, SCHEDULER, KEEPER, SCHEDULER, other)
    assert world.running() == ["frozen@frozen1"]
    world.end("frozen@frozen1", settle=False)
    world.deliver(other)
    world.crash(home)  # The order on its way there is not for its next incarnation.

    world.crash(SCHEDULER, lose_inbox=lose)
    world.settle()

    assert world.instance("frozen1").status == "completed"
    assert world.running() == ["order@late"]


@BOTH
def test_a_suspended_attempt_that_is_being_killed_is_closed_once(lose: bool) -> None:
    world = frozen_world()
    world.post(KEEPER, world.cancel_message("a"))
    world.deliver(KEEPER, SCHEDULER, "agent_0")

    world.crash(SCHEDULER, lose_inbox=lose)
    world.settle()

    assert world.instance("a").status == "cancelled"
    assert world.stats()["agents"]["suspended"] == 0
