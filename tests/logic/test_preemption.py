"""Laws 2, 5, 6 and 7: who gives way to whom."""

from __future__ import annotations

import pytest

from actors.effects import KEEPER, SCHEDULER
from actors.messages import AttemptStuck, CancelAttempt, MinRuntimeOver
from actors.model import Isolation, StopReason
from tests.logic.worlds import World, chain, full_world, group, task, workflow

PREEMPT = StopReason.PREEMPT


# --- law 2: the victim -------------------------------------------------------------------------


def test_an_urgent_task_takes_the_agent_of_the_least_important_work() -> None:
    world = World(*[workflow(f"p{n}", priority=n) for n in (0, 3, 5, 4)], agents=3)
    for priority in (3, 5, 4):
        world.run(f"p{priority}", "x")

    world.run("p0", "now")

    assert world.told.interrupted == [("p5@x", PREEMPT)]
    assert world.running() == ["p0@now", "p3@x", "p4@x"]


def test_of_equals_the_latest_started_gives_way() -> None:
    world = full_world(workflow("order", priority=0), agents=3)

    world.run("order", "now")

    assert world.told.interrupted == [("study@low3", PREEMPT)]


def test_equal_priority_never_preempts() -> None:
    world = full_world(workflow("same", priority=2), agents=2)

    world.run("same", "a", "b", "c")

    assert world.told.interrupted == []


def test_a_free_agent_is_used_before_anyone_is_interrupted() -> None:
    world = World(workflow("study", priority=2), workflow("order", priority=0), agents=2)
    world.run("study", "low1")

    world.run("order", "now")

    assert world.told.interrupted == []
    assert world.running() == ["order@now", "study@low1"]


def test_each_urgent_task_costs_one_victim() -> None:
    world = full_world(workflow("order", priority=0), agents=5)

    world.run("order", "a", "b", "c")

    assert sorted(who for who, _ in world.told.interrupted) == ["study@low3", "study@low4", "study@low5"]
    assert world.preemptions == 3


def test_a_second_decision_while_the_victim_is_still_stopping_interrupts_nobody_else() -> None:
    world = full_world(workflow("order", priority=0), workflow("noise", priority=9), agents=3)
    world.deaf.add("study")
    world.run("order", "now")

    world.run("noise", "a", "b")
    world.pass_ms(50)

    assert world.told.interrupted == [("study@low3", PREEMPT)]


def test_a_limited_workflow_evicts_only_as_many_attempts_as_it_can_use() -> None:
    world = full_world(workflow("single", priority=0, max_concurrent=1), agents=2)

    world.run("single", "a", "b")

    assert world.told.interrupted == [("study@low2", PREEMPT)]
    assert world.running() == ["single@a", "study@low1"]


def test_no_agent_is_freed_that_the_task_cannot_use() -> None:
    gpu = task("gpu", capabilities=frozenset({"gpu"}))
    world = World(
        workflow("low", task("low", capabilities=frozenset({"cpu"})), priority=9), workflow("gpu", gpu, priority=0),
        workflow("lowgpu", task("lowgpu", capabilities=frozenset({"gpu"})), priority=5),
        groups=(group("cpu", 1, "cpu"), group("gpu", 1, "gpu")),
    )  # fmt: skip
    world.run("low", "a")
    world.run("lowgpu", "b")

    world.run("gpu", "now")

    assert world.told.interrupted == [("lowgpu@b", PREEMPT)]
    assert world.running() == ["gpu@now", "low@a"]


def test_a_blocked_urgent_task_does_not_stop_a_less_urgent_one_from_preempting() -> None:
    world = full_world(workflow("single", priority=0, max_concurrent=1), workflow("middle", priority=1), agents=3)

    world.run("single", "a", "b")
    world.run("middle", "c")

    assert world.running() == ["middle@c", "single@a", "study@low1"]


# --- law 2: reservation and take-over ----------------------------------------------------------


def test_the_freed_agent_is_kept_for_the_task_it_was_freed_for() -> None:
    world = full_world(workflow("order", priority=0), workflow("middle", priority=1), agents=1)
    world.deaf.add("study")
    world.run("order", "now")
    world.run("middle", "a")

    world.stop("study@low1")

    assert world.running() == ["order@now"]


