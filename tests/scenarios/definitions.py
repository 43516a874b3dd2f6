"""A scenario as the engine's definitions, the same in virtual time and on every runner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors import Event
from actors.definitions import parse
from actors.model import Definitions
from tests.scenarios.scenario import Arrival, Scenario, Work
from tests.scenarios.work import work, work_async

AGES_MS = 86_400_000
ACTIONS: dict[str, Callable[..., Any]] = {"thread": work, "process": work, "async": work_async}
"""What does the work, by isolation."""


def source(scenario: Scenario, *, isolation: str = "thread", unit_ms: float = 1.0) -> dict[str, Any]:
    """Workflows and settings; each workflow is started by events of a type of its own."""
    common = {"isolation": isolation, "unit_ms": unit_ms, "kept": scenario.kept}
    workflows: dict[str, Any] = {}
    for arrival in scenario.arrivals:
        name = workflow_name(arrival)
        if name not in workflows:
            tasks = [_task(arrival, one, common) for one in arrival.works]
            workflows[name] = {"trigger_event": name, "tasks": tasks}
            if arrival.workflow in scenario.limits:
                workflows[name]["max_concurrent"] = scenario.limits[arrival.workflow]
    settings = {"agents": scenario.agents, "event_types": sorted(workflows)}
    return {"workflows": workflows, "settings": settings}


def _task(arrival: Arrival, one: Work, common: dict[str, Any]) -> dict[str, Any]:
    task: dict[str, Any] = {
        "id": named(one.name) if len(arrival.works) > 1 else "work",
        "action": "work",
        "isolation": common["isolation"],
        "timeout": AGES_MS,
        "priority": one.priority,
        "preemptible": one.preemptible,
        "depends_on": [named(name) for name in one.after],
        "params": {"unit_ms": common["unit_ms"], "kept": common["kept"], "size": one.size},
    }
    if not one.preempts:
        task["preempts"] = "never"
    if len(arrival.works) == 1:
        del task["params"]["size"]  # Jobs of one workflow differ in size: it comes with the event.
    return task


def named(name: str) -> str:
    """A name as ids may be."""
    return name.replace(" ", "_")


def workflow_name(arrival: Arrival) -> str:
    return named(arrival.workflow)


def event(arrival: Arrival) -> Event:
    priority = min(one.priority for one in arrival.works)
    size = arrival.works[0].size
    return Event(workflow_name(arrival), named(arrival.entity), priority=priority, data={"size": size})


def definitions(scenario: Scenario) -> Definitions:
    return parse(source(scenario), actions={"work": work})


def names(scenario: Scenario) -> dict[tuple[str, str], str]:
    """By entity and task, the scenario's name of it."""
    return {
        (named(arrival.entity), named(one.name) if len(arrival.works) > 1 else "work"): one.name
        for arrival in scenario.arrivals
        for one in arrival.works
    }
