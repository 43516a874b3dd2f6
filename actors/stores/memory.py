"""The store that lives and dies with the process; it lies outside the keeper, so a rebuilt keeper finds it.

Records are kept packed: a finished workflow of three tasks takes about 600 bytes instead of
4,000 as objects.
"""

from __future__ import annotations

import marshal
import threading
from collections import deque
from collections.abc import Sequence

from actors.model import InstanceStatus
from actors.views import Record

_ID, _WORKFLOW, _STATUS = 0, 2, 4


class MemoryStore:
    def __init__(self, store_id: str, *, max_finished: int) -> None:
        self.id = store_id
        self._max = max_finished
        self._records: dict[str, bytes] = {}
        self._order: deque[str] = deque()
        self._lock = threading.Lock()

    def commit(self, finished: Sequence[Record]) -> None:
        packed = [(record[_ID], marshal.dumps(record)) for record in finished]
        with self._lock:
            for instance_id, record in packed:
                self._records[instance_id] = record
                self._order.append(instance_id)
            while len(self._order) > self._max:
                del self._records[self._order.popleft()]

    def get(self, instance_id: str) -> Record | None:
        packed = self._records.get(instance_id)
        return None if packed is None else _unpack(packed)

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


def _unpack(packed: bytes) -> Record:
    record = marshal.loads(packed)  # Ours: written by ``commit`` in this process.
    assert isinstance(record, tuple)
    return record
