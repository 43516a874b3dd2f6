"""How a run went, counted from the changes of state it was told of: the closing line's figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from actors.model import InstanceStatus
from actors.views import ChangeType, StateChanged

COUNTED = frozenset(
    {ChangeType.INSTANCE_CREATED, ChangeType.INSTANCE_ENDED, ChangeType.TASK_PREEMPTED, ChangeType.TASK_SUSPENDED}
)
"""The changes a tally must be told of."""


class Tally:
    """Counts to the last change before the engine's end, which ``stats`` cannot: by then nobody answers."""

    def __init__(self) -> None:
        self._ended: Counter[str] = Counter()
        self._created = 0
        self._preempted = 0
        self._missed = False

    def take(self, change: StateChanged) -> None:
        match change.type:
            case ChangeType.INSTANCE_CREATED:
                self._created += 1
            case ChangeType.INSTANCE_ENDED:
                self._ended[change.status] += 1
            case ChangeType.TASK_PREEMPTED | ChangeType.TASK_SUSPENDED:
                self._preempted += 1
            case ChangeType.GAP:
                self._missed = True

    def figures(self, stats: Mapping[str, Any]) -> dict[str, int]:
        """Return instances by status, and preemptions; from ``stats`` where changes were missed."""
        if self._missed:
            counts = {status.value: stats["instances"].get(status.value, 0) for status in InstanceStatus}
            return {**counts, "preemptions": stats["preemptions"]}
        counts = {status.value: self._ended[status.value] for status in InstanceStatus}
        counts["running"] = self._created - self._ended.total()
        return {**counts, "preemptions": self._preempted}
