"""The simulation without a seed: messages take no time, actions take what their plan says."""

from __future__ import annotations

import time
from typing import Any

import pytest

from actors.effects import KEEPER, SCHEDULER
from actors.messages import ReadStats, RunWorkflow
from actors.model import (
    NS_PER_MS,
    AgentGroup,
    Coalesce,
    Definitions,
    EntityId,
    Event,
    Isolation,
    Job,
    OnPreempt,
    OutcomeKind,
    Settings,
    StopReason,
    Workflow,
    WorkflowId,
)
from actors.simulation import Plan, Simulation, Span
from tests.logic.flows import on_data, task, workflow

MS = NS_PER_MS


def definitions(*workflows: Workflow, agents: int = 1, **settings: Any) -> Definitions:
    return Definitions({w.id: w for w in workflows}, Settings(agents=(AgentGroup(count=agents),), **settings))


def run(*workflows: Workflow, takes: dict[str, Plan], events: list[tuple[int, str, int]], agents: int = 1) -> list[str]:
    """Each attempt as ``entity began-ended outcome``, in ms; events are (ms, entity, priority)."""
    spans: list[Span] = []
    sim = Simulation(definitions(*workflows, agents=agents), plan=lambda job, _: takes[job.entity.id])
    sim.on_span = spans.append
    for at, entity, priority in events:
        sim.publish(Event("HIGH_PRIORITY_ARRIVED", entity, priority), at=at * MS)
    sim.run()
    return [f"{s.entity} {(s.began or 0) / MS:g}-{s.ended / MS:g} {s.outcome}" for s in spans]


def test_preempted_work_continues_where_it_stopped_when_it_is_kept() -> None:
    takes = {"low": Plan(6 * MS), "high": Plan(10 * MS)}

    told = run(on_data("w", task(), priority=3), takes=takes, events=[(1, "low", 3), (3, "high", 0)])

    assert told == ["low 1-3 stopped", "high 3-13 completed", "low 13-17 completed"]


def test_preempted_work_starts_over_when_it_is_not_kept() -> None:
    takes = {"low": Plan(6 * MS, keeps_work=False), "high": Plan(10 * MS)}

    told = run(on_data("w", task(), priority=3), takes=takes, events=[(1, "low", 3), (3, "high", 0)])

    assert told[-1] == "low 13-19 completed"


