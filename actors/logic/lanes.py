"""Who is next for a (workflow, entity): its unfinished instances in order, one at a time.

The first of a lane is active, the others wait behind it. Every entity has its lanes; nearly
always that is one instance of one workflow, so that is kept as the instance itself.
"""

from __future__ import annotations

from actors.logic.workflows import Instance
from actors.model import WorkflowId


class Lanes:
    """The lanes of one entity, by workflow; the entity's row is one of these.

    What is held is replaced, never changed in place, so that how it was is one reference.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: Instance | dict[WorkflowId, tuple[Instance, ...]] | None = None

    def unfinished(self, workflow: WorkflowId) -> tuple[Instance, ...]:
        """Unfinished instances in order."""
        held = self._held
        if isinstance(held, dict):
            return held.get(workflow, ())
        return (held,) if held is not None and held.workflow.id == workflow else ()

    def last(self, workflow: WorkflowId) -> Instance | None:
        lane = self.unfinished(workflow)
        return lane[-1] if lane else None

    def depth(self, workflow: WorkflowId) -> int:
        """How many wait behind the active one."""
        return max(0, len(self.unfinished(workflow)) - 1)

    def line_up(self, instance: Instance) -> bool:
        """Line it up; true if it is the first of its lane."""
        held = self._held
        if held is None:
            self._held = instance
            return True
        if not isinstance(held, dict):
            held = {held.workflow.id: (held,)}
        lane = held.get(instance.workflow.id, ())
        self._held = {**held, instance.workflow.id: (*lane, instance)}
        return not lane

    def take_out(self, instance: Instance) -> Instance | None:
        """It has ended; return the one whose turn it is now, if that changed."""
        held = self._held
        if not isinstance(held, dict):
            self._held = None
            return None
        workflow = instance.workflow.id
        lane = held[workflow]
        left = tuple([other for other in lane if other is not instance])
        if not left:
            self._held = {other: held[other] for other in held if other != workflow} or None
            return None
        self._held = {**held, workflow: left}
        return left[0] if lane[0] is instance else None
