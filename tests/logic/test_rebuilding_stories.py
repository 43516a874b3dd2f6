"""A logic crashes in the middle of a story: the rule for what must be known again afterwards, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from actors.effects import KEEPER, ROUTER, SCHEDULER, Kill, Send
from actors.errors import EngineError
from actors.logic.reaping import Death, Orphan
from actors.logic.working import Working
from actors.messages import (
    ActionEnded,
    AgentDied,
    AgentReady,
    AttemptAssigned,
    AttemptClosed,
    AttemptEnded,
    AwaitIdle,
    CancelAttempt,
    CancelTask,
    DueEvent,
    ExplainTask,
    PauseWorkflow,
    Publish,
    ReportWork,
    RunAttempt,
    ScheduleEvents,
    StopAgents,
    WorkReport,
)
from actors.model import (
    NOBODY,
    NS_PER_MS,
    AgentName,
    Delivery,
    ErrorInfo,
    Event,
    Isolation,
    OnPreempt,
    Outcome,
    OutcomeKind,
    Trigger,
    WorkflowId,
)
from tests.logic.worlds import World, full_world, on_data, task, workflow

BOTH = pytest.mark.parametrize("lose", [False, True], ids=["inbox kept", "inbox lost"])
FROZEN = task("frozen", isolation=Isolation.PROCESS, on_preempt=OnPreempt.SUSPEND)


def crash(world: World, *names: str, lose: bool = False) -> None:
    for name in names:
        world.crash(name, lose_inbox=lose)


# --- the scheduler -------------------------------------------------------------------------------


@BOTH
def test_what_runs_goes_on_and_what_waits_keeps_its_place(lose: bool) -> None:
    world = full_world(workflow("order", priority=0), workflow("late", priority=0), agents=2)
    world.run("study", "low3", "low4")
    began = list(world.told.started)

    crash(world, SCHEDULER, lose=lose)
    world.settle()

    assert world.told.started == began
    world.end("study@low1")
    assert world.running() == ["study@low2", "study@low3"]


@BOTH
def test_an_end_that_the_crashed_scheduler_never_read_is_recorded_once(lose: bool) -> None:
    world = full_world(agents=1)
    world.end("study@low1", settle=False)
    world.deliver("agent_0")

    crash(world, SCHEDULER, lose=lose)
    world.settle()

    assert world.instance("low1").status == "completed"
    assert len(world.messages(AttemptClosed)) == 1
    assert len(world.task("study@low1").attempts) == 1


@BOTH
def test_a_victim_that_is_being_stopped_is_not_cancelled_twice(lose: bool) -> None:
    world = full_world(workflow("order", priority=0), agents=2)
    world.deaf.add("study")
    world.run("order", "now")

    crash(world, SCHEDULER, lose=lose)
    world.settle()

    assert len(world.messages(CancelAttempt)) == 1
    world.stop("study@low2")
    assert world.running() == ["order@now", "study@low1"]


@BOTH
def test_a_suspended_attempt_goes_on_and_its_time_stands_still(lose: bool) -> None:
    world = World(workflow("frozen", FROZEN, priority=4), workflow("order", priority=0))
    world.run("frozen", "a")
    world.run("order", "now")
    world.pass_ms(50)

    crash(world, SCHEDULER, lose=lose)
    world.pass_ms(50)
    world.end("order@now")

    assert world.running() == ["frozen@a"]
    (resumed,) = [m for m in world.sent if type(m[2]).__name__ == "ResumeAttempt"]
    assert resumed[2].paused == 100 * NS_PER_MS  # type: ignore[union-attr]
    assert world.task("frozen@a").preemptions == 1


def test_a_suspension_that_the_crashed_scheduler_never_read_is_no_second_start() -> None:
    world = World(workflow("frozen", FROZEN, priority=4), workflow("order", priority=0))
    world.run("frozen", "a")
    world.run("order", "now", settle=False)
    world.deliver(KEEPER, SCHEDULER, "agent_0", "agent_0")

    crash(world, SCHEDULER, lose=True)
    world.settle()
    world.end("order@now")

    assert world.told.started == ["frozen@a", "order@now"]
    assert world.running() == ["frozen@a"]


def test_a_paused_workflow_stays_paused_and_a_cancelled_task_is_stopped() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.ask(KEEPER, PauseWorkflow(WorkflowId("order"), paused=True))
    world.run("order", "now")
    world.post(KEEPER, world.cancel_message("low1"))
    world.deliver(KEEPER)

    crash(world, SCHEDULER, lose=True)
    world.settle()

    assert world.running() == ["study@low1"]
    assert world.messages(CancelAttempt)[-1].reason == "cancel"
    assert len(world.messages(CancelTask)) == 2
    world.stop("study@low1")
    assert world.running() == []
    assert world.instance("low1").status == "cancelled"


@BOTH
def test_a_limit_counts_what_runs_and_what_was_set_aside(lose: bool) -> None:
    world = World(workflow("study", priority=2, max_concurrent=1), workflow("order", priority=0))
    world.deaf.add("study")
    world.run("study", "a", "b")
    world.run("order", "now")
    world.pass_ms(150)
    assert world.running() == ["order@now"]

    crash(world, SCHEDULER, lose=lose)
    world.settle()
    world.end("order@now")

    assert world.running() == []  # study@a still goes on, set aside.
    world.stop("study@a")
    assert len(world.running()) == 1


def test_the_minimum_runtime_counts_from_when_the_attempt_began() -> None:
    world = World(workflow("slow", task("slow", min_runtime_ms=100), priority=5), workflow("order", priority=0))
    world.run("slow", "a")
    world.pass_ms(60)
    world.run("order", "now")

    crash(world, SCHEDULER)
    world.pass_ms(39)
    assert world.running() == ["slow@a"]
    world.pass_ms(1)

    assert world.running() == ["order@now"]


def test_an_order_to_run_that_nobody_heard_costs_nothing() -> None:
    world = World(workflow("study", task("study", delivery=Delivery.AT_MOST_ONCE)))
    world.run("study", "a", settle=False)
    world.deliver(KEEPER, SCHEDULER, KEEPER)  # Assigned and recorded; the release is on its way.

    crash(world, SCHEDULER, lose=True)
    world.settle()

    study = world.task("study@a")
    assert world.running() == ["study@a"]
    assert (study.infra_losses, study.retries, study.preemptions) == (0, 0, 0)


@BOTH
def test_checkpoints_go_on_being_taken(lose: bool) -> None:
    world = full_world(agents=1)
    action = world.live("study@low1")
    world.checkpoint("study@low1", "first")
    crash(world, SCHEDULER, lose=lose)
    world.settle()
    world.checkpoint("study@low1", "second")

    assert action.credit
    assert world.task("study@low1").checkpoint == "second"


def test_a_stop_that_is_under_way_is_answered_and_gives_no_more_time_than_it_gave() -> None:
    world = full_world(agents=2)
    stopped = world.promise(SCHEDULER, StopAgents(40, world.now))
    world.pass_ms(20)

    crash(world, SCHEDULER)
    world.pass_ms(19)
    assert [world.running(), stopped.kept] == [["study@low1", "study@low2"], False]
    world.pass_ms(1)

    assert stopped.kept
    assert world.running() == []


def test_who_asks_why_is_answered_though_the_scheduler_crashed() -> None:
    world = full_world(agents=1)
    asked = world.promise(KEEPER, ExplainTask(world.task("study@low1").id))
    world.deliver(KEEPER)

    crash(world, SCHEDULER)
    world.settle()

    assert asked()["why"] == "it runs on agent_0"


def test_a_scheduler_that_crashes_while_it_is_rebuilt_waits_for_the_newest_answers_only() -> None:
    world = full_world(workflow("order", priority=0), agents=2)
    crash(world, SCHEDULER)
    world.deliver(KEEPER, "agent_0")
    crash(world, SCHEDULER)
    world.deliver("agent_0", SCHEDULER, "agent_1", SCHEDULER)
    assert len(world.messages(WorkReport)) == 4
    world.run("order", "now")

    assert world.running() == ["order@now", "study@low1"]


# --- the router ----------------------------------------------------------------------------------


def test_a_publisher_is_answered_once_and_its_event_acted_on_once() -> None:
    world = World(on_data("quotes"))
    receipt = world.promise(ROUTER, Publish((Event("DATA_READY", "a", id="tick-1"),)))
    world.deliver(ROUTER, KEEPER)  # Accepted; the answer is on its way.

    crash(world, ROUTER)
    world.settle()

    (answer,) = receipt()
    assert answer.receipt.duplicate
    assert len(world.instances("a")) == 1
    assert world.stats(KEEPER)["events"]["accepted"] == 1


def test_events_that_waited_in_line_are_published_after_all() -> None:
    world = World(on_data("quotes"), agents=2)
    answers = [world.promise(ROUTER, Publish((Event("DATA_READY", e, id=e),))) for e in "ab"]
    for promise in answers:
        world.logic[ROUTER].receive(world.inbox[ROUTER].popleft()[1], world.now)
        assert not promise.kept
    crash(world, ROUTER)
    world._post(ROUTER, Publish((Event("DATA_READY", "a", id="a"),), answers[0].number))
    world._post(ROUTER, Publish((Event("DATA_READY", "b", id="b"),), answers[1].number))
    world.settle()

    assert world.running() == ["quotes@a", "quotes@b"]
    assert all(promise.kept for promise in answers)


@BOTH
def test_timed_events_come_in_their_time_and_once(lose: bool) -> None:
    world = World(on_data("quotes"), agents=3)
    timed = [DueEvent(world.now + ms * NS_PER_MS, Event("DATA_READY", e, id=e)) for ms, e in ((10, "a"), (60, "b"))]
    told = world.promise(ROUTER, ScheduleEvents(tuple(timed)))
    world.pass_ms(10)
    assert world.running() == ["quotes@a"]

    crash(world, ROUTER, lose=lose)
    assert not world.idle()
    world.pass_ms(49)
    assert world.running() == ["quotes@a"]
    world.pass_ms(1)

    assert world.running() == ["quotes@a", "quotes@b"]
    assert [a.receipt is not None for a in told()] == [True, True]


@BOTH
def test_what_follows_from_an_outcome_is_not_lost_with_the_router(lose: bool) -> None:
    world = World(on_data("quotes"), workflow("after", trigger=Trigger.EVENT, trigger_event="TASK_COMPLETED"), agents=2)
    world.publish("a")
    world.end("quotes@a", settle=False)
    world.deliver("agent_0", SCHEDULER, KEEPER)

    crash(world, ROUTER, lose=lose)
    world.settle()

    assert world.running() == ["after@a"]
    world.end("after@a")
    assert world.idle()
    assert len(world.instances("a")) == 2


def test_priorities_of_entities_are_known_again() -> None:
    world = World(on_data("quotes"))
    world.put("a", priority=0)
    crash(world, ROUTER)
    world.settle()

    world.publish("a")

    assert world.routing._priorities == {"a": 0}


def test_who_waits_for_idleness_is_answered_by_the_next_router() -> None:
    world = World(on_data("quotes"))
    timed = DueEvent(world.now + NS_PER_MS, Event("DATA_READY", "a", id="a"))
    world.promise(ROUTER, ScheduleEvents((timed,)))
    idle = world.promise(ROUTER, AwaitIdle(NOBODY))
    world.settle()

    crash(world, ROUTER)
    world.pass_ms(1)
    assert not idle.kept
    world.end("quotes@a")

    assert idle.kept


def test_an_answer_meant_for_the_crashed_router_is_nobodys() -> None:
    world = World(on_data("quotes"))
    first = world.promise(ROUTER, Publish((Event("DATA_READY", "a", id="a"),)))
    world.deliver(ROUTER, KEEPER)
    crash(world, ROUTER)
    second = world.promise(ROUTER, Publish((Event("DATA_READY", "b", id="b"),)))

    world.settle()

    assert [p()[0].receipt.event_id for p in (first, second)] == ["a", "b"]


def test_who_published_into_an_inbox_that_was_lost_is_told() -> None:
    world = World(on_data("quotes"))
    asked = world.promise(ROUTER, Publish((Event("DATA_READY", "a", id="a"),)))

    crash(world, ROUTER, lose=True)

    assert isinstance(asked(), EngineError)


# --- an agent ------------------------------------------------------------------------------------


@BOTH
def test_an_agents_crash_is_one_loss_for_what_ran_there_and_it_comes_back(lose: bool) -> None:
    world = full_world(agents=2)
    crash(world, "agent_0", lose=lose)
    world.settle()

    study = world.task("study@low1")
    assert (study.infra_losses, study.retries, study.preemptions) == (1, 0, 0)
    assert [str(a.outcome) for a in study.attempts] == ["lost", "None"]
    assert world.running() == ["study@low1", "study@low2"]
    assert world.messages(AgentReady)[-1].incarnation == 2


def test_the_notice_of_death_comes_after_everything_that_had_begun_is_gone() -> None:
    world = full_world(agents=1)
    world.deaf.add("study")
    crash(world, "agent_0")
    world.pass_ms(99)
    assert not world.messages(AgentDied)
    assert world.stats()["agents"]["running"] + world.stats()["agents"]["stopping"] == 1

    world.pass_ms(1)  # Its grace is over: a thread is set aside.

    assert [m.incarnation for m in world.messages(AgentDied)] == [1]
    assert world.told.abandoned == ["study@low1"]
    assert world.running() == []
    world.stop("study@low1")
    assert world.running() == ["study@low1"]


@BOTH
def test_what_a_crashed_agent_set_aside_is_one_loss_when_it_ends_though_the_scheduler_crashed_too(lose: bool) -> None:
    world = full_world(agents=1)
    world.deaf.add("study")
    crash(world, "agent_0")
    world.settle()
    crash(world, SCHEDULER, lose=lose)
    world.pass_ms(100)
    crash(world, "agent_0", SCHEDULER, lose=lose)
    world.settle()
    world.stop("study@low1")

    assert world.running() == ["study@low1"]
    assert world.task("study@low1").infra_losses == 1


def test_a_completion_that_comes_while_a_crashed_agent_gives_it_up_is_a_completion() -> None:
    world = full_world(agents=1)
    world.deaf.add("study")
    crash(world, "agent_0")
    world.end("study@low1")

    assert world.instance("low1").status == "completed"
    assert world.task("study@low1").infra_losses == 0


def test_a_checkpoint_survives_the_agent() -> None:
    world = full_world(agents=1)
    world.live("study@low1").checkpoint = "half"
    crash(world, "agent_0")
    world.settle()

    assert world.told.jobs[-1].restored == "half"


def test_an_order_to_run_that_was_lost_with_its_agent_is_closed() -> None:
    world = World(workflow("study"))
    world.run("study", "a", settle=False)
    world.deliver(KEEPER, SCHEDULER)
    crash(world, "agent_0", lose=True)
    world.settle()

    assert world.running() == ["study@a"]
    assert world.task("study@a").infra_losses == 1


def test_an_order_to_go_on_that_was_lost_with_its_agent_leaves_the_attempt_suspended() -> None:
    world = World(workflow("frozen", FROZEN, priority=4), workflow("order", priority=0))
    world.run("frozen", "a")
    world.run("order", "now")
    world.end("order@now", settle=False)
    world.deliver("agent_0", SCHEDULER, KEEPER, SCHEDULER)
    assert world.messages(AttemptAssigned)[-1].resumed

    crash(world, "agent_0", lose=True)
    world.settle()

    assert world.running() == ["frozen@a"]
    assert world.told.started == ["frozen@a", "order@now"]
    assert (world.task("frozen@a").infra_losses, world.task("frozen@a").preemptions) == (0, 1)


def test_the_end_of_a_suspended_attempt_is_asked_for_again() -> None:
    world = World(workflow("frozen", FROZEN, priority=4), workflow("order", priority=0))
    world.run("frozen", "a")
    world.run("order", "now")
    world.post(KEEPER, world.cancel_message("a"))
    world.deliver(KEEPER, SCHEDULER)

    crash(world, "agent_0", lose=True)
    world.settle()

    assert world.instance("a").status == "cancelled"
    assert world.told.killed == ["frozen@a"]


@pytest.mark.parametrize("agent_crashes", [False, True])
def test_the_end_of_a_suspended_attempt_that_the_crashed_scheduler_never_read_is_recorded_once(
    agent_crashes: bool,
) -> None:
    world = World(workflow("frozen", FROZEN, priority=4), workflow("order", priority=0))
    world.deaf.add("order")
    world.run("frozen", "a")
    world.run("order", "now")
    world.post(KEEPER, world.cancel_message("a"))
    world.deliver(KEEPER, SCHEDULER, "agent_0", "agent_0")
    assert world.told.ended == [("frozen@a", "stopped")]
    if agent_crashes:  # It forgets that it was to end it, and has other work that does not hear.
        crash(world, "agent_0")

    crash(world, SCHEDULER, lose=True)
    world.settle()

    assert world.instance("a").status == "cancelled"
    assert [message.attempt.task for message in world.messages(AttemptClosed)] == [4096]
    assert not world.scheduling.floor.ending
    world.deaf.clear()
    world.finish_all()


def test_a_reservation_on_an_agent_that_dies_is_given_back() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("order", "now")
    crash(world, "agent_0")
    world.deaf.clear()
    world.settle()
    world.stop("study@low1")

    assert world.running() == ["order@now"]
    assert world.task("study@low1").infra_losses == 1


def test_an_agent_that_is_taken_out_ends_what_it_had_and_gets_nothing_more() -> None:
    world = full_world(agents=1)
    name = AgentName("agent_0")
    world.working[name] = world.logic[name] = world._next_working(name, final=True)
    world._perform(name, world.working[name].begin(world.now))
    world.settle()

    assert world.messages(AgentDied)[-1].final
    assert world.running() == []
    crash(world, SCHEDULER)
    world.settle()
    assert world.stats()["agents"] == {
        "idle": 0,
        "running": 0,
        "stopping": 0,
        "suspended": 0,
        "set_aside": 0,
        "drained": 0,
    }
    assert world.running() == []


def test_a_notice_of_an_older_incarnation_changes_nothing() -> None:
    world = full_world(agents=1)
    crash(world, "agent_0")
    world.settle()

    world.tell(SCHEDULER, AgentDied(AgentName("agent_0"), 1, ErrorInfo("Old", "news")))

    assert world.running() == ["study@low1"]
    assert world.task("study@low1").infra_losses == 1


# --- messages that are given up ------------------------------------------------------------------


def orphaned(world: World) -> tuple[Working, Any]:
    job = world.live("study@low1").job
    death = Death(ErrorInfo("ValueError", "planted"))
    working = Working(AgentName("agent_0"), incarnation=2, orphans=[Orphan(job.attempt, job, 1)], death=death)
    working.begin(world.now)
    return working, job


def test_an_end_that_crashes_its_agent_twice_counts_as_a_loss() -> None:
    world = full_world(agents=1)
    working, job = orphaned(world)
    ended = ActionEnded(job.attempt, Outcome(OutcomeKind.COMPLETED))

    first, *rest = working.quarantined(ended, ErrorInfo("ValueError", "unreadable"), world.now)

    assert isinstance(first, Send)
    assert isinstance(first.message, AttemptEnded)
    assert (first.message.outcome.kind, first.message.incarnation) == (OutcomeKind.LOST, 1)
    assert [type(e.message) for e in rest if isinstance(e, Send)] == [AgentDied, AgentReady]


def test_an_order_to_run_that_crashes_its_agent_is_closed_by_the_notice_of_death() -> None:
    world = full_world(agents=1)
    working, job = orphaned(world)

    assert working.quarantined(RunAttempt(job, 1), ErrorInfo("ValueError", "bad"), world.now) == []


def test_a_question_that_crashes_an_agent_twice_is_answered_all_the_same() -> None:
    world = full_world(agents=1)
    working, job = orphaned(world)

    (effect,) = working.quarantined(ReportWork(3), ErrorInfo("ValueError", "bad"), world.now)

    assert isinstance(effect, Send)
    assert isinstance(effect.message, WorkReport)
    assert effect.message.runs is not None
    assert (effect.message.runs.job, effect.message.incarnation, effect.message.present) == (job, 1, False)


def test_a_suspended_orphan_is_killed_since_it_cannot_hear() -> None:
    world = World(workflow("frozen", FROZEN, priority=4), workflow("order", priority=0))
    world.run("frozen", "a")
    world.run("order", "now", settle=False)
    world.deliver(KEEPER, SCHEDULER, "agent_0")  # Suspended; the agent has not read so.

    crash(world, "agent_0")
    world.settle()

    assert world.told.killed == ["frozen@a"]
    assert world.running() == ["order@now"]
    assert isinstance(Kill(world.told.jobs[0].attempt), Kill)
    assert world.task("frozen@a").infra_losses == 1


def test_an_end_that_crashes_the_scheduler_twice_counts_as_a_loss() -> None:
    world = full_world(agents=1)
    world.end("study@low1", settle=False)
    world.deliver("agent_0")
    ((_, report),) = world.inbox[SCHEDULER]
    world.inbox[SCHEDULER].clear()

    crash(world, SCHEDULER)
    world.logic[SCHEDULER].quarantined(report, ErrorInfo("ValueError", "unreadable"), world.now)
    world.settle()

    assert [str(a.outcome) for a in world.task("study@low1").attempts] == ["lost", "None"]
