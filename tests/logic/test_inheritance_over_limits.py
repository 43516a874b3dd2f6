"""Law 8 over limits: who has a place that a more important task waits for counts as important as that."""

from __future__ import annotations

from typing import Any

from actors.effects import KEEPER, SCHEDULER
from actors.messages import PauseWorkflow
from actors.model import Isolation, OnPreempt, WorkflowId
from tests.logic.flows import group
from tests.logic.worlds import World, chain, explained, task, why, workflow

SUSPEND: dict[str, Any] = {"isolation": Isolation.PROCESS, "on_preempt": OnPreempt.SUSPEND}


def limited(limit: int, agents: int) -> World:
    """One workflow with a limit; tasks get their importance from ``set_priority``."""
    return World(
        workflow("few", priority=9, max_concurrent=limit), workflow("medium", priority=5),
        workflow("order", priority=0), agents=agents,
    )  # fmt: skip


def run_at(world: World, name: str, entity: str, priority: int) -> None:
    world.run(name, entity)
    world.set_priority(entity, priority)


def test_who_has_the_place_is_not_preempted_by_what_is_less_important_than_who_waits_for_it() -> None:
    world = limited(1, agents=1)
    world.run("few", "low")
    run_at(world, "few", "high", 1)

    world.run("medium", "m")
    assert world.running() == ["few@low"]
    world.end("few@low")

    assert world.running() == ["few@high"]


def test_of_those_who_have_places_the_one_longest_in_inherits_and_no_other() -> None:
    world = limited(2, agents=2)
    world.run("few", "first")
    world.pass_ms(1)
    world.run("few", "second")
    run_at(world, "few", "high", 1)

    assert explained(world, "few@first")["inherited_priority"] == 1
    assert "inherited_priority" not in explained(world, "few@second")
    world.run("medium", "m")  # It has the other one stopped, whose place is the waiter's then.

    assert world.told.interrupted[0][0] == "few@second"
    assert "few@high" in world.running()


def test_when_the_heir_leaves_the_next_one_inherits() -> None:
    world = limited(2, agents=3)
    world.run("few", "first", "second")
    run_at(world, "few", "high", 1)
    run_at(world, "few", "also", 2)

    world.end("few@first")

    assert world.running() == ["few@high", "few@second"]
    assert explained(world, "few@second")["inherited_priority"] == 2


def test_nobody_inherits_over_a_limit_once_a_place_is_free() -> None:
    world = limited(2, agents=2)
    world.run("few", "first", "second")
    run_at(world, "few", "high", 1)
    assert explained(world, "few@first")["inherited_priority"] == 1

    world.run("order", "now")  # It takes the other one's agent, and so its place comes free.

    assert world.running() == ["few@high", "order@now"], "the high one waits for an agent now, and takes one"


def test_what_was_inherited_over_a_limit_ends_when_the_workflow_is_paused() -> None:
    world = limited(1, agents=1)
    world.run("few", "low")
    run_at(world, "few", "high", 1)
    assert explained(world, "few@low")["inherited_priority"] == 1

    world.ask(KEEPER, PauseWorkflow(WorkflowId("few"), paused=True))
    assert "inherited_priority" not in explained(world, "few@low")
    world.ask(KEEPER, PauseWorkflow(WorkflowId("few"), paused=False))

    assert explained(world, "few@low")["inherited_priority"] == 1


def test_nobody_inherits_over_a_limit_while_the_workflow_is_paused() -> None:
    world = limited(1, agents=1)
    world.run("few", "low")
    run_at(world, "few", "high", 1)
    world.ask(KEEPER, PauseWorkflow(WorkflowId("few"), paused=True))

    world.run("medium", "m")

    assert world.running() == ["medium@m"]


def test_who_is_told_to_stop_inherits_no_longer_over_a_limit_and_the_next_one_does() -> None:
    world = limited(2, agents=2)
    world.deaf.add("few")
    world.run("few", "first")
    world.pass_ms(1)
    world.run("few", "second")
    run_at(world, "few", "high", 1)
    assert explained(world, "few@first")["inherited_priority"] == 1

    world.cancel("first")

    assert explained(world, "few@second")["inherited_priority"] == 1


def test_who_was_suspended_and_goes_on_has_a_new_place_and_is_not_the_longest_in() -> None:
    world = World(
        workflow("few", task("few", **SUSPEND), priority=9, max_concurrent=3), workflow("order", priority=0), agents=3
    )
    for name in ("first", "second", "third"):
        world.run("few", name)
        world.pass_ms(1)
    world.set_priority("second", 10)
    world.run("order", "now")
    assert world.told.suspended == ["few@second"]
    world.end("order@now")
    world.end("few@first")
    world.run("few", "fourth")

    run_at(world, "few", "high", 1)

    assert explained(world, "few@third")["inherited_priority"] == 1
    assert "inherited_priority" not in explained(world, "few@second")


