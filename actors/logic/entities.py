"""The state table, and which workflows an event or a row of the table calls for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from actors.errors import ConditionError
from actors.logic.rows import Row
from actors.logic.state import State
from actors.model import (
    DEFAULT_PRIORITY,
    Entity,
    EntityId,
    EntitySeed,
    EntityStatus,
    Event,
    EventType,
    Json,
    Phase,
    Priority,
    Trigger,
    Workflow,
)

ARRIVALS = frozenset({EventType.DATA_READY, EventType.HIGH_PRIORITY_ARRIVED})
"""Event forms of "``data_ready`` and ``pending`` in the table"."""
OUTCOMES = frozenset({EventType.TASK_COMPLETED, EventType.TASK_FAILED})


class StateTable:
    """Every entity by id, and an index of those that changed and are pending."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._rows = state.rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def get(self, entity: EntityId) -> Row | None:
        return self._rows.get(entity)

    @property
    def pending(self) -> dict[EntityId, None]:
        """Pending rows that nothing has looked at since they changed, oldest first; to read."""
        return self._state.pending

    def calls(self, entity: EntityId) -> None:
        """It is pending: somebody must look at what it calls for."""
        self._state.pending[entity] = None

    def looked_at(self, entity: EntityId) -> None:
        pending = self._state.pending
        if entity in pending:
            self._state.will_change(pending)
            del pending[entity]

    def add(self, entity: Entity) -> Row:
        row = self._rows[entity.id] = Row(entity)
        return row

    def put(self, seed: EntitySeed) -> Row:
        """Add or change a row as a person says; a new one is ``data_ready`` and ``pending``."""
        row = self._rows.get(seed.id)
        old = row.entity if row is not None else Entity(seed.id)
        status = seed.status if seed.status is not None else old.status
        if row is not None and row.live:
            status = EntityStatus.PROCESSING
        elif row is not None and seed.status is None and seed.phase is not None:
            status = EntityStatus.PENDING  # A new phase makes it ready again.
        entity = Entity(
            seed.id,
            old.name if seed.name is None else seed.name,
            old.phase if seed.phase is None else seed.phase,
            status,
            old.priority if seed.priority is None else seed.priority,
            old.last_processed,
            old.data if seed.data is None else seed.data,
        )
        if row is None:
            row = self.add(entity)
        else:
            self._state.touch(row)
            row.entity = entity
        if status is EntityStatus.PENDING:
            self.calls(seed.id)
        return row


def arrived(old: Entity | None, event: Event, priority: Priority, *, live: bool) -> Entity:
    """The row as the event leaves it; nothing is changed yet.

    ``DATA_READY`` makes it ``data_ready`` and ``pending`` (while it is ``processing`` the status
    stays); ``HIGH_PRIORITY_ARRIVED`` does the same at its own priority. Its data become the
    event's, if it brings any; outcomes of tasks leave them alone.
    """
    arrival = event.type in ARRIVALS
    if old is None:
        phase = Phase.DATA_READY if arrival else ""
        return Entity(EntityId(event.entity_id), phase=phase, priority=priority, data=event.data)
    status = old.status
    if arrival and not live:
        status = EntityStatus.PENDING
    keeps_data = event.data is None or event.type in OUTCOMES
    return Entity(
        old.id,
        old.name,
        Phase.DATA_READY if arrival else old.phase,
        status,
        priority if event.type == EventType.HIGH_PRIORITY_ARRIVED else old.priority,
        old.last_processed,
        old.data if keeps_data else event.data,
    )


class Triggers:
    """Which workflows start, by event and by table."""

    def __init__(self, workflows: Iterable[Workflow]) -> None:
        self._by_event: dict[str, list[Workflow]] = {}
        self._by_table: list[Workflow] = []
        for workflow in workflows:
            if workflow.trigger is Trigger.EVENT:
                self._by_event.setdefault(workflow.trigger_event, []).append(workflow)
            table_form = workflow.trigger is Trigger.EVENT and workflow.trigger_event == EventType.DATA_READY
            if workflow.trigger is Trigger.STATE or table_form:
                self._by_table.append(workflow)
        self._state_only = [workflow for workflow in self._by_table if workflow.trigger is Trigger.STATE]
        self._on_data = self._by_event.get(EventType.DATA_READY, [])

    def listens_to(self, type_: str) -> bool:
        return bool(self._by_event.get(type_))

    def for_event(
        self, event: Event, entity: Entity, priority: Priority
    ) -> tuple[list[Workflow], list[ConditionError]]:
        """Workflows the event starts for the entity as it is now, and conditions that failed."""
        candidates = list(self._by_event.get(event.type, ()))
        if event.type == EventType.HIGH_PRIORITY_ARRIVED:
            candidates += self._on_data
        matching, failures = [], []
        for workflow in candidates:
            try:
                if _holds(workflow, entity, event, priority):
                    matching.append(workflow)
            except ConditionError as error:
                failures.append(error)
        return matching, failures

    def for_row(self, entity: Entity) -> list[Workflow]:
        """Workflows that the table alone starts for a pending entity; ``event`` is null for them."""
        return _without_event(self._by_table, entity)

    def state_only(self, entity: Entity) -> list[Workflow]:
        """Of those, the ones no event starts."""
        return _without_event(self._state_only, entity)


def _without_event(workflows: Iterable[Workflow], entity: Entity) -> list[Workflow]:
    matching = []
    for workflow in workflows:
        try:
            if _holds(workflow, entity, None, entity.priority):
                matching.append(workflow)
        except ConditionError:
            continue  # It reads an event, and there is none.
    return matching


def _holds(workflow: Workflow, entity: Entity, event: Event | None, priority: Priority) -> bool:
    if workflow.phase is not None and workflow.phase != entity.phase:
        return False
    if workflow.when is None:
        return True
    return workflow.when(entity_fields(entity), None if event is None else event_fields(event, priority))


def entity_fields(entity: Entity) -> Mapping[str, Json]:
    """What ``entity`` is in a ``when:``."""
    return {
        "id": entity.id,
        "name": entity.name,
        "phase": entity.phase,
        "status": str(entity.status),
        "priority": entity.priority,
        "last_processed": entity.last_processed,
        "data": entity.data,
    }


def event_fields(event: Event, priority: Priority = DEFAULT_PRIORITY) -> Mapping[str, Json]:
    """What ``event`` is in a ``when:``."""
    return {
        "type": event.type,
        "entity_id": event.entity_id,
        "priority": priority,
        "data": event.data,
        "timestamp": event.timestamp,
        "id": event.id,
    }