def test_a_suspended_attempt_stands_still_and_goes_on() -> None:
    frozen = on_data("w", task(isolation=Isolation.PROCESS, on_preempt=OnPreempt.SUSPEND), priority=3)
    spans: list[Span] = []
    sim = Simulation(definitions(frozen), plan=lambda job, _: Plan(6 * MS))
    sim.on_span = spans.append

    sim.publish(Event("DATA_READY", "low", 3), at=0)
    sim.publish(Event("HIGH_PRIORITY_ARRIVED", "high", 0), at=2 * MS)
    sim.run()

    assert [(s.entity, s.ended // MS, s.stood_still // MS, s.attempt) for s in spans] == [
        ("high", 8, 0, 1),
        ("low", 12, 6, 1),
    ]


def test_a_deaf_process_is_killed_after_its_grace_and_a_deaf_thread_is_set_aside() -> None:
    takes = {"low": Plan(1000 * MS, hears_after=None), "high": Plan(10 * MS)}
    events = [(0, "low", 3), (5, "high", 0)]

    process, thread = task(isolation=Isolation.PROCESS, grace_ms=20), task(grace_ms=20)
    killed = run(on_data("w", process, priority=3), takes=takes, events=events)
    aside = run(on_data("w", thread, priority=3), takes=takes, events=events)

    assert killed == ["low 0-25 stopped", "high 25-35 completed", "low 35-1010 completed"]
    assert aside == ["high 25-35 completed", "low 0-1000 completed", "low 1000-2000 completed"]


def test_what_ends_at_one_instant_is_applied_before_anything_is_decided() -> None:
    """Otherwise the middle task would take the agent that the successor has coming."""
    chain = workflow("chain", task("first", priority=1), task("then", after=("first",), priority=1))
    plans = {"first": Plan(5 * MS), "then": Plan(1 * MS), "work": Plan(5 * MS)}
    began: list[str] = []

    def plan(job: Job, _restored: int) -> Plan:
        began.append(job.task.id)
        return plans[job.task.id]

    sim = Simulation(definitions(chain, workflow("middle", task("work", priority=2))), plan=plan)
    sim.tell(KEEPER, RunWorkflow(WorkflowId("chain"), EntityId("a")))
    sim.tell(KEEPER, RunWorkflow(WorkflowId("middle"), EntityId("b")))
    sim.run()

    assert began == ["first", "then", "work"]
    assert sim.now == 11 * MS


def test_failures_are_retried_as_the_task_says_and_losses_are_not_failures() -> None:
    takes = {"a": Plan(1 * MS, OutcomeKind.FAILED, keeps_work=False)}

    told = run(on_data("w", task(retry=1)), takes=takes, events=[(0, "a", 2)])

    assert told == ["a 0-1 failed", "a 1-2 failed"]


def test_an_attempt_that_overruns_its_timeout_is_told_to_stop_for_that_reason() -> None:
    spans: list[Span] = []
    sim = Simulation(definitions(on_data("w", task(timeout_ms=7))), plan=lambda job, _: Plan(50 * MS))
    sim.on_span = spans.append

    sim.publish(Event("DATA_READY", "a"), at=0)
    sim.run()

    assert [(s.ended // MS, s.reason) for s in spans] == [(7, StopReason.TIMEOUT)]


def test_it_stops_at_the_instant_asked_for_and_goes_on_from_there() -> None:
    done: list[Any] = []
    sim = Simulation(definitions(on_data("w", task(), priority=3)), plan=lambda job, _: Plan(10 * MS))
    sim.on_done = done.append
    sim.publish(Event("DATA_READY", "a"), at=0)

    sim.run(until=4 * MS)
    assert (sim.now, len(done)) == (4 * MS, 0)
    assert sim.ask(SCHEDULER, ReadStats())["agents"]["running"] == 1
    with pytest.raises(ValueError, match="has passed"):
        sim.publish(Event("DATA_READY", "b"), at=1)

    sim.run()
    assert (sim.now, len(done)) == (10 * MS, 1)
    assert sim.view(done[0]).status == "completed"


def test_any_number_of_events_may_come_at_one_instant() -> None:
    sim = Simulation(definitions(on_data("w", task(), coalesce=Coalesce.LATEST), agents=3))

    sim.publish(*[Event("DATA_READY", f"e{n}") for n in range(11_000)], at=0)
    sim.run()

    assert sim.ask(KEEPER, ReadStats())["instances"]["completed"] == 11_000


@pytest.mark.slow
def test_a_virtual_day_of_a_hundred_thousand_tasks_runs_in_under_20_s() -> None:
    day, tasks = 86_400_000 * MS, 100_000
    sim = Simulation(definitions(on_data("w", task(), priority=3), agents=5), plan=lambda job, _: Plan(4_000 * MS))
    started = time.monotonic()

    for number in range(tasks):
        sim.publish(Event("DATA_READY", f"e{number % 5000}", number % 4), at=day // tasks * number)
    sim.run()

    assert time.monotonic() - started < 20
    assert sim.ask(KEEPER, ReadStats())["instances"]["completed"] == tasks


@pytest.mark.parametrize("seed", [1, 2])
def test_with_a_seed_messages_overtake_one_another_the_same_way_each_time_and_all_gets_done(seed: int) -> None:
    def told() -> list[Span]:
        spans: list[Span] = []
        sim = Simulation(
            definitions(on_data("w", task(), priority=3), agents=2), plan=lambda job, _: Plan(7 * MS), seed=seed
        )
        sim.on_span = spans.append
        for number in range(40):
            sim.publish(Event("HIGH_PRIORITY_ARRIVED", f"e{number}", number % 4), at=number * MS)
        sim.run()
        return spans

    spans = told()

    assert spans == told()
    assert sum(span.outcome is OutcomeKind.COMPLETED for span in spans) == 40
