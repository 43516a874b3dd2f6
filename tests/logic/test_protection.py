"""Law 5 beside the others: how far ``min_runtime_ms``, ``max_preemptions`` and ``preempts: never`` bend preemption."""

from __future__ import annotations

from typing import Any

import pytest

from actors.model import NS_PER_MS, Isolation, OnPreempt, StopReason
from tests.logic.worlds import World, explained, task, why, workflow

SUSPEND: dict[str, Any] = {"isolation": Isolation.PROCESS, "on_preempt": OnPreempt.SUSPEND}


def guarded(name: str, min_runtime_ms: int, priority: int = 5, **fields: Any) -> Any:
    return workflow(name, task(name, min_runtime_ms=min_runtime_ms, **fields), priority=priority)


def waited_ms(world: World, label: str) -> float:
    started = world.task(label).attempts[-1].started
    assert started is not None
    return (started.ns - world.task(label).attempts[-1].ready.ns) / NS_PER_MS


# --- min_runtime_ms ----------------------------------------------------------------------------


def test_urgent_work_waits_for_the_shortest_rest_of_a_min_runtime_and_no_longer() -> None:
    world = World(guarded("long", 300), guarded("short", 90), workflow("order", priority=0), agents=2)
    world.takes["order"] = 1
    world.run("long", "a")
    world.run("short", "b")
    world.pass_ms(40)

    world.run("order", "now")
    assert world.running() == ["long@a", "short@b"]
    world.pass_ms(400)

    assert waited_ms(world, "order@now") == 50
    assert world.told.interrupted == [("short@b", StopReason.PREEMPT)]


def test_several_urgent_tasks_wait_each_for_one_of_them() -> None:
    world = World(guarded("long", 300), guarded("short", 90), workflow("order", priority=0), agents=2)
    world.run("long", "a")
    world.run("short", "b")
    world.run("order", "now", "then")

    world.pass_ms(299)
    assert world.running() == ["long@a", "order@now"]
    world.pass_ms(1)

    assert world.running() == ["order@now", "order@then"]


def test_what_comes_free_before_the_min_runtime_is_over_is_taken_at_once() -> None:
    world = World(guarded("long", 300), workflow("order", priority=0), agents=2)
    world.run("long", "a", "b")
    world.run("order", "now")

    world.end("long@a")

    assert world.running() == ["long@b", "order@now"]
    world.pass_ms(400)
    assert not world.told.interrupted, "nobody waits any more"


def test_a_suspended_attempt_that_goes_on_has_its_min_runtime_anew() -> None:
    world = World(guarded("study", 100, **SUSPEND), workflow("order", priority=0), agents=1)
    world.run("study", "s")
    world.pass_ms(100)
    world.run("order", "now")
    assert world.told.suspended == ["study@s"]
    world.end("order@now")
    world.pass_ms(10)

    world.run("order", "again")
    assert world.running() == ["study@s"]
    world.pass_ms(90)

    assert world.running() == ["order@again"]


def test_a_holder_whose_waiter_has_gone_is_a_victim_only_after_its_min_runtime() -> None:
    world = World(
        guarded("low", 100, 9, lock="k"), workflow("high", task("high", lock="k"), priority=0),
        workflow("medium", priority=5), agents=1,
    )  # fmt: skip
    world.run("low", "l")
    world.run("high", "h")
    world.run("medium", "m")
    world.pass_ms(50)

    world.cancel("h")
    assert world.running() == ["low@l"]
    world.pass_ms(50)

    assert world.running() == ["medium@m"]


def test_when_its_min_runtime_is_over_a_holder_still_counts_as_who_waits_for_it() -> None:
    world = World(
        guarded("low", 100, 9, lock="k"), workflow("high", task("high", lock="k"), priority=1),
        workflow("medium", priority=5), workflow("order", priority=0), agents=1,
    )  # fmt: skip
    world.run("low", "l")
    world.run("high", "h")
    world.run("medium", "m")

    world.pass_ms(200)
    assert world.running() == ["low@l"]
    world.run("order", "now")

    assert world.running() == ["order@now"], "what is more important than the waiter preempts it"


