"""Law 8: whoever a more important task waits for counts as important as that, for as long as it waits."""

from __future__ import annotations

from typing import Any

import pytest

from actors.effects import KEEPER, SCHEDULER
from actors.messages import PauseWorkflow, ReadQueues
from actors.model import NS_PER_MS, Isolation, OnPreempt, Workflow, WorkflowId
from tests.logic.flows import group
from tests.logic.worlds import World, chain, explained, task, why, workflow

SUSPEND: dict[str, Any] = {"isolation": Isolation.PROCESS, "on_preempt": OnPreempt.SUSPEND}


def locked(name: str, priority: int, **fields: Any) -> Workflow:
    return workflow(name, task(name, lock="k", **fields), priority=priority)


def inversion(agents: int, **fields: Any) -> World:
    """Three workflows of priority 9, 5 and 0; the low one and the high one want the same lock."""
    world = World(
        locked("low", 9, **fields), workflow("medium", priority=5), locked("high", 0),
        workflow("order", priority=0), agents=agents,
    )  # fmt: skip
    world.takes.update(low=100, medium=1000, high=10, order=10)
    return world


def waited_ms(world: World, label: str) -> float:
    """From when it became ready to its end."""
    (attempt,) = world.task(label).attempts
    assert attempt.ended is not None
    return (attempt.ended.ns - attempt.ready.ns) / NS_PER_MS


# --- locks: the classical inversion ------------------------------------------------------------


@pytest.mark.parametrize("agents", [1, 2])
def test_a_holder_is_not_preempted_by_what_is_less_important_than_who_waits(agents: int) -> None:
    world = inversion(agents)
    world.run("low", "l")
    world.pass_ms(1)
    world.run("high", "h")

    world.run("medium", *[f"m{n}" for n in range(5)])
    world.pass_ms(500)

    assert "low@l" not in [who for who, _ in world.told.interrupted]
    assert waited_ms(world, "high@h") == 99 + 10, "the rest of one critical section, and its own time"


@pytest.mark.parametrize("agents", [1, 2])
def test_a_suspended_holder_goes_on_before_what_is_less_important_than_who_waits(agents: int) -> None:
    """Low is suspended with the lock, medium work has every agent and does not end: high waits for low all the same."""
    world = inversion(agents, **SUSPEND)
    world.run("low", "l")
    world.pass_ms(40)
    world.run("medium", *[f"m{n}" for n in range(10)])
    world.pass_ms(100)
    assert world.told.suspended == ["low@l"]

    world.run("high", "h")
    world.pass_ms(200)

    assert waited_ms(world, "high@h") == 60 + 10, "the rest of one critical section, and its own time"


def test_what_comes_between_waits_and_is_not_starved() -> None:
    world = inversion(1)
    world.run("low", "l")
    world.run("high", "h")
    world.run("medium", "m")

    world.pass_ms(100 + 10 + 1000)

    assert world.told.started == ["low@l", "high@h", "medium@m"]
    assert world.instance("m").status == "completed"


def test_the_waiter_itself_does_not_preempt_the_holder() -> None:
    world = inversion(1)
    world.run("low", "l")

    world.run("high", "h")

    assert (world.running(), world.told.interrupted) == (["low@l"], [])


def test_the_waiter_and_who_is_as_important_take_turns_as_ever() -> None:
    """The holder counts as the waiter, so only what is strictly more important may preempt it."""
    world = World(
        locked("low", 9), locked("high", 1), workflow("same", priority=1), workflow("order", priority=0), agents=1
    )
    world.run("low", "l")
    world.run("high", "h")

    world.run("same", "s")
    assert world.running() == ["low@l"]
    world.run("order", "now")

    assert world.running() == ["order@now"]


def test_the_priority_goes_back_when_the_waiter_is_cancelled() -> None:
    world = inversion(1)
    world.run("low", "l")
    world.run("high", "h")
    world.run("medium", "m")
    assert world.running() == ["low@l"]

    world.cancel("h")

    assert world.running() == ["medium@m"]


def test_the_priority_goes_back_when_the_waiter_becomes_less_important() -> None:
    world = inversion(1)
    world.run("low", "l")
    world.run("high", "h")
    world.run("medium", "m")

    world.set_priority("h", 7)

    assert world.running() == ["medium@m"]


def test_the_priority_goes_back_while_the_waiter_is_paused_and_comes_again() -> None:
    world = inversion(1)
    world.run("low", "l")
    world.run("high", "h")

    world.ask(KEEPER, PauseWorkflow(WorkflowId("high"), paused=True))
    assert "priority 0" not in why(world, "low@l")
    world.ask(KEEPER, PauseWorkflow(WorkflowId("high"), paused=False))

    assert "counts as priority 0" in why(world, "low@l")


def test_of_several_waiters_the_most_important_counts() -> None:
    world = World(locked("low", 9), locked("a", 6), locked("b", 3), locked("c", 1), agents=1)
    world.run("low", "l")
    for name, counts in (("b", 3), ("a", 3), ("c", 1)):
        world.run(name, name)
        assert explained(world, "low@l")["inherited_priority"] == counts

    world.cancel("c")

    assert explained(world, "low@l")["inherited_priority"] == 3


def test_a_more_important_own_priority_is_not_lowered() -> None:
    world = World(locked("low", 1), locked("high", 3), agents=1)
    world.run("low", "l")
    world.run("high", "h")

    assert "inherited_priority" not in explained(world, "low@l")
    world.set_priority("l", 8)
    assert explained(world, "low@l")["inherited_priority"] == 3
    world.set_priority("l", 2)
    assert "inherited_priority" not in explained(world, "low@l")


def test_what_was_inherited_ends_with_the_attempt() -> None:
    world = World(locked("low", 9, retry=1), locked("high", 0), workflow("medium", priority=5), agents=1)
    world.run("low", "l")
    world.run("high", "h")
    world.run("medium", "m")

    world.fail("low@l")
    assert world.running() == ["high@h"]
    world.end("high@h")

    assert world.running() == ["medium@m"]


# --- limits ------------------------------------------------------------------------------------


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
        workflow("few", task("few", **SUSPEND), priority=9, max_concurrent=2), workflow("order", priority=0), agents=2
    )
    world.run("few", "first")
    world.pass_ms(1)
    world.run("few", "second")
    world.set_priority("first", 10)
    world.run("order", "now")
    assert world.told.suspended == ["few@first"]
    world.end("order@now")

    run_at(world, "few", "high", 1)

    assert explained(world, "few@second")["inherited_priority"] == 1
    assert "inherited_priority" not in explained(world, "few@first")


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


# --- what people see ---------------------------------------------------------------------------


def test_why_and_the_agents_say_what_is_inherited_from_whom_over_what() -> None:
    world = inversion(1)
    world.run("low", "l")
    world.run("high", "h")

    facts = explained(world, "low@l")
    assert (facts["inherited_priority"], facts["inherited_from"]) == (0, world.task("high@h").id)
    assert "waits for its lock 'k'" in facts["why"]
    (agent,) = world.ask(SCHEDULER, ReadQueues())["agents"]
    assert (agent["priority"], agent["inherited_from"]) == (0, world.task("high@h").id)


def test_why_says_over_which_limit() -> None:
    world = limited(1, agents=1)
    world.run("few", "low")
    run_at(world, "few", "high", 1)

    assert "waits for its place below the limit of few" in why(world, "few@low")
