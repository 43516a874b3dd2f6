"""A pause of the whole engine: nothing new starts, what runs goes on, and no crash forgets it."""

from __future__ import annotations

from typing import Any

from actors.effects import KEEPER, SCHEDULER
from actors.messages import PauseWorkflow, ReadStats
from actors.model import Backoff, Isolation, OnPreempt, StopReason, WorkflowId
from tests.logic.worlds import World, chain, explained, full_world, task, workflow


def pause(world: World, *, paused: bool = True, workflow: str | None = None) -> None:
    world.ask(KEEPER, PauseWorkflow(None if workflow is None else WorkflowId(workflow), paused))


def paused(world: World) -> Any:
    return world.ask(KEEPER, ReadStats())["paused"]


def test_a_paused_engine_starts_nothing_and_what_runs_goes_on_to_its_end() -> None:
    world = World(chain("step", 2), workflow("study"), agents=2)
    world.run("step", "a")
    pause(world)
    world.run("study", "b")
    assert world.running() == ["step1@a"]

    world.end("step1@a")
    assert world.running() == []

    pause(world, paused=False)
    assert world.running() == ["step2@a", "study@b"]


def test_a_paused_engine_preempts_nobody() -> None:
    world = full_world(workflow("order", priority=0), agents=2)
    pause(world)

    world.run("order", "now")
    world.set_priority("low1", 9)
    assert world.told.interrupted == []

    pause(world, paused=False)
    assert world.told.interrupted == [("study@low1", StopReason.PREEMPT)]
    assert "order@now" in world.running()


def test_a_pause_gives_back_the_agents_that_were_being_freed() -> None:
    world = full_world(workflow("order", priority=0), workflow("middle", priority=1), agents=1)
    world.deaf.add("study")
    world.run("order", "now")
    assert explained(world, "order@now")["blocked_by"] == "reservation"
    pause(world)
    assert explained(world, "order@now")["blocked_by"] == "pause"
    world.stop("study@low1")
    assert world.running() == []
    world.run("middle", "m")
    world.cancel("now")

    pause(world, paused=False)

    assert world.running() == ["middle@m"]
    assert world.preemptions == 1


def test_what_was_suspended_stands_still_until_the_engine_is_resumed() -> None:
    frozen = task("frozen", isolation=Isolation.PROCESS, on_preempt=OnPreempt.SUSPEND)
    world = World(workflow("frozen", frozen, priority=5), workflow("order", priority=0), agents=1)
    world.run("frozen", "a")
    world.run("order", "now")
    pause(world)
    world.end("order@now")
    assert world.running() == []

    pause(world, paused=False)

    assert world.told.resumed == [("frozen@a", "agent_0")]


def test_a_retry_whose_backoff_is_over_waits_for_the_engine_to_go_on() -> None:
    world = World(workflow("study", task("study", retry=1, backoff=Backoff(initial_ms=5))), agents=1)
    world.run("study", "a")
    pause(world)
    world.fail("study@a")
    world.pass_ms(20)
    assert world.running() == []
    assert explained(world, "study@a")["why"] == "the engine is paused"

    pause(world, paused=False)

    assert world.running() == ["study@a"]


def test_workflows_that_were_paused_by_themselves_stay_so_when_the_engine_goes_on() -> None:
    world = World(workflow("study"), workflow("other"), agents=2)
    pause(world, workflow="study")
    pause(world)
    world.run("study", "a")
    world.run("other", "b")
    assert paused(world) == ["*", "study"]

    pause(world, paused=False)

    assert world.running() == ["other@b"]
    assert paused(world) == ["study"]
    pause(world, paused=False, workflow="study")
    assert world.running() == ["other@b", "study@a"]


def test_a_workflow_that_is_resumed_in_a_paused_engine_starts_nothing() -> None:
    world = World(workflow("study"), agents=1)
    pause(world, workflow="study")
    pause(world)
    world.run("study", "a")

    pause(world, paused=False, workflow="study")

    assert world.running() == []
    assert explained(world, "study@a")["why"] == "the engine is paused"


def test_why_says_that_the_engine_is_paused_and_that_a_workflow_is() -> None:
    world = World(workflow("study"), workflow("other"), agents=1)
    pause(world)
    pause(world, workflow="study")
    world.run("study", "a")
    first = explained(world, "study@a")
    pause(world, paused=False)

    assert (first["why"], first["blocked_by"]) == ("the engine is paused", "pause")
    assert explained(world, "study@a")["why"] == "workflow study is paused"


def test_a_pause_outlives_a_crash_of_the_scheduler() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    pause(world)
    world.run("order", "now")

    world.crash(SCHEDULER, lose_inbox=True)
    world.settle()
    world.end("study@low1")

    assert world.running() == []
    pause(world, paused=False)
    assert world.running() == ["order@now"]


def test_pausing_and_resuming_twice_is_as_good_as_once() -> None:
    world = World(workflow("study"), agents=1)
    for now in (True, True, False, False):
        pause(world, paused=now)

    world.run("study", "a")

    assert world.running() == ["study@a"]


def test_what_waits_grows_old_while_the_engine_is_paused() -> None:
    world = full_world(workflow("low", priority=7), workflow("same", priority=2), agents=1, starvation_ms=100)
    world.run("low", "x")
    pause(world)
    world.pass_ms(60)
    world.run("same", "y")
    world.end("study@low1")

    pause(world, paused=False)

    assert world.told.started == ["study@low1", "low@x", "same@y"]  # To start is all that its age gives it.


def test_the_queue_timeout_goes_on_while_the_engine_is_paused() -> None:
    world = World(workflow("study", task("study", queue_timeout_ms=30)), agents=1)
    pause(world)
    world.run("study", "a")

    world.pass_ms(40)

    assert world.instance("a").status == "failed"
