"""on_preempt: suspend. No work is lost, and the attempt goes on wherever an agent is free."""

from __future__ import annotations

from typing import Any

from actors.effects import KEEPER, SCHEDULER
from actors.messages import StopAgents, SuspendAttempt
from actors.model import Delivery, Isolation, OnPreempt, StopReason, Workflow
from tests.logic.worlds import World, group, task, workflow

SUSPEND: dict[str, Any] = {"isolation": Isolation.PROCESS, "on_preempt": OnPreempt.SUSPEND}


def study(**fields: Any) -> Workflow:
    return workflow("study", task("study", **SUSPEND, **fields), priority=2)


def suspended_world(*workflows: Workflow, agents: int = 1, **fields: Any) -> World:
    """One study stands still because an order at priority 0 has its agent; other agents run studies."""
    world = World(study(**fields), workflow("order", priority=0), *workflows, agents=agents)
    for number in range(1, agents + 1):
        world.run("study", f"low{number}")
    world.run("order", "now")
    assert world.told.suspended == [f"study@low{agents}"]
    return world


def test_a_suspended_attempt_stands_still_and_goes_on_as_the_same_attempt() -> None:
    world = suspended_world()
    assert (world.running(), world.task("study@low1").status) == (["order@now"], "pending")

    world.end("order@now")

    assert world.told.started == ["study@low1", "order@now"]
    assert world.told.resumed == [("study@low1", "agent_0")]
    assert (len(world.task("study@low1").attempts), world.task("study@low1").preemptions) == (1, 1)
    world.end("study@low1", "whole")
    assert world.task("study@low1").result == "whole"


def test_any_capable_agent_continues_it() -> None:
    world = suspended_world(agents=2)

    world.end("study@low1")

    assert world.told.resumed == [("study@low2", "agent_0")]


def test_an_agent_that_is_not_capable_does_not_continue_it() -> None:
    gpu = task("gpu", capabilities=frozenset({"gpu"}), **SUSPEND)
    world = World(
        workflow("gpu", gpu), workflow("order", task("order", capabilities=frozenset({"gpu"})), priority=0),
        groups=(group("gpu", 1, "gpu"), group("cpu", 1, "cpu")),
    )  # fmt: skip
    world.run("gpu", "a")

    world.run("order", "now")

    assert (world.running(), world.told.resumed) == (["order@now"], [])


def test_it_keeps_its_place_at_the_front_of_its_level() -> None:
    world = suspended_world()
    world.run("study", "later")

    world.end("order@now")

    assert world.running() == ["study@low1"]


def test_it_can_be_suspended_again_and_again() -> None:
    world = suspended_world()
    for n in range(3):
        world.end("order@now" if n == 0 else f"order@o{n}")
        world.run("order", f"o{n + 1}")

    assert world.told.suspended == ["study@low1"] * 4
    assert world.task("study@low1").preemptions == 4


def test_its_time_stands_still_while_it_is_suspended() -> None:
    world = World(study(timeout_ms=1000), workflow("order", priority=0))
    world.run("study", "a")
    world.pass_ms(600)
    world.run("order", "now")
    world.pass_ms(5_000)
    world.end("order@now")

    world.pass_ms(399)
    assert world.running() == ["study@a"]
    world.pass_ms(1)
    assert world.told.interrupted == [("study@a", StopReason.TIMEOUT)]


def test_its_time_stands_still_each_time() -> None:
    world = World(study(timeout_ms=1000), workflow("order", priority=0))
    world.run("study", "a")
    for n in range(3):
        world.pass_ms(300)
        world.run("order", f"o{n}")
        world.pass_ms(2_000)
        world.end(f"order@o{n}")

    world.pass_ms(99)
    assert world.running() == ["study@a"]
    world.pass_ms(1)
    assert world.running() == []


def test_it_does_not_count_against_its_workflows_limit() -> None:
    single = workflow("single", task("single", **SUSPEND), priority=2, max_concurrent=1)
    world = World(single, workflow("order", priority=0), agents=2)
    world.run("single", "a")
    world.run("order", "x", "y")  # y takes the agent of a.
    world.run("single", "b")

    world.end("order@x")

    assert world.told.resumed == [("single@a", "agent_1")] or world.running() == ["order@y", "single@a"]


def test_cancelling_it_kills_it() -> None:
    world = suspended_world()

    world.cancel("low1")

    assert world.told.killed == ["study@low1"]
    assert world.instance("low1").status == "cancelled"
    world.end("order@now")
    assert world.running() == []


