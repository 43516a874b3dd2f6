"""Random engines: agents, workflows and settings that a seed chooses, few of each and full of edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from actors.model import (
    AgentGroup,
    Backoff,
    Coalesce,
    Definitions,
    Delivery,
    Isolation,
    OnPreempt,
    Settings,
    Task,
    Workflow,
)
from actors.simulation.choices import Choices
from tests.logic.flows import group, on_data, task, workflow

ENTITIES = ("a", "b", "c", "d")
LOCKS = ("{entity.id}", "everybody", "{workflow.id}", "{task.id}-{entity.id}")
FILLER = "study"
"""The workflow that keeps every agent busy from the start: preemption is a question only in a full engine."""


@dataclass(frozen=True)
class Scenario:
    definitions: Definitions
    agents: int

    @property
    def names(self) -> list[str]:
        return [str(name) for name in self.definitions.workflows]


def scenario(choices: Choices) -> Scenario:
    """Two to five workflows besides the filler, one to four agents."""
    groups = _groups(choices)
    workflows = [workflow(FILLER, task(FILLER, **_life(choices)), priority=6 + choices.pick(2))]
    workflows += [_workflow(f"w{number}", choices) for number in range(2 + choices.pick(4))]
    settings = Settings(
        agents=groups,
        max_infra_losses=1 + choices.pick(3),
        max_lined_up=(3, 1_000)[choices.pick(2)],
        max_waiting_events=(1_000, 3)[choices.pick(2)],
        starvation_ms=(None, None, 40)[choices.pick(3)],
    )
    count = sum(g.count for g in groups)
    return Scenario(Definitions({w.id: w for w in workflows}, settings), count)


def _groups(choices: Choices) -> tuple[AgentGroup, ...]:
    wide = group("wide", 1 + choices.pick(2), "all")
    match choices.pick(3):
        case 0:
            return (wide,)
        case 1:
            return (wide, group("gpu", 1, "gpu"))
        case _:
            return (wide, group("gpu", 1, "gpu"), group("cpu", 1, "cpu"))


def _life(choices: Choices) -> dict[str, Any]:
    """How a task lives and gives way."""
    fields: dict[str, Any] = {}
    pick = choices.pick
    if pick(2):
        fields["isolation"] = Isolation.PROCESS
        fields["on_preempt"] = (OnPreempt.REQUEUE, OnPreempt.SUSPEND, OnPreempt.CANCEL)[pick(3)]
        if fields["on_preempt"] is OnPreempt.SUSPEND and pick(2):
            fields["delivery"] = Delivery.AT_MOST_ONCE
    elif not pick(6):
        fields["preemptible"] = False
    if fields.get("delivery") is not Delivery.AT_MOST_ONCE:
        fields["retry"] = pick(3)
    if pick(4) == 1:
        fields["backoff"] = Backoff(initial_ms=5)
    if pick(4) == 1:
        fields["min_runtime_ms"] = 7
    if pick(4) == 1:
        fields["max_preemptions"] = pick(3)
    if pick(5) == 1:
        fields["timeout_ms"] = 50
    fields["grace_ms"] = (20, 0, 100)[pick(3)]
    return fields


def _task(name: str, after: tuple[str, ...], choices: Choices) -> tuple[Task, tuple[str, ...]]:
    fields = _life(choices)
    pick = choices.pick
    if pick(3) == 1:
        fields["capabilities"] = frozenset({("gpu", "cpu", "fpga")[pick(8) % 3 if pick(6) == 1 else pick(2)]})
    if pick(5) == 1:
        fields["preempts"] = False
    if pick(6) == 1:
        fields["queue_timeout_ms"] = 40
    if pick(3) == 1:
        fields["priority"] = pick(8)
    if pick(3) == 1:
        fields["lock"] = LOCKS[pick(len(LOCKS))]
    return task(name, after=after, **fields)


def _workflow(name: str, choices: Choices) -> Workflow:
    pick = choices.pick
    ids = [f"{name}{letter}" for letter in "xyz"[: 1 + pick(3)]]
    shape = pick(3)
    tasks = []
    for place, id_ in enumerate(ids):
        before = tuple(ids[:place])
        after = {0: before[-1:], 1: before[:1], 2: before if place == 2 else ()}[shape]  # Chain, fork, join.
        tasks.append(_task(id_, after, choices))
    fields: dict[str, Any] = {"priority": pick(7)}
    if pick(3) == 1:
        fields["max_concurrent"] = 1 + pick(2)
    if pick(5) == 1:
        fields["valid_for_ms"] = 40
    if pick(3):
        fields["coalesce"] = (Coalesce.LATEST, Coalesce.ALL)[pick(2)]
        return on_data(name, *tasks, **fields)
    return workflow(name, *tasks, **fields)
