"""Law 9 and what people steer: priorities, pauses, cancels."""

from __future__ import annotations

import pytest

from actors.effects import KEEPER, SCHEDULER
from actors.errors import NotFoundError, RefusedError
from actors.messages import Cancel, ExplainTask, PauseWorkflow, ReadQueues, ResolveTask, RunWorkflow
from actors.model import NOBODY, EntityId, OnUnknownEntity, StopReason, WorkflowId
from tests.logic.worlds import World, chain, full_world, group, on_data, task, workflow

PREEMPT = StopReason.PREEMPT


def pause(world: World, name: str, *, paused: bool = True) -> None:
    world.ask(KEEPER, PauseWorkflow(WorkflowId(name), paused))


def why(world: World, label: str) -> str:
    text: str = world.ask(KEEPER, ExplainTask(world.task(label).id))["why"]
    return text


def test_a_waiting_task_that_is_raised_preempts_at_once() -> None:
    world = full_world(workflow("other", priority=5), agents=2)
    world.run("other", "a")
    assert world.told.interrupted == []

    world.set_priority("a", 0)

    assert world.told.interrupted == [("study@low2", PREEMPT)]
    assert "other@a" in world.running()


def test_a_running_task_that_is_lowered_becomes_a_victim() -> None:
    world = full_world(workflow("same", priority=2), agents=2)
    world.run("same", "a")
    assert world.told.interrupted == []

    world.set_priority("low1", 9)

    assert world.told.interrupted == [("study@low1", PREEMPT)]
    assert "same@a" in world.running()


def test_a_running_task_that_is_raised_is_a_victim_no_more() -> None:
    world = full_world(workflow("order", priority=1), agents=2)
    world.set_priority("low2", 0)

    world.run("order", "now")

    assert world.told.interrupted == [("study@low1", PREEMPT)]


@pytest.mark.parametrize("raised", [{"low2": 0}, {"low3": 0}, {"low2": 1, "low3": 1}])
def test_an_agent_freed_for_nobody_is_known_by_what_its_attempt_counts_as_now(
    raised: dict[str, int],
) -> None:
    """Found by a storm: one whose attempt had been raised meanwhile hid the other, and a third victim was taken."""
    world = full_world(workflow("order", priority=0), agents=3)
    world.deaf |= {"study"}
    world.run("order", "a", "b")
    assert world.told.interrupted == [("study@low2", PREEMPT), ("study@low3", PREEMPT)]
    world.cancel("a")
    world.cancel("b")

    for entity, priority in raised.items():
        world.set_priority(entity, priority)
    world.run("order", "c")

    assert world.told.interrupted == [("study@low2", PREEMPT), ("study@low3", PREEMPT)]


def test_a_waiting_task_that_is_lowered_lets_others_go_first() -> None:
    world = full_world(workflow("same", priority=2), agents=1)
    world.run("same", "a", "b")
    world.set_priority("a", 7)

    world.end("study@low1")

    assert world.running() == ["same@b"]


def test_a_task_alone_can_be_given_a_priority() -> None:
    world = full_world(workflow("two", task("x"), task("y"), priority=5), agents=1)
    world.run("two", "a")

    world.set_priority("y@a", 0)

    assert world.running() == ["y@a"]
    assert [t.priority for t in world.instance("a").tasks] == [5, 0]


def test_a_priority_that_is_set_holds_for_the_tasks_still_to_come() -> None:
    world = full_world(chain("urgent", 2, priority=5), agents=1)
    world.run("urgent", "a")
    world.set_priority("a", 0)

    world.end("urgent1@a")

    assert world.running() == ["urgent2@a"]


def test_a_set_priority_replaces_a_raise() -> None:
    world = full_world(workflow("two", task("x", priority=1), priority=5), agents=1)
    world.run("two", "a")

    world.set_priority("a", 8)

    assert world.task("x@a").priority == 8
    assert world.instance("a").priority == 8


