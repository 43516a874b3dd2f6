"""Stopping an attempt: the ladder, timeouts, and what is set aside because nothing stops it."""

from __future__ import annotations

from actors.effects import KEEPER, SCHEDULER
from actors.messages import AttemptAssigned, AttemptStuck, GraceOver, TasksReady, TaskWithdrawn
from actors.model import NS_PER_MS, AgentName, Isolation, StopReason
from tests.logic.worlds import World, full_world, on_data, task, workflow

PROCESS = Isolation.PROCESS


# --- timeouts ----------------------------------------------------------------------------------


def test_an_attempt_that_takes_too_long_is_stopped_and_fails() -> None:
    world = World(workflow("work", task("work", timeout_ms=100)))
    world.run("work", "a")

    world.pass_ms(99)
    assert world.running() == ["work@a"]
    world.pass_ms(1)

    assert world.told.interrupted == [("work@a", StopReason.TIMEOUT)]
    error = world.task("work@a").error
    assert error is not None
    assert (error.type, "100 ms" in error.message) == ("Timeout", True)
    assert world.instance("a").status == "failed"


def test_a_timeout_is_a_failure_of_the_action_and_is_retried() -> None:
    world = World(workflow("work", task("work", timeout_ms=100, retry=1)))
    world.run("work", "a")

    world.pass_ms(100)

    assert world.running() == ["work@a"]
    assert (world.task("work@a").retries, world.task("work@a").infra_losses) == (1, 0)


def test_the_timeout_counts_from_the_actions_first_line() -> None:
    world = World(workflow("work", task("work", timeout_ms=100)))
    world.slow_to_begin.add("work")
    world.run("work", "a")
    world.pass_ms(70)
    world.live("work@a").began = world.now

    world.pass_ms(99)
    assert world.running() == ["work@a"]
    world.pass_ms(1)
    assert world.running() == []


def test_an_action_that_never_begins_is_stopped_in_the_end() -> None:
    world = World(workflow("work", task("work", timeout_ms=100)))
    world.slow_to_begin.add("work")
    world.run("work", "a")

    world.pass_ms(29_000)
    assert world.running() == ["work@a"]
    world.pass_ms(2_000)

    assert world.instance("a").status == "failed"


def test_each_attempt_has_its_whole_timeout() -> None:
    world = World(workflow("quick", task("quick", timeout_ms=100)), workflow("long", task("long", timeout_ms=500)))
    world.run("long", "a")
    world.pass_ms(450)
    world.end("long@a")
    world.run("quick", "b")
    world.pass_ms(80)
    world.end("quick@b")
    world.run("long", "c")

    world.pass_ms(499)
    assert world.running() == ["long@c"]
    world.pass_ms(1)
    assert world.running() == []


def test_a_short_timeout_after_a_long_one_is_not_late() -> None:
    world = World(workflow("quick", task("quick", timeout_ms=100)), workflow("long", task("long", timeout_ms=60_000)))
    world.run("long", "a")
    world.end("long@a")
    world.run("quick", "b")

    world.pass_ms(100)

    assert world.task("quick@b").status == "failed"


def test_a_completion_that_crosses_its_timeout_is_a_completion() -> None:
    world = World(workflow("work", task("work", timeout_ms=100)))
    world.deaf.add("work")
    world.run("work", "a")
    world.pass_ms(100)

    world.end("work@a", "just in time")

    assert (world.task("work@a").status, world.task("work@a").result) == ("completed", "just in time")


# --- the ladder --------------------------------------------------------------------------------


def test_a_process_is_told_first_and_killed_when_its_grace_is_over() -> None:
    world = World(workflow("work", task("work", timeout_ms=100, grace_ms=50, isolation=PROCESS)))
    world.deaf.add("work")
    world.run("work", "a")

    world.pass_ms(149)
    assert (world.told.interrupted, world.told.killed) == ([("work@a", StopReason.TIMEOUT)], [])
    world.pass_ms(1)

    assert world.told.killed == ["work@a"]
    assert world.task("work@a").attempts[0].killed