def test_a_cancel_that_crosses_its_suspension_still_stops_it() -> None:
    world = World(study(), workflow("order", priority=0))
    world.run("study", "a")
    world.run("order", "now", settle=False)
    world.deliver(KEEPER, SCHEDULER, "agent_0", "agent_0")  # It is suspended; the scheduler has not heard.
    assert world.told.suspended == ["study@a"]
    world.post(KEEPER, world.cancel_message("a"))
    world.deliver(KEEPER)
    inbox = world.inbox[SCHEDULER]
    inbox.rotate(1)  # The keeper's order is read first, then the agent's report.

    world.settle()
    world.end("order@now")

    assert world.instance("a").status == "cancelled"
    assert world.running() == []


def test_a_shutdown_kills_what_is_suspended() -> None:
    world = suspended_world()

    answer = world.promise(SCHEDULER, StopAgents(0, world.now))
    world.settle()

    assert world.told.killed == ["study@low1"]
    assert answer() is None
    assert not world.actions


def test_a_shutdown_that_crosses_a_suspension_leaves_nothing() -> None:
    world = World(study(), workflow("order", priority=0))
    world.run("study", "a")
    world.run("order", "now", settle=False)
    world.deliver(KEEPER, SCHEDULER, "agent_0", "agent_0")
    world.post(SCHEDULER, StopAgents(0, world.now))
    world.inbox[SCHEDULER].rotate(1)

    world.settle()

    assert not world.actions


def test_at_most_as_many_are_suspended_as_there_are_agents_then_they_are_requeued() -> None:
    world = World(*[workflow(f"p{n}", task("work", **SUSPEND), priority=n) for n in (3, 2, 1)])
    world.run("p3", "a")
    world.run("p2", "b")
    assert world.told.suspended == ["work@a"]

    world.run("p1", "c")

    assert world.told.suspended == ["work@a"]
    assert world.told.interrupted == [("work@b", StopReason.PREEMPT)]
    assert world.running() == ["work@c"]


def test_at_most_once_is_no_victim_when_there_is_no_room_to_suspend_it() -> None:
    wire = task("wire", delivery=Delivery.AT_MOST_ONCE, **SUSPEND)
    world = World(
        workflow("study", task("study", **SUSPEND), priority=9), workflow("wire", wire, priority=5),
        workflow("order", priority=0),
    )  # fmt: skip
    world.run("study", "a")
    world.run("wire", "b")
    world.run("order", "now")
    assert world.running() == ["wire@b"]

    world.cancel("a")  # Room again.

    assert world.told.suspended == ["study@a", "wire@b"]
    assert world.running() == ["order@now"]


def test_an_end_that_crosses_the_suspension_is_an_end() -> None:
    world = World(study(), workflow("order", priority=0))
    world.run("study", "a")
    world.run("order", "now", settle=False)
    world.deliver(KEEPER, SCHEDULER)

    world.end("study@a", 42)

    assert (world.told.suspended, world.task("study@a").result) == ([], 42)
    assert world.stats()["agents"]["suspended"] == 0
    assert world.running() == ["order@now"]


def test_raising_the_priority_of_what_is_suspended_brings_it_back() -> None:
    world = suspended_world(workflow("middle", priority=1))
    world.run("middle", "m")

    world.set_priority("low1", 0)
    world.end("order@now")

    assert world.running() == ["study@low1"]


def test_room_to_suspend_that_turns_up_in_a_round_is_for_whoever_was_passed_over() -> None:
    """One that stood still goes on, and so another may be suspended in its place at once."""
    once: dict[str, Any] = {**SUSPEND, "delivery": Delivery.AT_MOST_ONCE}
    world = World(
        workflow("study", task("study", **once), priority=6),
        workflow("call", task("call", **once), priority=3),
        workflow("order", task("order"), priority=0),
        workflow("model", task("model", capabilities=frozenset({"fpga"})), priority=1),
        groups=(group("wide", 1, "all"), group("gpu", 1, "gpu")),
    )
    world.run("study", "a", "b")
    world.run("order", "c", "d")
    world.run("call", "e")
    world.end("order@d")
    assert world.told.suspended == ["study@b", "study@a"], "there is no room for more"
    assert world.running() == ["call@e", "order@c"]
    world.end("order@c", settle=False)
    world.deliver("gpu_0", SCHEDULER)
    world.run("model", "f", settle=False)
    world.deliver(KEEPER)

    world.deliver(SCHEDULER)  # The model can only have the call's agent; a study goes on at the other.

    assert [m.attempt for m in world.messages(SuspendAttempt)][2:] == [world.live("call@e").job.attempt]