def test_a_limit_that_blocks_the_urgent_one_does_not_have_it_wait_for_a_min_runtime() -> None:
    """It preempts nobody as long as its workflow is full, whoever may be preempted by then."""
    world = World(guarded("study", 50), workflow("single", task("single"), priority=0, max_concurrent=1), agents=2)
    world.run("single", "a")
    world.run("study", "s")
    world.run("single", "b")

    world.pass_ms(200)

    assert world.told.interrupted == []
    assert "at most 1" in why(world, "single@b")


# --- all are protected -------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{"preemptible": False}, {"max_preemptions": 0}])
def test_where_all_are_protected_urgent_work_waits_for_an_end(fields: dict[str, Any]) -> None:
    world = World(workflow("wire", task("wire", **fields), priority=9), workflow("order", priority=0), agents=2)
    world.takes["wire"] = 500
    world.run("wire", "a", "b")
    world.pass_ms(100)

    world.run("order", "now")
    world.pass_ms(399)
    assert "may not be preempted now" in why(world, "order@now")
    world.pass_ms(1)

    assert "order@now" in world.told.started
    assert not world.told.interrupted


def test_max_preemptions_counts_suspensions_too() -> None:
    world = World(
        workflow("study", task("study", max_preemptions=1, **SUSPEND), priority=5), workflow("order", priority=0),
        agents=1,
    )  # fmt: skip
    world.run("study", "s")
    world.run("order", "now")
    world.end("order@now")

    world.run("order", "again")

    assert world.running() == ["study@s"]


def test_what_was_protected_by_its_preemptions_stays_so_after_a_retry_and_a_loss() -> None:
    study = task("study", max_preemptions=1, retry=1, isolation=Isolation.PROCESS)
    world = World(workflow("study", study, priority=5), workflow("order", priority=0), agents=1)
    world.run("study", "s")
    world.run("order", "now")
    world.end("order@now")
    world.fail("study@s")
    world.lose("study@s")

    world.run("order", "again")

    assert world.running() == ["study@s"]


def test_a_protected_holder_is_not_more_than_protected_by_what_it_inherits() -> None:
    world = World(
        workflow("low", task("low", lock="k", max_preemptions=0), priority=9),
        workflow("high", task("high", lock="k"), priority=0), workflow("order", priority=0), agents=1,
    )  # fmt: skip
    world.run("low", "l")
    world.run("high", "h")
    world.run("order", "now")

    world.end("low@l")

    assert world.running() == ["high@h"], "first come, first served, among equals"


# --- preempts: never ---------------------------------------------------------------------------


def test_a_polite_waiter_gives_its_priority_but_interrupts_nobody_itself() -> None:
    world = World(
        workflow("low", task("low", lock="k"), priority=9),
        workflow("polite", task("polite", lock="k", preempts=False), priority=0),
        workflow("medium", priority=5), agents=2,
    )  # fmt: skip
    world.run("low", "l")
    world.run("medium", "m")
    world.run("polite", "p")
    assert explained(world, "low@l")["inherited_priority"] == 0

    world.run("medium", "n")
    assert world.running() == ["low@l", "medium@m"]
    world.end("low@l")

    assert world.running() == ["medium@m", "polite@p"]


def test_a_polite_holder_that_is_suspended_waits_for_a_free_agent_and_then_comes_first() -> None:
    world = World(
        workflow("low", task("low", lock="k", preempts=False, **SUSPEND), priority=9),
        workflow("high", task("high", lock="k"), priority=0), workflow("medium", priority=5), agents=1,
    )  # fmt: skip
    world.run("low", "l")
    world.run("medium", "m", "n")
    world.run("high", "h")
    assert world.running() == ["medium@m"]

    world.end("medium@m")

    assert world.running() == ["low@l"]
