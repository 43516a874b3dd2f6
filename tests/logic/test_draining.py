"""Draining an agent: it gets no new work, what it runs goes on, nobody gives way on it, and no crash forgets it."""

from __future__ import annotations

from typing import Any

import pytest

from actors.effects import KEEPER, SCHEDULER
from actors.errors import NotFoundError
from actors.messages import DrainAgent, ReadQueues
from actors.model import AgentName, Isolation, OnPreempt, StopReason
from tests.logic.worlds import World, chain, explained, full_world, group, task, workflow

PREEMPT = StopReason.PREEMPT


def drain(world: World, agent: str = "agent_0", *, drained: bool = True) -> None:
    world.ask(KEEPER, DrainAgent(AgentName(agent), drained))


def states(world: World) -> list[str]:
    return [agent["state"] for agent in world.ask(SCHEDULER, ReadQueues())["agents"]]


def inherited(world: World) -> list[int | None]:
    """What each agent's work counts as."""
    return [agent["priority"] for agent in world.ask(SCHEDULER, ReadQueues())["agents"]]


def counts(world: World) -> dict[str, Any]:
    shown: dict[str, Any] = world.stats()["agents"]
    return {name: count for name, count in shown.items() if count}


def test_a_drained_agent_gets_no_new_work_and_what_it_runs_goes_on() -> None:
    world = World(chain("step", 2), agents=2)
    world.run("step", "a")
    drain(world)
    world.run("step", "b", "c")
    assert world.running() == ["step1@a", "step1@b"]
    assert (states(world), counts(world)) == (["draining", "running"], {"running": 2})

    world.end("step1@a")

    assert (states(world), counts(world)) == (["drained", "running"], {"running": 1, "drained": 1})
    assert world.running() == ["step1@b"]
    drain(world, drained=False)
    assert world.running() == ["step1@b", "step1@c"]
    assert states(world) == ["running", "running"]


def test_an_idle_agent_is_drained_at_once_and_takes_work_again_when_let_go() -> None:
    world = World(workflow("study"), agents=1)
    drain(world)
    world.run("study", "a")
    assert (world.running(), states(world)) == ([], ["drained"])

    drain(world, drained=False)

    assert world.running() == ["study@a"]


def test_nobody_gives_way_on_a_drained_agent_for_the_slot_would_not_be_the_preemptors() -> None:
    world = full_world(workflow("order", priority=0), agents=2)
    drain(world, "agent_1")

    world.run("order", "now", "then")

    assert world.told.interrupted == [("study@low1", PREEMPT)]
    assert world.running() == ["order@now", "study@low2"]
    drain(world, "agent_1", drained=False)
    assert world.told.interrupted == [("study@low1", PREEMPT), ("study@low2", PREEMPT)]
    assert world.running() == ["order@now", "order@then"]


def test_who_had_the_agent_freed_for_him_has_another_one_freed() -> None:
    world = full_world(workflow("order", priority=0), agents=2)
    world.deaf.add("study")
    world.run("order", "now")
    assert world.told.interrupted == [("study@low2", PREEMPT)]

    drain(world, "agent_1")

    assert world.told.interrupted == [("study@low2", PREEMPT), ("study@low1", PREEMPT)]
    world.stop("study@low2")
    assert world.running() == ["study@low1"]
    world.stop("study@low1")
    assert world.running() == ["order@now"]
    assert explained(world, "study@low2")["blocked_by"] == "agents"


def test_an_agent_that_is_let_go_while_it_is_being_freed_is_for_whoever_needs_it() -> None:
    world = full_world(workflow("order", priority=0), agents=1)
    world.deaf.add("study")
    world.run("order", "now")
    drain(world)
    assert explained(world, "order@now")["blocked_by"] == "drain"
    drain(world, drained=False)
    assert explained(world, "order@now")["agent"] == "agent_0"

    world.stop("study@low1")

    assert world.running() == ["order@now"]
    assert world.preemptions == 1