def test_a_still_more_important_task_takes_the_reservation_over() -> None:
    world = full_world(*[workflow(f"p{n}", priority=n) for n in (0, 1)], agents=2)
    world.deaf.add("study")
    world.run("p1", "a", "b")
    assert len(world.told.interrupted) == 2

    world.run("p0", "now")
    world.stop("study@low2")
    world.stop("study@low1")

    assert len(world.told.interrupted) == 2
    assert world.running() == ["p0@now", "p1@a"]


def test_the_reservation_of_the_least_important_is_taken_over() -> None:
    world = full_world(*[workflow(f"p{n}", priority=n) for n in (0, 1)], agents=2)
    world.deaf.add("study")
    world.run("p1", "a", "b")

    world.run("p0", "now")
    world.stop("study@low1")
    world.stop("study@low2")

    assert world.running() == ["p0@now", "p1@a"]


@pytest.mark.parametrize("first", ["study@low3", "study@low2"])
def test_two_urgent_tasks_cost_two_victims_whichever_stops_first(first: str) -> None:
    world = full_world(workflow("order", priority=0), agents=3)
    world.deaf.add("study")
    world.run("order", "a", "b")

    world.stop(first)
    world.pass_ms(20)

    assert len(world.told.interrupted) == 2
    assert world.preemptions == 2


def test_a_free_agent_that_turns_up_serves_the_first_and_the_freed_one_the_next() -> None:
    world = full_world(*[workflow(f"p{n}", priority=n) for n in (0, 1)], agents=3)
    world.deaf.add("study")
    world.run("p0", "now")
    world.run("p1", "a")

    world.end("study@low1")

    assert "p0@now" in world.running()
    assert world.preemptions == 2
    world.stop("study@low3")
    assert world.running() == ["p0@now", "p1@a", "study@low2"]
    assert world.preemptions == 2


def test_an_agent_that_its_preemptor_no_longer_needs_goes_to_the_next_who_would_preempt() -> None:
    world = full_world(workflow("order", priority=0), agents=3)
    world.deaf.add("study")
    world.run("order", "a")
    world.end("study@low1")  # a has its agent now; low3 still stops.

    world.run("order", "b")
    world.stop("study@low3")

    assert world.running() == ["order@a", "order@b", "study@low2"]
    assert world.preemptions == 1


def test_an_urgent_task_that_is_cancelled_gives_its_reservation_back() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("order", "now")

    world.cancel("now")
    world.stop("study@low1")

    assert world.instance("now").status == "cancelled"
    assert world.running() == ["study@low1"]


# --- law 5: no thrash --------------------------------------------------------------------------


def test_an_attempt_is_not_preempted_before_its_min_runtime_and_then_at_once() -> None:
    world = World(workflow("study", task("study", min_runtime_ms=200)), workflow("order", priority=0), agents=1)
    world.run("study", "a")
    world.run("order", "now")

    world.pass_ms(199)
    assert world.running() == ["study@a"]
    world.pass_ms(1)
    assert world.running() == ["order@now"]


def test_min_runtime_makes_the_next_best_the_victim() -> None:
    world = World(
        workflow("calm", priority=3), workflow("fresh", task("fresh", min_runtime_ms=500), priority=9),
        workflow("order", priority=0), agents=2,
    )  # fmt: skip
    world.run("calm", "a")
    world.run("fresh", "b")

    world.run("order", "now")

    assert world.told.interrupted == [("calm@a", PREEMPT)]


def test_a_min_runtime_that_rings_for_an_attempt_that_is_gone_does_nothing() -> None:
    world = World(workflow("study", task("study", min_runtime_ms=200)), agents=1)
    world.run("study", "a")
    attempt = world.live("study@a").job.attempt
    world.end("study@a")
    assert not [key for key in world.timers if key[1] == ("min", attempt)]

    world.tell(SCHEDULER, MinRuntimeOver(attempt))

    assert world.instance("a").status == "completed"


def test_a_min_runtime_that_rang_for_an_earlier_stretch_does_nothing() -> None:
    """Found by a storm: it was on its way when its attempt was suspended, and came when that had been resumed."""
    world = World(workflow("study", task("study", min_runtime_ms=200)), workflow("order", priority=0), agents=1)
    world.run("study", "a")
    world.pass_ms(50)

    world.tell(SCHEDULER, MinRuntimeOver(world.told.jobs[0].attempt))
    world.run("order", "now")

    assert world.told.interrupted == []
    world.pass_ms(150)
    assert world.told.interrupted == [("study@a", PREEMPT)]