def test_the_raised_one_takes_the_reservation_over() -> None:
    world = full_world(workflow("p0", priority=0), workflow("p1", priority=1), agents=1)
    world.deaf.add("study")
    world.run("p0", "a")
    world.run("p1", "b")

    world.set_priority("a", 2)
    world.stop("study@low1")

    assert world.running() == ["p1@b"]


def test_a_paused_workflow_starts_nothing_and_what_runs_goes_on() -> None:
    world = World(workflow("study"), workflow("other", priority=9), agents=1)
    world.run("study", "a", "b")
    pause(world, "study")
    world.run("other", "c")
    world.end("study@a")
    assert world.running() == ["other@c"]

    pause(world, "study", paused=False)
    world.end("other@c") if "other@c" in world.running() else None

    assert world.running() == ["study@b"]


def test_a_workflow_that_was_paused_while_nothing_ran_starts_nothing() -> None:
    world = World(workflow("study"), agents=2)
    pause(world, "study")
    world.run("study", "a")
    assert world.running() == []

    pause(world, "study", paused=False)

    assert world.running() == ["study@a"]


def test_pausing_gives_back_an_agent_that_was_being_freed() -> None:
    world = full_world(workflow("order", priority=0), workflow("middle", priority=1), agents=1)
    world.deaf.add("study")
    world.run("order", "now")
    pause(world, "order")
    world.run("middle", "m")

    world.stop("study@low1")

    assert world.running() == ["middle@m"]
    assert world.preemptions == 1


def test_resuming_a_workflow_at_its_limit_does_not_overrun_it() -> None:
    world = World(workflow("single", max_concurrent=1), agents=3)
    world.run("single", "a", "b")
    pause(world, "single")

    pause(world, "single", paused=False)

    assert world.running() == ["single@a"]


def test_pausing_and_resuming_with_nobody_waiting_does_nothing() -> None:
    world = World(workflow("study"), agents=1)
    pause(world, "study")
    pause(world, "study")
    pause(world, "study", paused=False)
    pause(world, "study", paused=False)

    world.run("study", "a")

    assert world.running() == ["study@a"]


def test_pausing_an_unknown_workflow_is_refused_by_name() -> None:
    world = World(workflow("study"))

    with pytest.raises(NotFoundError, match=r"nothere.*study"):
        pause(world, "nothere")


def test_cancelling_stops_what_runs_and_takes_out_what_waits() -> None:
    world = World(workflow("study", task("x"), task("y"), task("z", after=("x",))), agents=1)
    world.run("study", "a")

    world.cancel("a")

    assert world.instance("a").status == "cancelled"
    assert {t.status for t in world.instance("a").tasks} == {"cancelled"}
    assert world.entity("a").status == "failed"
    assert world.running() == []


def test_cancelling_what_waits_behind_an_earlier_instance_leaves_that_alone() -> None:
    world = World(workflow("study"), agents=1)
    world.run("study", "a", "a", "a")
    second = [one.id for one in world.instances("a")][1]

    world.ask(KEEPER, Cancel(second))
    world.end("study@a")
    world.end("study@a")

    assert sorted(str(one.status) for one in world.instances("a")) == ["cancelled", "completed", "completed"]


def test_cancelling_the_active_one_lets_the_next_begin() -> None:
    world = World(workflow("study"), agents=1)
    world.run("study", "a", "a")
    first = next(one.id for one in world.instances("a"))

    world.ask(KEEPER, Cancel(first))

    assert world.running() == ["study@a"]


def test_cancelling_twice_changes_nothing() -> None:
    world = World(workflow("study"), agents=1)
    world.deaf.add("study")
    world.run("study", "a")
    world.cancel("a")
    world.cancel("a")

    world.stop("study@a")

    assert world.instance("a").status == "cancelled"


def test_cancelling_what_has_ended_says_that_it_is_not_there() -> None:
    world = World(workflow("study"), agents=1)
    world.run("study", "a")
    world.end("study@a")

    with pytest.raises(NotFoundError, match="study_a"):
        world.ask(KEEPER, Cancel(world.instance("a").id))


