"""The engine stops: nothing starts any more, whatever ends is reported, and a crash makes no difference."""

from __future__ import annotations

import pytest

from actors.effects import KEEPER, SCHEDULER
from actors.messages import RunAttempt, StopAgents, StopGraceOver
from actors.model import Delivery, Isolation, OnPreempt
from tests.logic.worlds import World, full_world, task, workflow

BOTH = pytest.mark.parametrize("lose", [False, True], ids=["inbox kept", "inbox lost"])
FROZEN = task("frozen", isolation=Isolation.PROCESS, on_preempt=OnPreempt.SUSPEND)


def stop(world: World, grace_ms: int = 0) -> StopAgents:
    return StopAgents(grace_ms, world.now)


@pytest.mark.parametrize("grace_ms", [0, 40])
def test_nothing_starts_any_more(grace_ms: int) -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.run("study", "waits")
    stopped = world.promise(SCHEDULER, stop(world, grace_ms))

    world.run("order", "now")
    world.pass_ms(grace_ms)

    assert stopped.kept
    assert world.told.started == ["study@low1"]
    assert world.preemptions == 0
    assert [world.task(one).status for one in ("study@low1", "study@waits", "order@now")] == ["pending"] * 3


@BOTH
def test_a_scheduler_that_crashes_when_all_has_stopped_starts_nothing_either(lose: bool) -> None:
    world = full_world(agents=1)
    world.run("study", "waits")
    stopped = world.promise(SCHEDULER, stop(world))
    world.settle()
    assert stopped.kept

    world.crash(SCHEDULER, lose_inbox=lose)
    world.run("study", "late")

    assert world.told.started == ["study@low1"]


@BOTH
def test_a_harder_stop_that_nobody_waits_for_outlives_a_crash(lose: bool) -> None:
    world = full_world(agents=1)
    stopped = world.promise(SCHEDULER, stop(world, 5_000))
    world.settle()
    world.post(SCHEDULER, stop(world))

    world.crash(SCHEDULER, lose_inbox=lose)
    world.settle()

    assert world.running() == []
    assert stopped.kept


@pytest.mark.parametrize("first", [True, False], ids=["before it knows all", "when it knows all"])
def test_a_stop_that_is_ordered_after_a_crash_holds_from_when_it_is_read(first: bool) -> None:
    """That scheduler was made before the order: it hears of it as any other does, and nothing begins after that."""
    world = full_world(agents=1)
    world.run("study", "waits", "late")
    world.end("study@low1", settle=False)
    world.crash(SCHEDULER)
    world.deliver("agent_0", *([] if first else [KEEPER]))
    stopped = world.promise(SCHEDULER, stop(world, 40))
    world.deliver(KEEPER)

    for _ in range(len(world.inbox[SCHEDULER])):
        world.deliver(SCHEDULER, most=1)
    world.pass_ms(40)

    assert stopped.kept
    assert world.told.started == ["study@low1", *([] if first else ["study@waits"])]


def test_what_was_to_begin_when_that_is_saved_does_not_begin() -> None:
    world = World(workflow("order", task("order", delivery=Delivery.AT_MOST_ONCE, preemptible=False)))
    world.run("order", "now", settle=False)
    world.deliver(KEEPER, SCHEDULER)

    world.ask(SCHEDULER, stop(world, 1_000))

    assert world.messages(RunAttempt) == []
    assert world.task("order@now").status == "pending"


@pytest.mark.parametrize("grace_ms", [0, 40])
def test_what_was_being_suspended_is_killed(grace_ms: int) -> None:
    world = World(workflow("frozen", FROZEN, priority=4), workflow("order", priority=0))
    world.run("frozen", "a")
    world.run("order", "now", settle=False)
    world.deliver(KEEPER, SCHEDULER)

    world.ask(SCHEDULER, stop(world, grace_ms))

    assert world.told.suspended == world.told.killed == ["frozen@a"]
    assert not world.actions


def test_what_was_to_go_on_when_its_agent_crashed_is_killed() -> None:
    world = World(workflow("frozen", FROZEN, priority=4), workflow("order", priority=0))
    world.run("frozen", "a")
    world.run("order", "now")
    world.end("order@now", settle=False)
    world.deliver("agent_0", SCHEDULER, KEEPER, SCHEDULER)
    stopped = world.promise(SCHEDULER, stop(world, 40))
    world.deliver(SCHEDULER)

    world.crash("agent_0", lose_inbox=True)
    world.pass_ms(40)

    assert stopped.kept
    assert not world.actions


def test_a_timer_for_a_stop_that_nobody_ordered_does_nothing() -> None:
    world = full_world(agents=1)

    world.tell(SCHEDULER, StopGraceOver())

    assert world.running() == ["study@low1"]
    assert world.told.interrupted == []
