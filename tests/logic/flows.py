"""Workflows and agents in a line each, as stories need them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from actors.model import (
    AgentGroup,
    EventType,
    Json,
    Phase,
    Task,
    Trigger,
    Workflow,
    WorkflowId,
)


def task(id: str = "work", *, after: tuple[str, ...] = (), **fields: Any) -> tuple[Task, tuple[str, ...]]:
    """A task and the ids it waits for; its timeout is an hour unless given."""
    return Task(id, 0, action=id, **{"timeout_ms": 3_600_000, **fields}), after


def workflow(id: str, *drafts: tuple[Task, tuple[str, ...]], **fields: Any) -> Workflow:
    """A workflow that is started by hand, unless a trigger is given; of one task of the same name, unless given."""
    drafts = drafts or (task(id),)
    places = {draft.id: place for place, (draft, _) in enumerate(drafts)}
    tasks = tuple(
        replace(draft, index=place, depends_on=tuple(places[name] for name in after))
        for place, (draft, after) in enumerate(drafts)
    )
    dependants = tuple(
        tuple(other.index for other in tasks if place in other.depends_on) for place in range(len(tasks))
    )
    fields.setdefault("trigger", Trigger.MANUAL)
    data_driven = fields.get("trigger_event", EventType.DATA_READY) in ("DATA_READY", "HIGH_PRIORITY_ARRIVED")
    if fields["trigger"] is Trigger.STATE or (fields["trigger"] is Trigger.EVENT and data_driven):
        fields.setdefault("phase", Phase.DATA_READY)
    return Workflow(WorkflowId(id), tasks, dependants, **fields)


def on_data(id: str, *drafts: tuple[Task, tuple[str, ...]], **fields: Any) -> Workflow:
    """A workflow that DATA_READY starts."""
    return workflow(id, *drafts, trigger=Trigger.EVENT, **fields)


def chain(id: str, length: int, **fields: Any) -> Workflow:
    """``id1`` before ``id2`` before ``id3`` and so on."""
    links = [task(f"{id}{n}", after=(f"{id}{n - 1}",) if n > 1 else ()) for n in range(1, length + 1)]
    return workflow(id, *links, **fields)


def group(name: str, count: int, *capabilities: str) -> AgentGroup:
    return AgentGroup(name, count, frozenset(capabilities))


@dataclass(frozen=True)
class When:
    """A condition as a function."""

    holds: Callable[[Mapping[str, Json], Mapping[str, Json] | None], bool]
    reads_event: bool = False
    text: str = "a function"

    def __call__(self, entity: Mapping[str, Json], event: Mapping[str, Json] | None) -> bool:
        return self.holds(entity, event)
