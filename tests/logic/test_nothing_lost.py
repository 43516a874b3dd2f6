"""Laws 3 and 4: what becomes of who gave way. Nothing is lost, nothing doubled, nothing has failed."""

from __future__ import annotations

from actors.effects import KEEPER, SCHEDULER, Send
from actors.messages import AttemptClosed, AttemptEnded, CancelAttempt, RunAttempt
from actors.model import AgentName, OnPreempt, Outcome, OutcomeKind, StopReason
from tests.logic.worlds import World, full_world, task, workflow

PREEMPT = StopReason.PREEMPT


# --- law 3: nothing lost, nothing doubled ------------------------------------------------------


def test_a_preempted_task_goes_on_at_the_front_of_its_level_from_its_checkpoint() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.run("study", "later1", "later2")
    world.checkpoint("study@low1", {"step": 7})
    world.run("order", "now")

    world.end("order@now")

    assert world.running() == ["study@low1"]
    job = world.live("study@low1").job
    assert (job.restored, job.attempt.number) == ({"step": 7}, 2)


def test_a_checkpoint_saved_while_stopping_is_kept() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("order", "now")
    action = world.live("study@low1")
    action.checkpoint, action.credit = {"step": 8}, False

    world.stop("study@low1")
    world.end("order@now")

    assert world.live("study@low1").job.restored == {"step": 8}


def test_a_preempted_task_is_not_started_again_before_its_old_attempt_has_ended() -> None:
    world = full_world(workflow("order", priority=0), agents=2)
    world.deaf.add("study")
    world.run("order", "now")

    world.end("study@low1")  # An agent is free now, and the preemptor has it; low2 still stops.
    world.end("order@now")

    assert world.told.started.count("study@low2") == 1
    world.stop("study@low2")
    assert world.told.started.count("study@low2") == 2


def test_a_completion_that_wins_the_race_against_the_cancel_is_a_completion() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.run("order", "now", settle=False)
    world.deliver(KEEPER, SCHEDULER)  # The cancel is on its way ...

    world.end("study@low1", 42)  # ... and the action returns.

    assert world.messages(CancelAttempt)
    assert world.task("study@low1").status == "completed"
    assert (world.task("study@low1").result, world.task("study@low1").preemptions) == (42, 0)
    assert world.told.interrupted == []
    assert world.running() == ["order@now"]


def test_a_late_cancel_never_hits_the_next_attempt_on_that_agent() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.run("order", "now")
    stale = world.messages(CancelAttempt)[0]

    world.tell("agent_0", stale)

    assert world.running() == ["order@now"]
    assert world.told.interrupted == [("study@low1", PREEMPT)]


def test_a_report_of_an_older_attempt_changes_nothing() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.run("order", "now")
    world.end("order@now")
    stale = world.messages(AttemptClosed)[0]
    assert stale.attempt.number == 1

    world.tell(KEEPER, stale)

    assert world.running() == ["study@low1"]
    assert (world.task("study@low1").status, world.task("study@low1").preemptions) == ("running", 1)
    assert len(world.task("study@low1").attempts) == 2


def test_a_report_from_an_older_incarnation_does_not_free_the_agent() -> None:
    world = full_world(workflow("order", priority=0), workflow("other", priority=0), agents=1)
    world.deaf.add("study")
    world.run("order", "now")
    world.pass_ms(150)  # The thread does not stop: set aside, and the agent comes back as a new incarnation.
    assert world.running() == ["order@now"]

    world.run("other", "b")
    world.stop("study@low1")

    assert world.running() == ["order@now"]


def test_an_end_that_names_another_incarnation_is_no_end() -> None:
    world = full_world(agents=1)
    attempt = world.live("study@low1").job.attempt
    report = AttemptEnded(AgentName("agent_0"), 7, attempt, Outcome(OutcomeKind.COMPLETED))

    world.tell(SCHEDULER, report)

    assert world.task("study@low1").status == "running"
    assert world.stats()["agents"]["running"] == 1


def test_a_cancel_that_crosses_the_end_of_a_preempted_attempt_is_not_forgotten() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("order", "now")
    cancel = world.cancel_message("low1")
    world._end(world.live("study@low1"), OutcomeKind.STOPPED)
    world.deliver("agent_0", SCHEDULER)  # The end is on its way to the keeper ...
    told = list(world.inbox[KEEPER])
    world.inbox[KEEPER].clear()
    world.post(KEEPER, cancel)
    world.inbox[KEEPER].extend(told)  # ... behind the cancel, which the scheduler reads in vain.
    world.deliver(KEEPER, most=1)
    world.deliver(SCHEDULER)

    world.settle()
    world.end("order@now")

    assert (world.instance("low1").status, world.running()) == ("cancelled", [])


def test_what_is_assigned_to_an_agent_of_an_older_incarnation_is_refused() -> None:
    world = World(workflow("study"), agents=1)
    world.run("study", "a")
    job = world.live("study@a").job
    world.end("study@a")

    (effect,) = world.working[AgentName("agent_0")].receive(RunAttempt(job, incarnation=9), world.now)

    assert isinstance(effect, Send)
    assert isinstance(effect.message, AttemptEnded)
    assert effect.message.outcome.kind is OutcomeKind.LOST


# --- law 4: preemption is no failure -----------------------------------------------------------


def test_preemption_leaves_the_retries_alone() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    for _ in range(4):
        world.run("order", "now")
        world.end("order@now")

    study = world.task("study@low1")
    assert (study.preemptions, study.retries, study.infra_losses) == (4, 0, 0)
    assert study.status == "running"


def test_the_three_counters_are_separate() -> None:
    world = World(workflow("study", task("study", retry=5)), workflow("order", priority=0), agents=1)
    world.run("study", "a")
    world.fail("study@a")
    world.lose("study@a")
    world.lose("study@a")
    world.run("order", "now")
    world.end("order@now")
    world.end("study@a")

    study = world.task("study@a")
    assert (study.retries, study.infra_losses, study.preemptions) == (1, 2, 1)
    assert [str(a.outcome) for a in study.attempts] == ["failed", "lost", "lost", "stopped", "completed"]


# --- on_preempt: cancel ------------------------------------------------------------------------


def test_on_preempt_cancel_gives_the_task_up() -> None:
    world = World(
        workflow("cheap", task("cheap", on_preempt=OnPreempt.CANCEL), task("rest", after=("cheap",))),
        workflow("order", priority=0),
    )
    world.run("cheap", "a")

    world.run("order", "now")

    assert world.instance("a").status == "cancelled"
    assert [t.status for t in world.instance("a").tasks] == ["cancelled", "cancelled"]
    assert world.entity("a").status == "failed"
