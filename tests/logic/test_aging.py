"""Law 5's aging in virtual time: nothing waits ``starvation_ms``, as long as agents come free; else ``why`` says so."""

from __future__ import annotations

from typing import Any

import pytest

from actors.effects import SCHEDULER
from actors.messages import AttemptAssigned
from actors.model import NS_PER_MS, Workflow
from tests.logic.floor_rules import check_always, check_at_rest, check_inherited
from tests.logic.flows import group
from tests.logic.worlds import World, explained, task, why, workflow

STUDY_MS, STEP_MS = 1_000_000, 10


def world_under_load(*workflows: Workflow, starvation_ms: int | None = 400, agents: int = 1, **low: Any) -> World:
    """``low`` has priority 5 and never ends; ``step`` (priority 1) and ``order`` (0) take 10 ms."""
    world = World(
        workflow("low", task("low", **low), priority=5), workflow("step", priority=1), workflow("order", priority=0),
        *workflows, agents=agents, starvation_ms=starvation_ms,
    )  # fmt: skip
    world.takes.update(low=STUDY_MS, step=STEP_MS, order=STEP_MS)
    return world


class Load:
    """Keeps so many of a workflow in line at all times."""

    def __init__(self, world: World, name: str, waiting: int = 2) -> None:
        self.world, self.name, self.waiting, self.count = world, name, waiting, 0

    def top_up(self) -> None:
        line = self.world.scheduling.floor.line
        have = sum(1 for waiting in line if waiting.need.workflow == self.name)
        for _ in range(self.waiting - have):
            self.count += 1
            self.world.run(self.name, f"{self.name}{self.count}")


def pass_under(world: World, ms: int, *loads: Load) -> None:
    for _ in range(ms):
        for load in loads:
            load.top_up()
        world.pass_ms(1)


def waits_ms(world: World, name: str, *, after_ms: float = 0) -> list[float]:
    """Of the named task, every stay in line that has ended in a start, in ms; from the log of messages alone."""
    began: dict[tuple[str, int], int] = {}
    found: list[float] = []
    starts = {m.attempt: m.at for m in world.messages(AttemptAssigned)}
    for instance in world.instances():
        for shown in instance.tasks:
            for attempt in shown.attempts if shown.task == name else ():
                began[shown.id, attempt.number] = attempt.ready.ns
    numbers = {r.job.task_id: r.job.attempt.task for r in world.scheduling.floor.running.values()}
    numbers |= {w.job.task_id: w.job.attempt.task for w in world.scheduling.floor.line}
    for (id, number), ready in began.items():
        at = next((at for attempt, at in starts.items() if attempt == (numbers.get(id), number)), None)
        if at is not None and ready >= 1_000_000 * NS_PER_MS + after_ms * NS_PER_MS:
            found.append((at - ready) / NS_PER_MS)
    return found


# --- what it promises --------------------------------------------------------------------------


def test_without_it_sustained_urgent_work_starves_the_rest() -> None:
    world = world_under_load(starvation_ms=None)
    pass_under(world, 1, steps := Load(world, "step"))
    world.run("low", "x")

    pass_under(world, 2000, steps)

    assert "low@x" not in world.told.started


@pytest.mark.parametrize("agents", [1, 3])
def test_with_it_a_task_starts_within_the_bound(agents: int) -> None:
    world = world_under_load(agents=agents, min_runtime_ms=20)
    steps = Load(world, "step", agents + 1)
    pass_under(world, 1, steps)
    world.run("low", "x")

    pass_under(world, 1000, steps)

    waits = waits_ms(world, "low")
    assert len(waits) >= 2
    assert max(waits) < 400


def test_it_starts_when_an_agent_comes_free_after_half_of_the_bound_and_interrupts_nobody() -> None:
    world = world_under_load(min_runtime_ms=20)
    steps = Load(world, "step")
    pass_under(world, 1, steps)
    world.run("low", "x")

    pass_under(world, 199, steps)
    assert "low@x" not in world.told.started
    pass_under(world, STEP_MS + 1, steps)

    assert world.running() == ["low@x"]
    assert not world.told.interrupted


def test_of_the_aged_the_longest_waiting_goes_first_whatever_its_priority() -> None:
    world = world_under_load(workflow("mid", task("mid"), priority=3), min_runtime_ms=50)
    world.takes["mid"] = STEP_MS
    steps = Load(world, "step")
    pass_under(world, 1, steps)
    world.run("low", "x")
    pass_under(world, 5, steps)
    world.run("mid", "y")

    pass_under(world, 400, steps)

    assert [label for label in world.told.started if label in ("low@x", "mid@y")] == ["low@x", "mid@y"]


def test_priority_0_goes_before_it() -> None:
    world = world_under_load()
    steps = Load(world, "step")
    pass_under(world, 1, steps)
    world.run("low", "x")
    pass_under(world, 195, steps)
    world.run("order", "now")
    order_at_front = Load(world, "order")
    pass_under(world, 100, steps, order_at_front)

    assert "low@x" not in world.told.started