def test_after_max_preemptions_a_task_is_protected() -> None:
    world = World(workflow("study", task("study", max_preemptions=2)), workflow("order", priority=0), agents=1)
    world.run("study", "a")
    for _ in range(2):
        world.run("order", "now")
        world.end("order@now")

    world.run("order", "late")

    assert world.running() == ["study@a"]
    world.end("study@a")
    assert world.running() == ["order@late"]


# --- law 6: exempt -----------------------------------------------------------------------------


def test_what_is_not_preemptible_is_left_alone() -> None:
    world = World(workflow("wire", task("wire", preemptible=False), priority=9), workflow("order", priority=0))
    world.run("wire", "a")

    world.run("order", "now")

    assert world.running() == ["wire@a"]


def test_a_task_that_preempts_never_waits_for_a_free_agent_and_then_comes_first() -> None:
    world = full_world(workflow("polite", task("polite", preempts=False), priority=0), agents=1)
    world.run("study", "later")

    world.run("polite", "a")
    assert world.told.interrupted == []

    world.end("study@low1")
    assert world.running() == ["polite@a"]


def test_a_polite_task_does_not_keep_a_less_important_one_from_preempting() -> None:
    world = full_world(
        workflow("polite", task("polite", preempts=False), priority=0), workflow("order", priority=1), agents=1
    )

    world.run("polite", "a")
    world.run("order", "b")

    assert world.told.interrupted == [("study@low1", PREEMPT)]


# --- law 7: succession -------------------------------------------------------------------------


def test_an_urgent_chain_costs_one_preemption_whatever_waits() -> None:
    world = full_world(chain("urgent", 3, priority=0), agents=5)
    world.run("study", *[f"later{n}" for n in range(50)])

    world.run("urgent", "now")
    for step in ("urgent1", "urgent2", "urgent3"):
        world.end(f"{step}@now")

    assert world.instance("now").status == "completed"
    assert world.preemptions == 1
    assert len(world.running()) == 5


def test_a_freed_agent_goes_to_equally_important_work_at_once() -> None:
    world = full_world(workflow("order", priority=0), workflow("same", priority=0), agents=1)
    world.run("order", "a")
    world.run("same", "b")

    world.end("order@a", settle=False)
    world.deliver("agent_0", SCHEDULER)  # The keeper has not recorded the end yet.
    world.deliver("agent_0")

    assert world.running() == ["same@b"]


def test_a_freed_agent_goes_to_less_important_work_only_when_the_end_is_recorded() -> None:
    world = World(workflow("order", priority=0), workflow("study", priority=2), agents=1)
    world.run("order", "a")
    world.run("study", "b")

    world.end("order@a", settle=False)
    world.deliver("agent_0", SCHEDULER, "agent_0")
    assert world.running() == []
    world.deliver(KEEPER, SCHEDULER, "agent_0")

    assert world.running() == ["study@b"]


def test_the_end_of_an_urgent_task_that_fails_lets_go_of_its_agent_too() -> None:
    world = World(workflow("order", priority=0), workflow("study", priority=2), agents=1)
    world.run("order", "a")
    world.run("study", "b")

    world.fail("order@a")

    assert world.running() == ["study@b"]


# --- processes ---------------------------------------------------------------------------------


def test_a_process_that_does_not_stop_is_killed_after_its_grace() -> None:
    study = task("study", isolation=Isolation.PROCESS, grace_ms=70)
    world = World(workflow("study", study), workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("study", "a")
    world.run("order", "now")

    world.pass_ms(69)
    assert world.told.killed == []
    world.pass_ms(1)

    assert world.told.killed == ["study@a"]
    assert world.running() == ["order@now"]
    assert world.task("study@a").attempts[0].killed


def test_an_agent_that_is_set_aside_does_not_hide_one_that_is_being_freed_for_nobody() -> None:
    world = full_world(workflow("order", priority=0), agents=3)
    world.deaf.add("study")

    def urgent(entity: str) -> None:
        world.run("order", entity, settle=False)
        world.deliver(KEEPER, SCHEDULER)

    def given_up(entity: str) -> None:
        world.post(KEEPER, world.cancel_message(entity))
        world.deliver(KEEPER, SCHEDULER, KEEPER)

    urgent("a")
    given_up("a")
    stuck = world.live("study@low3")
    world.post(SCHEDULER, AttemptStuck(stuck.agent, 1, stuck.job.attempt))
    world.deliver(SCHEDULER)  # Its agent has not come back yet.
    urgent("b")
    given_up("b")

    urgent("c")

    assert len(world.messages(CancelAttempt)) == 2, "the agent that b had freed is c's"