def test_resolving_what_is_not_unknown_is_refused() -> None:
    world = World(workflow("study"), agents=1)
    world.run("study", "a")

    with pytest.raises(RefusedError, match="nothing to resolve"):
        world.ask(KEEPER, ResolveTask(world.task("study@a").id, "completed"))


def test_a_start_by_hand_of_an_unknown_workflow_is_refused_by_name_and_adds_nothing() -> None:
    world = World(workflow("study"))

    with pytest.raises(NotFoundError, match="'nothere'"):
        world.ask(KEEPER, RunWorkflow(WorkflowId("nothere"), EntityId("a"), None, NOBODY))

    assert world.all_entities() == ()


def test_a_start_by_hand_adds_an_unknown_entity_or_refuses_it_as_told() -> None:
    adds = World(workflow("study"), on_data("quotes"))
    adds.ask(KEEPER, RunWorkflow(WorkflowId("study"), EntityId("b")))
    adds.pass_ms(1_000)
    assert adds.running() == ["study@b"]  # And the table calls for nothing.

    rejects = World(workflow("study"), on_unknown_entity=OnUnknownEntity.REJECT)
    with pytest.raises(NotFoundError, match="'b'"):
        rejects.ask(KEEPER, RunWorkflow(WorkflowId("study"), EntityId("b")))


def test_starts_by_hand_of_one_pair_run_one_after_another_each_on_its_own() -> None:
    world = World(workflow("study"), agents=3)
    world.run("study", "a", "a", "a")
    assert world.running() == ["study@a"]

    world.finish_all()

    assert [str(one.status) for one in world.instances("a")] == ["completed"] * 3
    assert len({one.id for one in world.instances("a")}) == 3


def test_params_of_a_start_by_hand_override_each_tasks() -> None:
    world = World(workflow("study", task("x", params={"window": 5, "mode": "fast"})))
    world.put("a", phase="other")

    world.ask(KEEPER, RunWorkflow(WorkflowId("study"), EntityId("a"), {"window": 9}))

    assert world.live("x@a").job.params == {"window": 9, "mode": "fast"}


# --- why, and the queues -----------------------------------------------------------------------


def test_why_names_what_a_task_waits_for() -> None:
    world = full_world(
        workflow("single", max_concurrent=1, priority=2), chain("step", 2, priority=2),
        workflow("gpu", task("gpu", capabilities=frozenset({"gpu"}))), agents=1,
        groups=(group("cpu", 1, "cpu"),),
    )  # fmt: skip
    world.run("step", "a")
    world.run("gpu", "g")
    pause(world, "single")
    world.run("single", "p")

    assert "runs on cpu_0" in why(world, "study@low1")
    assert "step1_a" in why(world, "step2@a")
    assert "capabilities gpu" in why(world, "gpu@g")
    assert "paused" in why(world, "single@p")
    assert "at least as important" in why(world, "step1@a")


def test_why_names_the_limit_and_the_agent_being_freed() -> None:
    world = full_world(workflow("single", priority=0, max_concurrent=1), agents=2)
    world.deaf.add("study")
    world.run("single", "a", "b")

    assert "is being freed" in why(world, "single@a")
    assert "at most 1" in why(world, "single@b")
    assert "being stopped" in why(world, "study@low2")


def test_the_queues_count_what_waits_by_priority() -> None:
    world = full_world(workflow("p5", priority=5), agents=2)
    world.run("study", "x")
    world.run("p5", "y", "z")
    world.pass_ms(40)

    shown = world.ask(SCHEDULER, ReadQueues())

    assert [(q["priority"], q["depth"], q["oldest_ms"]) for q in shown["queues"]] == [(2, 1, 40), (5, 2, 40)]
    assert [a["state"] for a in shown["agents"]] == ["running", "running"]