# --- the load at which it stops being possible ---------------------------------------------------


@pytest.mark.parametrize(("every_ms", "kept"), [(11, True), (10, False)])
def test_priority_0_that_leaves_anything_at_all_leaves_it_to_the_aged(every_ms: int, *, kept: bool) -> None:
    """Orders of 10 ms: one every 11 ms is a load of 10/11, and the gaps are for the aged; one every 10 ms is 1."""
    world = world_under_load(min_runtime_ms=1)
    steps = Load(world, "step")
    world.run("order", "first")
    world.pass_ms(1)
    world.run("low", "x")

    for turn in range(60):
        world.run("order", f"o{turn}")
        pass_under(world, every_ms, steps)

    assert ("low@x" in world.told.started) is kept
    if kept:
        assert max(waits_ms(world, "low")) < 400
    else:
        assert "longer than starvation_ms (400 ms)" in why(world, "low@x")
        assert "work of priority 0 keeps every suitable agent busy" in why(world, "low@x")


@pytest.mark.parametrize(("agents", "count", "kept"), [(1, 13, True), (1, 14, False), (2, 27, True), (2, 28, False)])
def test_as_many_are_served_in_turn_as_there_are_starts_for(agents: int, count: int, *, kept: bool) -> None:
    """N * (r + d) < m * (S + r): each start keeps an agent for 20 ms, and for 10 ms the step that ends it."""
    world = world_under_load(agents=agents, min_runtime_ms=20)
    steps = Load(world, "step", agents + 1)
    pass_under(world, 1, steps)
    for number in range(count):
        world.run("low", f"x{number}")
        pass_under(world, 30 // agents, steps)

    pass_under(world, 2000, steps)

    longest = max(waits_ms(world, "low", after_ms=600))
    assert (longest < 400) is kept, longest
    assert count * 30 / agents - 30 <= longest <= count * 30 / agents


def test_why_says_that_too_many_have_waited_longer() -> None:
    world = world_under_load(min_runtime_ms=20)
    steps = Load(world, "step")
    pass_under(world, 1, steps)
    world.run("low", *[f"x{number}" for number in range(30)])

    pass_under(world, 500, steps)

    facts = explained(world, "low@x29")
    assert "that have waited longer go first" in facts["why"]
    assert facts["starved"] in facts["why"]


def test_why_says_that_no_agent_came_free() -> None:
    world = world_under_load(workflow("wire", task("wire", preemptible=False), priority=5))
    world.run("wire", "w")
    world.run("low", "x")

    pass_under(world, 399)
    assert "starvation_ms" not in why(world, "low@x")
    pass_under(world, 1)

    assert "no agent has come free" in why(world, "low@x")


def test_why_says_that_order_is_not_the_question() -> None:
    world = world_under_load(workflow("single", task("single"), priority=3, max_concurrent=1), agents=2)
    world.run("single", "a", "b")

    pass_under(world, 401)

    assert "at most 1" in why(world, "single@b")
    assert "who starts first makes no difference" in why(world, "single@b")


# --- what it does not touch --------------------------------------------------------------------


def test_an_aged_task_preempts_nobody_whom_its_priority_does_not_let_it() -> None:
    world = World(workflow("low", priority=5), workflow("same", priority=5), agents=1, starvation_ms=100)
    world.run("same", "s")
    world.run("low", "x")

    world.pass_ms(1000)

    assert world.told.interrupted == []


def test_an_aged_task_takes_no_agent_that_was_freed_for_more_important_work() -> None:
    world = World(
        workflow("mid", task("mid"), priority=3), workflow("low", priority=5), workflow("step", priority=1),
        agents=1, starvation_ms=100,
    )  # fmt: skip
    world.deaf.add("mid")
    world.run("mid", "m")
    world.run("low", "x")
    world.pass_ms(80)
    world.run("step", "s")

    world.stop("mid@m")

    assert world.running() == ["step@s"]


def test_an_aged_task_gives_no_freed_agent_to_who_comes_behind_a_more_important_one() -> None:
    """The agent is freed for ``late``; ``polite`` is more important and takes no part in freeing; ``low`` has aged."""
    world = World(
        workflow("mid", task("mid"), priority=6), workflow("low", priority=7), workflow("late", priority=4),
        workflow("polite", task("polite", preempts=False), priority=2), agents=1, starvation_ms=100,
    )  # fmt: skip
    world.deaf.add("mid")
    world.run("mid", "m")
    world.run("low", "x")
    world.pass_ms(80)
    world.run("late", "y")
    world.run("polite", "z")

    world.stop("mid@m")

    assert world.running() == ["polite@z"]


def test_a_freed_agent_goes_by_importance_though_the_most_important_stands_behind_its_aged_like() -> None:
    """``less`` and ``more`` are of one workflow and have aged before ``late``, for which the agent is freed."""
    world = World(
        workflow("mid", task("mid"), priority=6), workflow("polite", task("polite", preempts=False), priority=5),
        workflow("late", priority=3), agents=1, starvation_ms=100,
    )  # fmt: skip
    world.deaf.add("mid")
    world.run("mid", "m")
    world.run("polite", "less", "more")
    world.set_priority("more", 2)
    world.run("late", "y")
    world.pass_ms(80)

    world.stop("mid@m")

    assert world.running() == ["polite@more"]


def test_a_freed_agent_is_taken_over_by_an_aged_task_and_had_when_the_end_is_recorded() -> None:
    """It was freed for ``late``, which counts for less now; until then it is kept for what follows that end."""
    world = World(
        workflow("mid", task("mid"), priority=3), workflow("late", priority=2), workflow("low", priority=4),
        agents=1, starvation_ms=100,
    )  # fmt: skip
    world.deaf.add("mid")
    world.run("mid", "m")
    world.run("late", "y")
    world.run("low", "x")
    world.pass_ms(80)
    world.set_priority("y", 6)

    world.end("mid@m")

    assert world.running() == ["low@x"]


def test_a_freed_agent_that_is_needed_no_more_goes_by_importance_and_not_by_age() -> None:
    """One is freed for ``late``, which gets the one that ``top`` leaves at that moment; all three have aged."""
    world = World(
        workflow("top", priority=1), workflow("mid", task("mid", grace_ms=1_000), priority=6),
        workflow("less", task("less", capabilities=frozenset({"gpu"})), priority=5),
        workflow("late", priority=3), workflow("low", priority=7),
        groups=(group("cpu", 1, "cpu"), group("wide", 1, "cpu", "gpu")), starvation_ms=100,
    )  # fmt: skip
    world.deaf.add("mid")
    for name in ("top", "mid", "less", "late", "low"):
        world.run(name, "x")
    world.pass_ms(80)

    world.end("top@x", settle=False)
    world.stop("mid@x")

    assert world.running() == ["late@x", "less@x"]
    assert "low@x" not in world.told.started


def test_an_aged_task_is_no_better_protected_once_it_runs() -> None:
    world = world_under_load()
    steps = Load(world, "step")
    pass_under(world, 1, steps)
    world.run("low", "x")

    pass_under(world, 300, steps)

    assert world.told.interrupted[:1] == [("low@x", "preempt")], "started in its time, and stopped at once"
    assert world.running() != ["low@x"]


def test_min_runtime_lets_it_get_something_done_each_time() -> None:
    world = world_under_load(min_runtime_ms=50)
    steps = Load(world, "step")
    pass_under(world, 1, steps)
    world.run("low", "x")

    pass_under(world, 1500, steps)

    ended = [a for a in world.task("low@x").attempts if a.ended is not None and a.started is not None]
    assert len(ended) >= 3
    assert all(a.ended.ns - a.started.ns == 50 * NS_PER_MS for a in ended if a.ended and a.started)


def test_after_max_preemptions_it_runs_to_its_end() -> None:
    world = world_under_load(max_preemptions=2)
    world.takes["low"] = 70
    steps = Load(world, "step")
    pass_under(world, 1, steps)
    world.run("low", "x")

    pass_under(world, 1000, steps)

    shown = world.task("low@x")
    assert (shown.status, shown.preemptions) == ("completed", 2)


def test_nobody_inherits_that_a_waiter_has_aged() -> None:
    world = World(
        workflow("holder", task("holder", lock="k"), priority=6), workflow("low", task("low", lock="k"), priority=5),
        agents=2, starvation_ms=100,
    )  # fmt: skip
    world.run("holder", "h")
    world.run("low", "x")

    world.pass_ms(300)

    assert explained(world, "holder@h")["inherited_priority"] == 5


def test_who_waits_for_a_lock_ages_without_a_look_and_comes_in_its_turn() -> None:
    world = world_under_load(
        workflow("locked", task("locked", lock="k", min_runtime_ms=50), priority=5), starvation_ms=200
    )
    world.takes["locked"] = 300
    steps = Load(world, "step", 3)
    world.run("locked", "a")
    world.pass_ms(1)
    world.run("locked", "b")

    pass_under(world, 2500, steps)

    assert {"locked@a", "locked@b"} <= set(world.told.started)
    check_always(world.scheduling.floor)
    check_inherited(world.scheduling)
    check_at_rest(world.scheduling.floor)


def test_it_costs_one_timer_and_nothing_when_it_is_off() -> None:
    for starvation_ms, timers in ((None, 0), (100, 1)):
        world = World(workflow("low", priority=5), agents=1, starvation_ms=starvation_ms)
        world.run("low", *[f"x{n}" for n in range(300)])

        ours = [key for key in world.timers if key == (SCHEDULER, "aging")]
        assert len(ours) == timers
        assert len(world.scheduling.floor.aging._due) <= 300 * timers


def test_those_that_started_in_time_do_not_pile_up() -> None:
    world = World(workflow("low", priority=5), agents=1, starvation_ms=1_000_000)
    for n in range(500):
        world.run("low", f"x{n}")
        world.end(f"low@x{n}")

    assert len(world.scheduling.floor.aging._due) <= 66