def test_no_grace_kills_at_once() -> None:
    world = World(workflow("work", task("work", timeout_ms=100, grace_ms=0, isolation=PROCESS)))
    world.deaf.add("work")
    world.run("work", "a")

    world.pass_ms(100)

    assert world.told.killed == ["work@a"]


def test_who_stops_within_the_grace_is_not_killed() -> None:
    world = World(workflow("work", task("work", timeout_ms=100, isolation=PROCESS)), agents=1)
    world.run("work", "a", "b")

    world.pass_ms(100)  # a is stopped by its timeout; b starts in its place.
    world.pass_ms(99)

    assert world.told.killed == []
    assert world.running() == ["work@b"]


def test_a_grace_that_rings_for_an_attempt_that_is_gone_does_nothing() -> None:
    world = full_world(workflow("order", task("order", isolation=PROCESS), priority=0), agents=1)
    attempt = world.live("study@low1").job.attempt
    world.run("order", "now")

    world.tell("agent_0", GraceOver(attempt))

    assert world.running() == ["order@now"]


def test_a_cancel_that_follows_a_preemption_decides_what_comes_after() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("order", "now")

    world.cancel("low1")
    world.stop("study@low1")

    assert world.instance("low1").status == "cancelled"


def test_a_preemption_that_follows_a_cancel_does_not_bring_the_task_back() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.cancel("low1")
    world.run("order", "now")

    world.stop("study@low1")

    assert world.instance("low1").status == "cancelled"
    assert world.running() == ["order@now"]


# --- set aside ---------------------------------------------------------------------------------


def test_a_thread_that_does_not_stop_is_set_aside_and_a_fresh_agent_takes_its_place() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("order", "now")

    world.pass_ms(99)
    assert "order@now" not in world.running()
    world.pass_ms(1)

    assert world.told.abandoned == ["study@low1"]
    assert world.running() == ["order@now"]
    assert world.stats()["agents"]["set_aside"] == 1


def test_what_was_set_aside_runs_again_only_when_it_has_ended() -> None:
    world = full_world(workflow("order", priority=0), agents=2)
    world.deaf.add("study")
    world.run("order", "now")
    world.pass_ms(100)
    world.end("order@now")
    assert world.told.started.count("study@low2") == 1  # A free agent, and its old attempt still goes on.

    world.stop("study@low2")

    assert world.told.started.count("study@low2") == 2
    assert world.stats()["agents"]["set_aside"] == 0


def test_a_late_completion_of_what_was_set_aside_is_fenced() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("order", "now")
    world.pass_ms(100)

    world.end("study@low1", "late")
    world.end("order@now")

    assert world.task("study@low1").result is None
    assert world.running() == ["study@low1"]
    assert world.live("study@low1").job.attempt.number == 2


def test_a_set_aside_attempt_counts_against_its_workflows_limit_until_it_ends() -> None:
    world = World(
        workflow("single", task("work"), priority=5, max_concurrent=1), workflow("order", priority=0), agents=1
    )
    world.deaf.add("work")
    world.run("single", "a", "b")
    world.run("order", "now")
    world.pass_ms(100)
    world.end("order@now")
    assert world.running() == []

    world.stop("work@a")

    assert len(world.running()) == 1


def test_as_many_are_set_aside_as_there_are_agents_and_no_more() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("study", "low2")
    world.run("order", "first")
    world.pass_ms(100)
    world.end("order@first")
    assert world.running() == ["study@low2"]

    world.run("order", "second")
    world.pass_ms(10_000)
    assert world.told.abandoned == ["study@low1"]
    assert world.running() == ["study@low2"]  # Its agent is not replaced: one is set aside already.

    world.stop("study@low1")

    assert world.told.abandoned == ["study@low1", "study@low2"]
    assert world.running() == ["order@second"]


