"""Law 7 for places below ``max_concurrent``: a place that comes free goes to what follows first.

When an attempt of a limited workflow ends, its place is kept for work at least as important
until the keeper has said what became ready after it. Otherwise a less important task of the
same workflow takes the place on any free agent, and the urgent successor waits for all of it.
"""

from __future__ import annotations

from bisect import insort

from actors.model import AttemptId, Priority, WorkflowId

FULL: Priority = -1
"""No priority is important enough."""


class Succession:
    def __init__(self) -> None:
        self._kept: dict[WorkflowId, list[Priority]] = {}
        """By workflow, sorted: for work how important each place is kept. As many as ends not recorded yet."""
        self._of: dict[AttemptId, tuple[WorkflowId, Priority]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def keep(self, attempt: AttemptId, workflow: WorkflowId, priority: Priority) -> None:
        insort(self._kept.setdefault(workflow, []), priority)
        self._of[attempt] = (workflow, priority)

    def recorded(self, attempt: AttemptId) -> WorkflowId | None:
        """The end of this attempt is recorded; the workflow whose place was kept, if one was."""
        workflow, priority = self._of.pop(attempt, (None, 0))
        if workflow is not None:
            kept = self._kept[workflow]
            kept.remove(priority)
            if not kept:
                del self._kept[workflow]
        return workflow

    def ceiling(self, workflow: WorkflowId, free: int) -> Priority | None:
        """How important a task must at least be to take one of the free places; None: it does not matter.

        A task may take one unless as many places are kept for more important work as are free.
        """
        if free <= 0:
            return FULL
        kept = self._kept.get(workflow, ())
        return kept[free - 1] if len(kept) >= free else None
