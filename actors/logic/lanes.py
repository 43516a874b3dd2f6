"""Who is next for a (workflow, entity): its unfinished instances in order, one at a time.

The first is active, the others wait behind it. Nearly every lane has one instance, so a lane
of one is kept as the instance itself.
"""

from __future__ import annotations

from actors.logic.workflows import Instance
from actors.model import EntityId, WorkflowId

Lane = tuple[WorkflowId, EntityId]


class Lanes:
    def __init__(self) -> None:
        self._lanes: dict[Lane, Instance | list[Instance]] = {}

    def of(self, workflow: WorkflowId, entity: EntityId) -> list[Instance]:
        """Unfinished instances in order; a copy."""
        lane = self._lanes.get((workflow, entity))
        if lane is None:
            return []
        return [lane] if isinstance(lane, Instance) else list(lane)

    def last(self, workflow: WorkflowId, entity: EntityId) -> Instance | None:
        lane = self._lanes.get((workflow, entity))
        return lane[-1] if isinstance(lane, list) else lane

    def depth(self, workflow: WorkflowId, entity: EntityId) -> int:
        """How many wait behind the active one."""
        lane = self._lanes.get((workflow, entity))
        return len(lane) - 1 if isinstance(lane, list) else 0

    def append(self, instance: Instance) -> bool:
        """Line it up; true if it is the first."""
        key = (instance.workflow.id, instance.entity)
        lane = self._lanes.get(key)
        if lane is None:
            self._lanes[key] = instance
            return True
        if isinstance(lane, list):
            lane.append(instance)
        else:
            self._lanes[key] = [lane, instance]
        return False

    def remove(self, instance: Instance) -> Instance | None:
        """It has ended; return the one whose turn it is now, if that changed."""
        key = (instance.workflow.id, instance.entity)
        lane = self._lanes[key]
        if not isinstance(lane, list):
            del self._lanes[key]
            return None
        was_first = lane[0] is instance
        lane.remove(instance)
        first = lane[0]
        if len(lane) == 1:
            self._lanes[key] = first
        return first if was_first else None
