"""``why`` names every reason for which a task is where it is, in words and as data: one story for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from actors.effects import KEEPER, SCHEDULER
from actors.errors import RefusedError
from actors.messages import DrainAgent, ExplainTask, PauseWorkflow, RunWorkflow
from actors.model import (
    AgentName,
    Backoff,
    Delivery,
    EntityId,
    EventType,
    Isolation,
    OnPreempt,
    WorkflowId,
)
from tests.logic.worlds import World, explained, full_world, group, task, workflow

PROCESS = Isolation.PROCESS
SECOND = 1_630_000_000


@dataclass(frozen=True)
class Reason:
    """A story, whom to ask about, what is said, and what is so as data."""

    world: Callable[[], World]
    label: str
    why: str
    facts: dict[str, Any]


# --- what it waits for ---------------------------------------------------------------------------


def _dependency() -> World:
    world = World(workflow("f", task("a"), task("b"), task("c", after=("a", "b"))), agents=2)
    world.run("f", "x")
    world.end("a@x")
    return world


def _turn() -> World:
    world = World(workflow("study"), agents=2)
    world.run("study", "x", "x")
    return world


def _backoff() -> World:
    world = World(workflow("study", task("study", retry=3, backoff=Backoff(initial_ms=200, jitter=0))), agents=1)
    world.run("study", "x")
    world.fail("study@x")
    world.pass_ms(50)
    return world


def _person() -> World:
    wire = task("wire", isolation=PROCESS, delivery=Delivery.AT_MOST_ONCE, preemptible=False)
    world = World(workflow("wire", wire), agents=1)
    world.run("wire", "x")
    world.lose("wire@x")
    return world


def _engine_paused() -> World:
    world = World(workflow("study"), agents=1)
    world.ask(KEEPER, PauseWorkflow(None, paused=True))
    world.run("study", "x")
    return world


def _workflow_paused() -> World:
    world = World(workflow("study"), agents=1)
    world.ask(KEEPER, PauseWorkflow(WorkflowId("study"), paused=True))
    world.run("study", "x")
    return world


def _drained() -> World:
    world = World(workflow("study"), agents=1)
    world.ask(KEEPER, DrainAgent(AgentName("agent_0"), drained=True))
    world.run("study", "x")
    return world


def _lock() -> World:
    world = World(workflow("study", task("study", lock="db")), agents=2)
    world.run("study", "a", "x")
    return world


def _limit() -> World:
    world = World(workflow("study", max_concurrent=1), agents=2)
    world.run("study", "a", "x")
    return world


def _capabilities() -> World:
    world = World(workflow("study", task("study", capabilities=frozenset({"gpu"}))), groups=(group("cpu", 1, "cpu"),))
    world.run("study", "x")
    return world


def _reservation() -> World:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("order", "x")
    world.pass_ms(12)
    return world


def _more_important() -> World:
    world = full_world(workflow("same", priority=2), workflow("more", priority=2), agents=2)
    world.run("more", "first")
    world.run("same", "x")
    return world


def _does_not_preempt() -> World:
    world = full_world(workflow("shy", task("shy", preempts=False), priority=0), agents=1)
    world.run("shy", "x")
    return world


def _protected() -> World:
    calm = workflow("calm", task("calm", preemptible=False), priority=7)
    world = World(calm, workflow("order", priority=0), agents=1)
    world.run("calm", "a")
    world.run("order", "x")
    return world


def _protected_for_a_while() -> World:
    calm = workflow("calm", task("calm", min_runtime_ms=100), priority=7)
    world = World(calm, workflow("order", priority=0), agents=1)
    world.run("calm", "a")
    world.pass_ms(60)
    world.run("order", "x")
    return world


def _freed_for_others() -> World:
    world = full_world(workflow("order", priority=0), workflow("middle", priority=1), agents=1)
    world.deaf.add("study")
    world.run("order", "now")
    world.run("middle", "x")
    return world


def _set_aside() -> World:
    deaf = task("deaf", isolation=Isolation.THREAD, timeout_ms=50, retry=1, grace_ms=10)
    world = World(workflow("deaf", deaf), agents=1)
    world.deaf.add("deaf")
    world.run("deaf", "x")
    world.pass_ms(200)
    return world


def _being_stopped() -> World:
    """Of two that run one fails, the other does not hear, and a third waits for that."""
    world = World(workflow("f", task("a"), task("b"), task("c", after=("b",))), agents=2)
    world.deaf.add("b")
    world.run("f", "x")
    world.fail("a@x")
    return world


WAITS = {
    "dependency": Reason(_dependency, "c@x", f"it waits for b_x_{SECOND} (running)",
                         {"blocked_by": "dependency", "depends_on": [f"b_x_{SECOND}"]}),
    "turn": Reason(_turn, "study@x",
                   f"an earlier instance of the same workflow and entity has not ended: study_x_{SECOND}",
                   {"blocked_by": "turn", "after": [f"study_x_{SECOND}"], "place": 1}),
    "backoff": Reason(_backoff, "study@x", "it waits for its backoff before retry 1 of 3, for another 150 ms",
                      {"blocked_by": "backoff", "until": SECOND + 0.2, "in_ms": 150.0, "retries": 1}),
    "person": Reason(_person, "wire@x", "nobody can know how it ended; say so with resolve", {"blocked_by": "person"}),
    "engine paused": Reason(_engine_paused, "study@x", "the engine is paused", {"blocked_by": "pause", "paused": "*"}),
    "workflow paused": Reason(_workflow_paused, "study@x", "workflow study is paused",
                              {"blocked_by": "pause", "paused": "study"}),
    "drained": Reason(_drained, "study@x", "every agent that could run it is drained: agent_0",
                      {"blocked_by": "drain", "agents": ["agent_0"]}),
    "lock": Reason(_lock, "study@x", f"lock 'db' is held by study_a_{SECOND}",
                   {"blocked_by": "lock", "lock": "db", "held_by": f"study_a_{SECOND}", "place": 1}),
    "limit": Reason(_limit, "study@x", "workflow study runs 1 of at most 1 tasks at once",
                    {"blocked_by": "limit", "limit": 1, "taken": 1, "held_by": [f"study_a_{SECOND}"]}),
    "capabilities": Reason(_capabilities, "study@x", "no agent has the capabilities gpu",
                           {"blocked_by": "capabilities", "capabilities": ["gpu"]}),
    "reservation": Reason(
        _reservation, "order@x",
        f"agent_0 is being freed for it; study_low1_{SECOND} has been told to stop there, with 100 ms of grace",
        {"blocked_by": "reservation", "agent": "agent_0", "held_by": f"study_low1_{SECOND}", "reserved_ms": 12.0,
         "grace_ms": 100, "place": 1},
    ),
    "more important work": Reason(
        _more_important, "same@x",
        "all 2 suitable agents are busy with work at least as important; it is number 2 of 2 in line",
        {"blocked_by": "agents", "place": 2, "in_line": 2, "suitable": 2, "busy": [
            {"agent": "agent_0", "task_id": f"study_low1_{SECOND}", "priority": 2},
            {"agent": "agent_1", "task_id": f"study_low2_{SECOND}", "priority": 2}]},
    ),
    "more important work, next in line": Reason(
        _more_important, "more@first",
        "all 2 suitable agents are busy with work at least as important; it is number 1 of 2 in line",
        {"blocked_by": "agents", "place": 1, "in_line": 2},
    ),
    "does not preempt": Reason(_does_not_preempt, "shy@x",
                               "every suitable agent is busy, and this task does not preempt",
                               {"blocked_by": "agents"}),
    "protected": Reason(
        _protected, "order@x",
        "every suitable agent is busy; 1 with less important work, but they may not be preempted now",
        {"blocked_by": "agents", "preemptible_in_ms": None},
    ),
    "protected for a while": Reason(
        _protected_for_a_while, "order@x",
        "every suitable agent is busy; 1 with less important work, but they may not be preempted now; "
        "the first may be in 40 ms (min_runtime_ms)",
        {"blocked_by": "agents", "preemptible_in_ms": 40.0},
    ),
    "freed for others": Reason(
        _freed_for_others, "middle@x",
        "every suitable agent is busy; 1 are being freed, for what goes before it; it is number 2 of 2 in line",
        {"blocked_by": "agents"},
    ),
    "set aside": Reason(_set_aside, "deaf@x",
                        "its last attempt was told to stop and goes on; it runs again when that has ended",
                        {"blocked_by": "set_aside", "agent": "agent_0"}),
    "its instance is being stopped": Reason(_being_stopped, "c@x",
                                            "its instance is being stopped and will not start it any more",
                                            {"blocked_by": "ending"}),
}  # fmt: skip


@pytest.mark.parametrize("name", WAITS)
def test_why_names_what_a_task_waits_for(name: str) -> None:
    reason = WAITS[name]
    world = reason.world()

    facts = explained(world, reason.label)

    assert facts["why"] == reason.why
    assert {key: facts.get(key) for key in reason.facts} == reason.facts


def test_why_says_for_whom_the_slot_of_a_chain_is_kept() -> None:
    world = World(workflow("order", priority=0), workflow("low", priority=5), agents=1)
    world.run("order", "now")
    world.run("low", "x")
    low = world.task("low@x").id
    world.end("order@now", settle=False)
    world.deliver("agent_0")  # The end is on its way to the scheduler.
    asked = world.promise(KEEPER, ExplainTask(low))
    world.deliver(KEEPER)
    world.deliver(SCHEDULER)

    facts = asked()

    assert facts["why"] == "agent_0 is kept for what follows a more important attempt that has just ended"
    assert (facts["blocked_by"], facts["kept"]) == ("agents", ["agent_0"])


def test_why_of_what_is_between_two_parts_says_that() -> None:
    world = World(workflow("study"), agents=1)
    world.run("study", "a", settle=False)
    world.deliver(KEEPER)
    (one,) = world.keeping_view()
    world.inbox[SCHEDULER].clear()

    facts = world.ask(KEEPER, ExplainTask(one.tasks[0].id))

    assert (facts["why"], facts["blocked_by"]) == ("it is on its way between the engine's parts", None)


# --- what runs -----------------------------------------------------------------------------------


def test_why_of_what_runs_says_where_since_when_and_whether_it_may_be_preempted() -> None:
    world = World(workflow("study"), agents=1)
    world.run("study", "a")
    world.pass_ms(30)

    facts = explained(world, "study@a")

    assert facts["why"] == "it runs on agent_0"
    shown = {key: facts[key] for key in ("status", "agent", "ran_ms", "blocked_by", "may_be_preempted", "protected")}
    assert shown == {"status": "running", "agent": "agent_0", "ran_ms": 30.0, "blocked_by": None,
                     "may_be_preempted": True, "protected": False}  # fmt: skip


def test_why_says_how_long_a_running_attempt_is_protected() -> None:
    world = World(workflow("study", task("study", min_runtime_ms=100)), agents=1)
    world.run("study", "a")
    world.pass_ms(30)
    early = explained(world, "study@a")
    world.pass_ms(80)
    late = explained(world, "study@a")

    text = "it runs on agent_0; it may not be preempted just now: for another 70 ms it is protected (min_runtime_ms)"
    assert (early["why"], early["protected_for_ms"], early["may_be_preempted"]) == (text, 70.0, False)
    assert (late["why"], late["may_be_preempted"]) == ("it runs on agent_0", True)


def test_why_says_who_preempted_it_and_after_how_many_more_it_is_protected() -> None:
    world = World(workflow("study", task("study", max_preemptions=2)), workflow("order", priority=0), agents=1)
    world.run("study", "a")
    world.run("order", "now")
    world.pass_ms(10)
    once = explained(world, "study@a")
    world.end("order@now")
    world.run("order", "then")
    world.end("order@then")  # Who preempted it is over by now.
    twice = explained(world, "study@a")

    assert once["why"] == (
        f"all 1 suitable agents are busy with work at least as important; it was preempted once, the last time "
        f"for order_now_{SECOND}; it is protected after 1 more (max_preemptions: 2)"
    )
    shown = ("preemptions", "preempted_by", "preempted_at", "preemptions_left", "protected")
    assert [once[key] for key in shown] == [1, f"order_now_{SECOND}", SECOND, 1, False]
    assert [twice[key] for key in shown] == [2, f"order_then_{SECOND}", SECOND + 0.01, 0, True]
    assert twice["why"].endswith("; it is protected from now on (max_preemptions: 2)")
    assert world.task("study@a").attempts[0].preempted_by == f"order_now_{SECOND}"


def test_why_of_what_is_suspended_says_where_it_stands_and_for_whom_it_gave_way() -> None:
    frozen = task("frozen", isolation=PROCESS, on_preempt=OnPreempt.SUSPEND)
    world = World(workflow("frozen", frozen, priority=5), workflow("order", priority=0), agents=1)
    world.run("frozen", "a")
    world.run("order", "now")

    facts = explained(world, "frozen@a")

    assert "its attempt stands still, suspended on agent_0, and goes on where it was" in facts["why"]
    assert (facts["suspended_on"], facts["preempted_by"]) == ("agent_0", f"order_now_{SECOND}")


def test_why_of_what_is_being_stopped_says_for_whom() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("order", "now")

    facts = explained(world, "study@low1")

    assert facts["why"] == f"it is being stopped on agent_0 (preempt) for order_now_{SECOND}"
    assert (facts["stopping"], facts["giving_way_to"]) == ("preempt", f"order_now_{SECOND}")


def test_why_of_what_runs_on_a_drained_agent_says_that_nobody_preempts_it_there() -> None:
    world = full_world(agents=1)
    world.ask(KEEPER, DrainAgent(AgentName("agent_0"), drained=True))

    facts = explained(world, "study@low1")

    assert facts["why"] == "it runs on agent_0, which is being drained: nobody preempts it there"
    assert facts["may_be_preempted"] is False


# --- whose priority ------------------------------------------------------------------------------


def test_why_says_what_gives_a_task_its_priority_running_or_waiting() -> None:
    two = workflow("two", task("x"), task("y", priority=4), priority=5)
    world = World(two, agents=1)
    world.put("a", phase="by_hand")
    world.ask(KEEPER, RunWorkflow(WorkflowId("two"), EntityId("a")))
    before = {name: explained(world, f"{name}@a") for name in "xy"}
    world.publish("a", EventType.HIGH_PRIORITY_ARRIVED, priority=3)
    raised = {name: explained(world, f"{name}@a") for name in "xy"}
    world.set_priority("y@a", 1)
    one = {name: explained(world, f"{name}@a") for name in "xy"}
    world.set_priority("a", 7)
    both = {name: explained(world, f"{name}@a") for name in "xy"}

    def shown(facts: dict[str, dict[str, Any]]) -> list[tuple[int, str]]:
        return [(facts[name]["priority"], facts[name]["priority_from"]) for name in "xy"]

    assert shown(before) == [(5, "workflow"), (4, "task")]
    assert shown(raised) == [(3, "raised"), (3, "raised")]
    assert shown(one) == [(3, "raised"), (1, "set")]
    assert shown(both) == [(7, "set"), (7, "set")]


def test_why_of_what_runs_shows_the_priority_that_was_set_while_it_ran() -> None:
    world = full_world(workflow("order", priority=1), agents=1)
    world.set_priority("low1", 0)
    world.run("order", "now")

    facts = explained(world, "study@low1")

    assert facts["why"] == "it runs on agent_0"
    assert (facts["priority"], facts["counts_as"], facts["priority_from"]) == (0, 0, "set")
    assert explained(world, "order@now")["busy"][0]["priority"] == 0


def test_why_is_asked_of_tasks_and_not_of_instances() -> None:
    world = World(workflow("study", task("x")), agents=1)
    world.run("study", "a")

    with pytest.raises(RefusedError, match="is an instance; ask for one of its tasks"):
        world.ask(KEEPER, ExplainTask(world.instance("a").id))
