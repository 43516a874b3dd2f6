"""Law 8: whoever a more important task waits for counts as important as that, for as long as it waits."""

from __future__ import annotations

from typing import Any

import pytest

from actors.effects import KEEPER, SCHEDULER
from actors.messages import PauseWorkflow, ReadQueues
from actors.model import NS_PER_MS, Isolation, OnPreempt, Workflow, WorkflowId
from tests.logic.worlds import World, explained, task, why, workflow

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