def test_what_is_suspended_on_a_drained_agent_goes_on_elsewhere() -> None:
    frozen = task("frozen", isolation=Isolation.PROCESS, on_preempt=OnPreempt.SUSPEND)
    world = World(workflow("frozen", frozen, priority=5), workflow("order", priority=0), agents=2)
    world.run("order", "x")
    world.run("frozen", "a")
    world.run("order", "now")
    drain(world, "agent_1")

    world.end("order@now")
    assert world.told.resumed == []
    world.end("order@x")

    assert world.told.resumed == [("frozen@a", "agent_0")]


def test_why_says_that_only_drained_agents_could_run_it() -> None:
    gpu = workflow("gpu", task("gpu", capabilities=frozenset({"gpu"})))
    world = World(gpu, groups=(group("cpu", 1, "cpu"), group("gpu", 2, "gpu")))
    drain(world, "gpu_0")
    drain(world, "gpu_1")
    world.run("gpu", "a")

    facts = explained(world, "gpu@a")

    assert facts["why"] == "every agent that could run it is drained: gpu_0, gpu_1"
    assert (facts["blocked_by"], facts["agents"]) == ("drain", ["gpu_0", "gpu_1"])


def test_an_unknown_agent_is_refused_by_the_names_of_those_there_are() -> None:
    world = World(workflow("study"), groups=(group("cpu", 2, "all"), group("gpu", 1, "all")))

    for name in ("cpu_2", "cpu_02", "cpu_-1", "cpu", "gpu_", "disk_0", "", "cpu_" + 99 * "9"):
        with pytest.raises(NotFoundError, match=r"cpu_0 to cpu_1, gpu_0 to gpu_0"):
            drain(world, name)


def test_draining_outlives_crashes_of_the_scheduler_and_of_the_agent() -> None:
    world = full_world(workflow("order", priority=0), agents=2)
    drain(world, "agent_1")
    for name in (SCHEDULER, "agent_1", SCHEDULER):
        world.crash(name, lose_inbox=True)
        world.settle()
    assert states(world) == ["running", "drained"]

    world.run("order", "now")
    assert world.running() == ["order@now"]

    drain(world, "agent_1", drained=False)
    assert world.running() == ["order@now", "study@low1"]


def test_an_agent_drained_while_the_scheduler_is_being_rebuilt_is_drained() -> None:
    world = World(workflow("study"), agents=2)
    world.crash(SCHEDULER)
    drain(world)
    world.settle()

    world.run("study", "a", "b")

    assert world.running() == ["study@a"]
    assert states(world) == ["drained", "running"]


def test_draining_twice_is_as_good_as_once() -> None:
    world = World(workflow("study"), agents=1)
    for now in (True, True, False, False):
        drain(world, drained=now)

    world.run("study", "a")

    assert world.running() == ["study@a"]


def test_the_subscribers_are_told_of_draining() -> None:
    world = World(workflow("study"), agents=1)
    drain(world)
    drain(world, drained=False)

    told = [(change.agent, change.status) for change in world.changes if change.type == "agent_changed"]

    assert told == [("agent_0", "draining"), ("agent_0", "undrained")]


def test_who_waits_for_drained_agents_alone_makes_nobody_more_important() -> None:
    high = workflow("high", task("high", lock="x", capabilities=frozenset({"gpu"})), priority=0)
    low = workflow("low", task("low", lock="x"), priority=7)
    world = World(high, low, workflow("middle", priority=3), groups=(group("cpu", 1, "cpu"), group("gpu", 1, "gpu")))
    world.run("low", "a")
    world.run("high", "b")
    assert inherited(world) == [0, None]

    drain(world, "gpu_0")
    assert inherited(world) == [7, None]
    world.run("middle", "m")
    assert world.running() == ["middle@m"]

    drain(world, "gpu_0", drained=False)
    assert world.running() == ["high@b", "middle@m"]
