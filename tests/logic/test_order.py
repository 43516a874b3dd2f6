"""Law 1: what starts next."""

from __future__ import annotations

from actors.effects import KEEPER, SCHEDULER
from actors.messages import RunAttempt
from actors.model import Delivery, Isolation, OnPreempt
from tests.logic.worlds import World, chain, full_world, group, task, workflow


def test_the_most_important_task_starts_first_and_equals_start_in_the_order_they_came() -> None:
    world = full_world(*[workflow(f"p{n}", task("work"), priority=n) for n in (0, 2, 7)], agents=1)
    world.run("p7", "a")
    world.run("p2", "b", "c")
    world.run("p7", "d")

    world.finish_all()

    assert world.told.started == ["study@low1", "work@b", "work@c", "work@a", "work@d"]


def test_any_number_of_priority_levels_is_one_order() -> None:
    levels = [900, 3, 41, 0, 12, 2_000_000_000]
    world = World(workflow("first", priority=0), *[workflow(f"p{n}", priority=n) for n in levels])
    world.run("first", "now")
    for level in levels:
        world.run(f"p{level}", "x")

    world.finish_all()

    assert world.told.started == ["first@now", *[f"p{level}@x" for level in sorted(levels)]]


def test_a_workflow_at_its_limit_holds_up_nobody_behind_it() -> None:
    world = World(workflow("single", priority=0, max_concurrent=1), workflow("other", priority=5), agents=3)
    world.run("single", "a", "b", "c")
    world.run("other", "d")

    assert world.running() == ["other@d", "single@a"]
    world.end("single@a")
    assert world.running() == ["other@d", "single@b"]


def test_a_blocked_task_keeps_its_place() -> None:
    world = World(workflow("single", priority=1, max_concurrent=1), workflow("other", priority=1), agents=1)
    world.run("single", "a", "b")
    world.run("other", "c")

    world.end("single@a")

    assert world.running() == ["single@b"]


def test_while_a_task_is_blocked_nothing_ticks() -> None:
    world = World(workflow("single", max_concurrent=1), agents=2)
    world.run("single", "a", *[f"b{n}" for n in range(50)])
    world.pass_ms(1_000)  # The one look at rows that were put.
    before = len(world.sent)

    world.pass_ms(60_000)

    assert len(world.sent) == before


def test_a_task_that_no_agent_is_fit_for_waits_and_holds_up_nobody() -> None:
    world = World(
        workflow("gpu", task("gpu", capabilities=frozenset({"gpu"})), priority=0), workflow("plain", priority=5),
        groups=(group("cpu", 1, "cpu"),),
    )  # fmt: skip
    world.run("gpu", "a")
    world.run("plain", "b")

    assert world.running() == ["plain@b"]


def test_specialists_are_taken_first_so_that_generalists_stay_free() -> None:
    gpu = workflow("gpu", task("gpu", capabilities=frozenset({"gpu"})))
    any_ = workflow("any", task("any", capabilities=frozenset({"cpu"})))
    world = World(gpu, any_, groups=(group("wide", 1, "all"), group("gpu", 1, "gpu")))

    world.run("gpu", "a")
    world.run("any", "b")

    assert world.running() == ["any@b", "gpu@a"]
    assert world.live("gpu@a").agent == "gpu_0"


def test_a_task_waits_for_every_task_it_depends_on() -> None:
    world = World(workflow("join", task("left"), task("right"), task("last", after=("left", "right"))), agents=3)
    world.run("join", "a")
    assert world.running() == ["left@a", "right@a"]

    world.end("left@a", {"n": 1})
    assert world.running() == ["right@a"]
    world.end("right@a", {"n": 2})

    assert world.running() == ["last@a"]
    assert world.live("last@a").job.inputs == {"left": {"n": 1}, "right": {"n": 2}}


def test_a_chain_runs_in_its_order_and_completes_its_instance() -> None:
    world = World(chain("step", 3), agents=3)
    world.run("step", "a")

    world.finish_all()

    assert world.told.started == ["step1@a", "step2@a", "step3@a"]
    assert world.instance("a").status == "completed"


def test_a_tasks_own_priority_overrides_its_workflows() -> None:
    world = full_world(workflow("mixed", task("urgent", priority=0), task("plain"), priority=9), agents=1)
    world.run("mixed", "a")

    assert world.running() == ["urgent@a"]
    assert world.task("plain@a").priority == 9


def test_an_agent_that_is_free_at_once_goes_to_whoever_was_passed_over_first() -> None:
    """What was assigned and not sent yet frees its agent in the middle of a round."""
    once = task("once", isolation=Isolation.PROCESS, on_preempt=OnPreempt.SUSPEND, delivery=Delivery.AT_MOST_ONCE)
    world = World(
        workflow("once", once, priority=5),
        workflow("polite", task("polite", preempts=False), priority=0),
        workflow("urgent", priority=1),
    )
    world.run("once", "a", settle=False)
    world.deliver(KEEPER)
    world.run("polite", "b", settle=False)
    world.run("urgent", "c", settle=False)
    world.deliver(SCHEDULER)  # It assigns the first one, which waits to be released ...
    world.deliver(KEEPER, most=4)  # ... and now hears of the others.

    world.deliver(SCHEDULER)

    assert [message.job.task.id for message in world.messages(RunAttempt)] == ["polite"]