def test_who_cannot_have_its_lock_gives_nothing_over_a_limit_until_it_can() -> None:
    world = World(
        workflow("few", task("few", lock="{entity.id}"), priority=9, max_concurrent=1),
        workflow("other", task("other", lock="{entity.id}"), priority=9), agents=2,
    )  # fmt: skip
    world.run("few", "low")
    run_at(world, "few", "high", 1)
    assert explained(world, "few@low")["inherited_priority"] == 1

    world.run("other", "high")
    assert "inherited_priority" not in explained(world, "few@low")

    world.end("other@high")

    assert explained(world, "few@low")["inherited_priority"] == 1


def test_who_waits_for_a_place_that_no_agent_could_use_gives_nothing() -> None:
    world = World(
        workflow("few", task("few"), task("gpu", capabilities=frozenset({"gpu"})), priority=9, max_concurrent=1),
        groups=(group("cpu", 1, "cpu"),),
    )
    world.run("few", "low")
    world.set_priority("gpu@low", 0)

    assert "inherited_priority" not in explained(world, "few@low")


def test_an_agent_on_its_way_to_who_has_the_place_is_not_taken_over_by_less_important_work() -> None:
    world = limited(1, agents=1)
    world.run("order", "now")
    world.set_priority("now", 10)
    world.deaf.add("order")
    world.run("few", "low")
    run_at(world, "few", "high", 1)

    world.run("medium", "m")
    world.stop("order@now")

    assert world.running() == ["few@low"]


def test_it_goes_on_through_a_chain() -> None:
    """High waits for the lock of one that is suspended, which waits for the place that a third one has."""
    chained = workflow("chained", task("chained", lock="{entity.id}", **SUSPEND), priority=9, max_concurrent=1)
    high = workflow("high", task("high", lock="{entity.id}"), priority=0)
    world = World(chained, high, workflow("order", priority=0), workflow("medium", priority=5), agents=1)
    world.run("chained", "asleep")
    world.run("order", "now")
    run_at(world, "chained", "third", 8)
    world.end("order@now")
    assert (world.told.suspended, world.running()) == (["chained@asleep"], ["chained@third"])

    world.run("high", "asleep")
    world.run("medium", "m")

    assert world.running() == ["chained@third"]
    assert explained(world, "chained@third")["inherited_from"] == world.task("chained@asleep").id
    for label in ("chained@third", "chained@asleep", "high@asleep"):
        world.end(label)
    assert world.running() == ["medium@m"]


# --- law 7 for places --------------------------------------------------------------------------


def test_the_freed_place_of_an_urgent_chain_is_kept_for_what_follows() -> None:
    """An agent is free for the less important task of the same workflow, and yet it must not take the place."""
    world = World(chain("few", 2, priority=5, max_concurrent=1), agents=3)
    world.run("few", "urgent")
    world.set_priority("urgent", 0)
    world.run("few", "low")

    world.end("few1@urgent", settle=False)
    world.deliver("agent_0", SCHEDULER, "agent_1", "agent_2")
    assert world.running() == []
    world.settle()

    assert world.running() == ["few2@urgent"]


def test_the_freed_place_goes_to_equally_important_work_at_once() -> None:
    world = World(chain("few", 2, priority=5, max_concurrent=1), agents=3)
    world.run("few", "a", "b")

    world.end("few1@a", settle=False)
    world.deliver("agent_0", SCHEDULER, "agent_0", "agent_1")

    assert world.running() == ["few1@b"]


def test_a_place_beside_the_one_that_is_kept_may_be_taken() -> None:
    world = World(chain("few", 2, priority=5, max_concurrent=2), agents=3)
    world.run("few", "urgent", "other", "low", "last")
    world.set_priority("urgent", 0)

    world.end("few1@urgent", settle=False)
    world.end("few1@other", settle=False)
    world.deliver("agent_0", "agent_1", SCHEDULER, *world.working)
    assert world.running() == ["few1@low"]
    world.settle()

    assert world.running() == ["few1@low", "few2@urgent"]


def test_why_says_over_which_limit() -> None:
    world = limited(1, agents=1)
    world.run("few", "low")
    run_at(world, "few", "high", 1)

    assert "waits for its place below the limit of few" in why(world, "few@low")
