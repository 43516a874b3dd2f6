"""The store that lives and dies with the process; it lies outside the keeper, so a rebuilt keeper finds it.

Records are kept packed: a finished workflow of three tasks takes about 600 bytes instead of
4,000 as objects.
"""

from __future__ import annotations

import marshal
import threading
from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

from actors.model import InstanceStatus
from actors.views import Record

_ID, _WORKFLOW, _STATUS, _TASKS = 0, 2, 4, 11
_TASK_ID, _TASK = 0, 1
Packed: TypeAlias = bytes | Record


class MemoryStore:
    def __init__(self, store_id: str, *, max_finished: int) -> None:
        self.id = store_id
        self._max = max_finished
        self._records: dict[str, Packed] = {}
        self._order: deque[str] = deque()
        self._shapes: dict[tuple[str, ...], None] = {}
        """Every workflow of which there was a record, with its tasks: what a task's id may begin with."""
        self._lock = threading.Lock()

    def commit(self, finished: Sequence[Record], retried: Sequence[tuple[str, str]] = ()) -> None:
        packed = [(record[_ID], _pack(record)) for record in finished]
        shapes = {(record[_WORKFLOW], *[task[_TASK] for task in record[_TASKS]]): None for record in finished}
        with self._lock:
            self._shapes |= shapes
            for instance_id, record in packed:
                self._records[instance_id] = record
                self._order.append(instance_id)
            for instance_id, retried_by in retried:
                kept = self._records.get(instance_id)
                if kept is not None:
                    self._records[instance_id] = _pack((*_unpack(kept)[:-1], retried_by))
            while len(self._order) > self._max:
                del self._records[self._order.popleft()]

    def get(self, instance_id: str) -> Record | None:
        packed = self._records.get(instance_id)
        return None if packed is None else _unpack(packed)

    def find(self, id: str) -> Record | None:
        record = self.get(id)
        if record is not None:
            return record
        for workflow, *tasks in list(self._shapes):
            for task in tasks:
                if not id.startswith(f"{task}_"):
                    continue
                record = self.get(workflow + id[len(task) :])  # What follows the name is the same in both ids.
                if record is not None and any(one[_TASK_ID] == id for one in record[_TASKS]):
                    return record
        return None

    def newest(self, *, status: InstanceStatus | None, workflow: str | None, limit: int) -> Sequence[Record]:
        with self._lock:
            all_packed = list(self._records.values())
        found: list[Record] = []
        for packed in reversed(all_packed):
            if len(found) >= limit:
                break
            record = _unpack(packed)
            if status in (None, record[_STATUS]) and workflow in (None, record[_WORKFLOW]):
                found.append(record)
        return found

    def close(self) -> None:
        """Nothing to release."""


def _pack(record: Record) -> Packed:
    try:
        return marshal.dumps(record)
    except ValueError:  # An event brought a subclass of a plain type, such as an enumeration's member.
        return record


def _unpack(packed: Packed) -> Record:
    if isinstance(packed, tuple):
        return packed
    record = marshal.loads(packed)  # Ours: written by ``commit`` in this process.
    assert isinstance(record, tuple)
    return record
