"""What of the definitions is the newest version's for all there is, and what each instance keeps.

Triggers, conditions, bounds and ``max_concurrent`` are the newest version's. An instance keeps
its workflow, the version whose code its tasks run. A workflow that the newest version does not
have keeps its last limit, and its instances can be found, as long as the version that had it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.messages import IntakeChanged
from actors.model import Coalesce, Definitions, EventType, Trigger, WorkflowId

Library = Mapping[str, Definitions]
"""Every version that is kept, in the order of their loading. Whoever loads adds to it before it is adopted."""


def limits_of(library: Library, newest: Definitions) -> dict[WorkflowId, int]:
    """``max_concurrent`` by workflow, for those that have one."""
    limits: dict[WorkflowId, int | None] = {}
    for definitions in [*dict(library).values(), newest]:
        limits |= {workflow.id: workflow.max_concurrent for workflow in definitions.workflows.values()}
    return {workflow: limit for workflow, limit in limits.items() if limit is not None}


def names_of(library: Library, newest: Definitions) -> dict[WorkflowId, tuple[str, ...]]:
    """By workflow, the names that readable ids of it may begin with: its own and its tasks'; the newest first."""
    names: dict[WorkflowId, dict[str, None]] = {}
    for definitions in [newest, *reversed(dict(library).values())]:
        for workflow in definitions.workflows.values():
            known = names.setdefault(workflow.id, {workflow.id: None})
            known.update(dict.fromkeys(task.id for task in workflow.tasks))
    return {workflow: tuple(known) for workflow, known in names.items()}


def intake_of(definitions: Definitions) -> IntakeChanged:
    """How the router takes events in."""
    return IntakeChanged(_mergeable_types(definitions), definitions.settings.max_waiting_events)


def _mergeable_types(definitions: Definitions) -> frozenset[str]:
    """Types that start no workflow where each event counts, and that no ``when:`` on the event reads."""
    arrivals = {EventType.DATA_READY, EventType.HIGH_PRIORITY_ARRIVED}
    types: set[str] = {*arrivals, *definitions.settings.event_types}
    for workflow in definitions.workflows.values():
        each_counts = workflow.coalesce is Coalesce.ALL or (workflow.when is not None and workflow.when.reads_event)
        if workflow.trigger is Trigger.EVENT and each_counts:
            types.discard(workflow.trigger_event)
            if workflow.trigger_event == EventType.DATA_READY:
                types.discard(EventType.HIGH_PRIORITY_ARRIVED)  # It starts what DATA_READY starts.
    return frozenset(types)