def test_who_waits_for_an_agent_that_cannot_be_replaced_has_another_one_freed() -> None:
    world = World(workflow("deaf", priority=9), workflow("study", priority=5), workflow("order", priority=0), agents=2)
    world.deaf.add("deaf")
    world.run("deaf", "a", "b")
    world.run("order", "x", "y")
    world.pass_ms(100)
    world.end("order@x")
    world.end("order@y")  # Both are set aside, both agents are new: there is no room for a third.
    world.run("deaf", "c")
    world.run("study", "d")

    world.run("order", "now")
    world.pass_ms(100)

    assert world.told.interrupted[-2:] == [("deaf@c", StopReason.PREEMPT), ("study@d", StopReason.PREEMPT)]
    assert "order@now" in world.running()


def test_a_timeout_that_cannot_be_enforced_fails_its_task_at_once_and_fences_its_end() -> None:
    world = World(workflow("work", task("work", timeout_ms=100), task("next", after=("work",))), agents=1)
    world.deaf.add("work")
    world.run("work", "a")
    world.pass_ms(200)
    assert world.instance("a").status == "failed"

    world.end("work@a", "late")

    assert world.instance("a").status == "failed"
    assert world.task("next@a").status == "cancelled"


def test_a_cancel_that_cannot_be_enforced_ends_the_instance_at_once() -> None:
    world = World(workflow("work"), agents=1)
    world.deaf.add("work")
    world.run("work", "a")
    world.cancel("a")
    world.pass_ms(99)
    assert world.instance("a").status == "running"

    world.pass_ms(1)

    assert world.instance("a").status == "cancelled"


def test_a_task_that_was_set_aside_can_be_cancelled() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("order", "now")
    world.pass_ms(100)

    world.cancel("low1")

    assert world.instance("low1").status == "cancelled"
    world.stop("study@low1")
    world.end("order@now")
    assert world.running() == []


def test_an_end_that_crosses_the_setting_aside_is_not_lost() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("order", "now")
    world.now += 100_000_000
    world.ring()
    world.deliver("agent_0")
    world.end("study@low1", "done", settle=False)  # The scheduler is told that it is stuck, then that it ended.
    world.settle()

    assert world.running() == ["order@now"]
    world.end("order@now")
    world.finish_all()
    assert world.instance("low1").status == "completed"


def test_what_is_set_aside_while_its_cancel_is_on_its_way_is_given_up_once() -> None:
    world = World(workflow("pair", task("left"), task("right"), priority=2), workflow("order", priority=0), agents=2)
    world.deaf.update(("left", "right"))
    world.run("pair", "a")
    world.run("order", "now")
    stuck = world.live("right@a")
    world.post(SCHEDULER, AttemptStuck(stuck.agent, 1, stuck.job.attempt))
    world.post(KEEPER, world.cancel_message("a"))
    world.deliver(KEEPER)

    world.settle()  # The scheduler sets it aside, and then hears of the cancel.

    assert world.task("right@a").status == "cancelled"
    assert world.task("left@a").status == "running"


def test_what_was_taken_out_for_expiry_and_then_cancelled_does_not_come_back_when_its_neighbour_starts() -> None:
    world = World(workflow("study", task("study"), priority=0), on_data("pair", task("left"), task("right")), agents=1)
    world.run("study", "low")
    world.publish("a", valid_for_ms=10)
    left, right = (ready.job.attempt for ready in world.messages(TasksReady)[-1].tasks)
    world.now += 10 * NS_PER_MS
    world.ring()
    world.deliver(KEEPER)  # Both are to be taken out.

    world.post(KEEPER, TaskWithdrawn(left.task))
    world.post(KEEPER, world.cancel_message("a"))
    world.post(KEEPER, AttemptAssigned(right, AgentName("agent_0"), world.now))
    world.deliver(KEEPER)

    later = [ready.job.attempt for message in world.messages(TasksReady) for ready in message.tasks]
    assert later.count(left) == 1
    assert left.task not in {attempt.task for attempt in later if attempt.number > 1}
