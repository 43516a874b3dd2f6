"""``lock:`` on a task: at most one holder per key, over all workflows, and waiting for it costs nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from actors.effects import KEEPER, SCHEDULER
from actors.messages import PauseWorkflow, ReadyTask, TasksReady
from actors.model import Backoff, Isolation, OnPreempt, StopReason, WorkflowId
from tests.logic.worlds import World, task, why, workflow

SUSPEND: dict[str, Any] = {"isolation": Isolation.PROCESS, "on_preempt": OnPreempt.SUSPEND}


def locked(name: str, priority: int = 2, lock: str = "{entity.id}", **fields: Any) -> Any:
    limit = {"max_concurrent": fields.pop("max_concurrent")} if "max_concurrent" in fields else {}
    return workflow(name, task(name, lock=lock, **fields), priority=priority, **limit)


def test_two_workflows_that_lock_the_same_entity_take_turns() -> None:
    world = World(locked("a"), locked("b"), agents=3)
    world.run("a", "x", "y")
    world.run("b", "x")

    assert world.running() == ["a@x", "a@y"]
    world.end("a@x")

    assert world.running() == ["a@y", "b@x"]


@pytest.mark.parametrize(
    ("lock", "key"),
    [
        ("plain", "plain"),
        ("{entity.id}", "x"),
        ("{workflow.id}/{task.id}", "work/step"),
        ("{entity.id}{entity.id}", "xx"),
    ],
)
def test_the_key_is_the_text_with_its_placeholders_filled_in(lock: str, key: str) -> None:
    world = World(workflow("work", task("step", lock=lock)), agents=1)
    world.run("work", "x")

    (ready,) = [one for message in world.messages(TasksReady, SCHEDULER) for one in message.tasks]
    assert isinstance(ready, ReadyTask)
    assert ready.lock == key


def test_an_entity_called_like_a_placeholder_is_not_filled_in_again() -> None:
    world = World(locked("a", lock="{entity.id}"), agents=1)
    world.run("a", "{task.id}")

    (ready,) = [one for message in world.messages(TasksReady, SCHEDULER) for one in message.tasks]
    assert ready.lock == "{task.id}"


def test_who_waits_for_a_lock_holds_up_nobody_behind_it() -> None:
    world = World(locked("a", 0), locked("b", 0), workflow("study", priority=5), agents=2)
    world.run("a", "x")
    world.run("b", "x")
    world.run("study", "s")

    assert world.running() == ["a@x", "study@s"]


def test_who_waits_for_a_lock_preempts_nobody() -> None:
    world = World(locked("a", 5), locked("b", 0), workflow("study", priority=9), agents=2)
    world.run("a", "x")
    world.run("study", "s")

    world.run("b", "x")

    assert world.told.interrupted == []


def test_the_lock_goes_to_the_most_important_then_to_the_first() -> None:
    world = World(locked("a"), locked("late", 1), locked("b"), agents=3)
    world.run("a", "x")
    world.run("b", "x")
    world.run("a", "y")
    world.run("late", "x")

    world.end("a@x")
    assert world.running() == ["a@y", "late@x"]
    world.end("late@x")

    assert world.running() == ["a@y", "b@x"]


def test_a_waiter_that_may_not_start_does_not_keep_the_next_one_from_the_lock() -> None:
    single = locked("single", 0, max_concurrent=1)
    world = World(single, locked("b", 3), agents=3)
    world.run("single", "x")
    world.run("b", "y")
    world.run("single", "y")
    world.run("b", "x")

    world.end("b@y")  # single@y is first in line for the lock, but its workflow is full.
    world.run("b", "y")

    assert world.running() == ["b@y", "single@x"]


def test_a_preempted_task_that_waits_does_not_hold_its_lock() -> None:
    world = World(locked("low", 9), workflow("order", priority=0), locked("other", 5), agents=1)
    world.run("low", "x")
    world.run("order", "now")
    world.run("other", "x")

    world.end("order@now")
    assert world.running() == ["other@x"]
    world.end("other@x")

    assert world.running() == ["low@x"]


def test_a_suspended_attempt_keeps_its_lock() -> None:
    world = World(locked("low", 9, **SUSPEND), workflow("order", priority=0), locked("other", 5), agents=1)
    world.run("low", "x")
    world.run("order", "now")
    world.run("other", "x")

    world.end("order@now")
    assert world.running() == ["low@x"]
    world.end("low@x")

    assert world.running() == ["other@x"]


def test_a_suspended_attempt_that_is_cancelled_holds_its_lock_until_it_is_gone() -> None:
    world = World(locked("low", 9, **SUSPEND), workflow("order", priority=0), locked("other", 5), agents=2)
    world.run("low", "x")
    world.run("order", "now", "then")
    world.run("other", "x")
    assert world.told.suspended == ["low@x"]

    world.post(KEEPER, world.cancel_message("x"))
    world.deliver(KEEPER, SCHEDULER)
    world.end("order@now", settle=False)
    world.deliver("agent_1", SCHEDULER, KEEPER, SCHEDULER, "agent_1")
    assert world.running() == ["order@then"], "agent_1 is free, but the process still lives"
    world.settle()

    assert (world.told.killed, "other@x" in world.running()) == (["low@x"], True)


def test_what_was_set_aside_holds_its_lock_until_it_ends() -> None:
    world = World(locked("deaf", timeout_ms=10, grace_ms=5), locked("other"), agents=1)
    world.deaf.add("deaf")
    world.run("deaf", "x")
    world.run("other", "x")

    world.pass_ms(100)
    assert (world.running(), world.told.abandoned) == ([], ["deaf@x"])
    assert "goes on" in why(world, "other@x")
    world.stop("deaf@x")

    assert world.running() == ["other@x"]


def test_an_agent_on_its_way_gives_the_lock_too() -> None:
    world = World(workflow("study", priority=9), locked("a", 0), locked("b", 0), agents=2)
    world.deaf.add("study")
    world.run("study", "s", "t")
    world.run("a", "x")

    world.run("b", "x")
    assert [who for who, _ in world.told.interrupted] == ["study@t"], "a second agent would not help"
    world.stop("study@t")

    assert "a@x" in world.running()


def test_who_loses_the_agent_on_its_way_loses_the_lock() -> None:
    world = World(workflow("study", priority=9), locked("a", 5), locked("b", 5), workflow("order", priority=0))
    world.deaf.add("study")
    world.run("study", *[f"s{n}" for n in range(5)])
    world.run("a", "x")
    assert world.scheduling.floor.line.locks.holders

    world.cancel("x")

    assert not world.scheduling.floor.line.locks.holders


def test_what_is_suspended_keeps_its_lock_when_it_loses_the_agent_on_its_way() -> None:
    world = World(
        locked("low", 3, **SUSPEND), locked("other", 2), workflow("order", priority=0), workflow("study", priority=9),
        agents=1,
    )  # fmt: skip
    world.run("low", "x")
    world.run("order", "now")
    world.deaf.add("order")
    world.set_priority("now", 8)  # So low has it stopped, and an agent is on its way.
    world.run("study", "s")
    world.run("other", "x")
    world.settle()
    assert "is being freed for it" in why(world, "low@x")

    world.run("order", "more")
    assert "is being freed for it" in why(world, "order@more")

    assert "lock 'x' is held by" in why(world, "other@x")


def test_a_retry_takes_its_lock_anew() -> None:
    world = World(locked("a", retry=1, backoff=Backoff(initial_ms=50)), locked("b", 7), agents=1)
    world.run("a", "x")
    world.run("b", "x")

    world.fail("a@x")
    assert world.running() == ["b@x"]
    world.pass_ms(50)
    world.end("b@x")

    assert world.running() == ["a@x"]


def test_a_lock_that_comes_free_is_kept_for_what_follows() -> None:
    steps = workflow("steps", task("s1", lock="k"), task("s2", after=("s1",), lock="k"), priority=0)
    world = World(steps, locked("low", 9, lock="k"), agents=2)
    world.run("steps", "now")
    world.run("low", "x")

    world.end("s1@now", settle=False)
    world.deliver("agent_0", SCHEDULER, "agent_0", "agent_1")
    assert world.running() == [], "the keeper has not said yet what follows"
    world.deliver(KEEPER, SCHEDULER, "agent_0", "agent_1")

    assert world.running() == ["s2@now"]


def test_a_paused_workflow_does_not_keep_the_lock_from_others() -> None:
    world = World(locked("a"), locked("b", 0), locked("c", 5), agents=2)
    world.run("a", "x")
    world.run("b", "x")
    world.run("c", "x")
    world.ask(KEEPER, PauseWorkflow(WorkflowId("b"), paused=True))

    world.end("a@x")

    assert world.running() == ["c@x"]


def test_why_names_the_lock_and_who_holds_it() -> None:
    world = World(locked("a"), locked("b"), agents=2)
    world.run("a", "x")
    world.run("b", "x")

    assert f"lock 'x' is held by {world.task('a@x').id}" in why(world, "b@x")


def test_nothing_is_kept_of_locks_that_nobody_has() -> None:
    world = World(locked("a"), locked("b"), agents=2)
    for turn in range(200):
        world.run("a", f"e{turn}")
        world.run("b", f"e{turn}")
        world.end(f"a@e{turn}")
        world.end(f"b@e{turn}")

    line = world.scheduling.floor.line
    assert (len(line.locks), len(line.rows), len(world.scheduling.inheritance)) == (0, 0, 0)


def test_a_thousand_that_wait_for_one_lock_are_not_looked_at_while_they_wait() -> None:
    """Each release looks at one of them, and an agent that comes free for others at none."""
    world = World(locked("a", lock="one"), workflow("order", priority=9), agents=2)
    world.run("a", *[f"e{n}" for n in range(1000)])
    line = world.scheduling.floor.line
    shelf = next(shelf for need, shelf in line._shelves.items() if need.workflow == "a")

    for n in range(50):
        world.run("order", f"o{n}")
        world.end(f"order@o{n}")
    assert len(shelf.heap) <= 1
    for n in range(50):
        world.end(f"a@e{n}")

    assert len(shelf.heap) <= 64
    assert world.running() == ["a@e50"]
    assert StopReason.PREEMPT not in [reason for _, reason in world.told.interrupted]
