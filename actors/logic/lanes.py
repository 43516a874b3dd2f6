"""Who is next for a (workflow, entity): its unfinished instances in order, one at a time.

The first of a lane is active, the others wait behind it. Every entity has its lanes; nearly
always that is one instance of one workflow, so that is kept as the instance itself.
"""

from __future__ import annotations

from actors.logic.workflows import Instance
from actors.model import WorkflowId


class Lanes:
    """The lanes of one entity, by workflow; the entity's row is one of these."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: Instance | dict[WorkflowId, list[Instance]] | None = None

    def _lane(self, workflow: WorkflowId) -> list[Instance]:
        held = self._held
        if isinstance(held, dict):
            return held.get(workflow, [])
        return [held] if held is not None and held.workflow.id == workflow else []

    def unfinished(self, workflow: WorkflowId) -> list[Instance]:
        """Unfinished instances in order; a copy."""
        return list(self._lane(workflow))

    def last(self, workflow: WorkflowId) -> Instance | None:
        lane = self._lane(workflow)
        return lane[-1] if lane else None

    def depth(self, workflow: WorkflowId) -> int:
        """How many wait behind the active one."""
        return max(0, len(self._lane(workflow)) - 1)

    def line_up(self, instance: Instance) -> bool:
        """Line it up; true if it is the first of its lane."""
        held = self._held
        if held is None:
            self._held = instance
            return True
        if not isinstance(held, dict):
            held = self._held = {held.workflow.id: [held]}
        lane = held.setdefault(instance.workflow.id, [])
        lane.append(instance)
        return len(lane) == 1

    def take_out(self, instance: Instance) -> Instance | None:
        """It has ended; return the one whose turn it is now, if that changed."""
        held = self._held
        if not isinstance(held, dict):
            self._held = None
            return None
        lane = held[instance.workflow.id]
        was_first = lane[0] is instance
        lane.remove(instance)
        if not lane:
            del held[instance.workflow.id]
            self._held = held or None
            return None
        return lane[0] if was_first else None
