"""Where tasks in line stand: a shelf for all with the same needs, and in it only who may have its lock.

Heaps are not searched: a slot goes stale when its task leaves, changes its priority or its
needs, and is dropped when it comes to the front.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple, TypeAlias

from actors.logic.locks import Locks
from actors.logic.waiting import Need, Waiting
from actors.model import WorkflowId

Slot: TypeAlias = tuple[float, int, Waiting]


class Front(NamedTuple):
    """Whose turn it is, and by which of its places."""

    waiting: Waiting
    need: Need


class Shelf:
    __slots__ = ("heap", "locks", "need", "passed")

    def __init__(self, need: Need, locks: Locks) -> None:
        self.need = need
        self.locks = locks
        self.heap: list[Slot] = []
        self.passed = False

    def first(self) -> Slot | None:
        """The most important live slot; stale ones in front of it are dropped.

        So are those whose lock is not to be had; their rows have them when it is.
        """
        heap = self.heap
        while heap:
            slot = heap[0]
            waiting = slot[2]
            if waiting.stands(self.need, slot[0]):
                lock = waiting.lock
                if lock is None or self.locks.open_to(lock, waiting.job.attempt.task, waiting.rank(self.need)):
                    return slot
            heapq.heappop(heap)
        return None

    def push(self, slot: Slot, bound: int) -> bool:
        """Put it there, dropping stale slots if there are more than the bound; whether it is the first now."""
        heapq.heappush(self.heap, slot)
        if len(self.heap) > bound:
            live = {id(slot[2]): slot for slot in self.heap if slot[2].stands(self.need, slot[0])}
            self.heap = list(live.values())
            heapq.heapify(self.heap)
        return self.first() == slot


class Rows:
    """Who waits for which lock: a row for all who want the same one and have the same needs."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[Need, list[Slot]]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def push(self, lock: str, need: Need, slot: Slot, bound: int) -> bool:
        """Put it into its row; whether it is the first of it now."""
        row = self._rows.setdefault(lock, {}).setdefault(need, [])
        heapq.heappush(row, slot)
        if len(row) > bound:
            row[:] = [s for s in row if s[2].stands(need, s[0])]
            heapq.heapify(row)
        return row[0] is slot

    def first(self, lock: str, need: Need) -> Slot | None:
        """The first of the row; a row without tasks goes."""
        rows = self._rows.get(lock, {})
        row = rows.get(need)
        while row and not row[0][2].stands(need, row[0][0]):
            heapq.heappop(row)
        if row:
            return row[0]
        rows.pop(need, None)
        if not rows:
            self._rows.pop(lock, None)
        return None

    def needs(self, lock: str) -> tuple[Need, ...]:
        return tuple(self._rows.get(lock, ()))

    def locks(self) -> tuple[str, ...]:
        """Those that anybody waits for."""
        return tuple(self._rows)

    def wanted_by(self, workflow: WorkflowId) -> list[str]:
        """The locks that tasks of this workflow wait for; looks at all rows."""
        return [lock for lock, rows in self._rows.items() if any(need.workflow == workflow for need in rows)]
