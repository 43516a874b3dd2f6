"""The store that lives and dies with the process; it lies outside the keeper, so a rebuilt keeper finds it.

Records are kept packed: a finished workflow of three tasks takes about 600 bytes instead of
4,000 as objects. What they are asked for by stands beside each, so that only what is found is
unpacked, and they lie in blocks by their keys, so that the newest need no search.
"""

from __future__ import annotations

import marshal
import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from actors.model import InstanceKey, InstanceStatus
from actors.views import Record

_ID, _KEY, _WORKFLOW, _ENTITY, _STATUS, _TASKS = 0, 1, 2, 3, 4, 11
_TASK_ID, _TASK = 0, 1
_BLOCK = 256
LOOKED_AT = 20_000
"""Records that one call looks at, and at most a block more."""
Packed: TypeAlias = bytes | Record


class _Kept(NamedTuple):
    key: int
    id: str
    workflow: str
    entity: str
    status: str
    packed: Packed


class MemoryStore:
    def __init__(self, store_id: str, *, max_finished: int) -> None:
        self.id = store_id
        self._max = max_finished
        self._keys: dict[str, int] = {}
        self._blocks: dict[int, dict[int, _Kept]] = {}
        """By the keys' hundreds: none is empty."""
        self._order: deque[int] = deque()
        """As they came: the first go first."""
        self._shapes: dict[tuple[str, ...], None] = {}
        """Every workflow of which there was a record, with its tasks: what a task's id may begin with."""
        self._lock = threading.Lock()

    def commit(self, finished: Sequence[Record], retried: Sequence[tuple[str, str]] = ()) -> None:
        kept = [_kept(record) for record in finished]
        shapes = {(record[_WORKFLOW], *[task[_TASK] for task in record[_TASKS]]): None for record in finished}
        with self._lock:
            self._shapes |= shapes
            for each in kept:
                if each.id not in self._keys:
                    self._keys[each.id] = each.key
                    self._order.append(each.key)
                self._blocks.setdefault(each.key // _BLOCK, {})[each.key] = each
            for instance_id, retried_by in retried:
                before = self._kept(instance_id)
                if before is not None:
                    packed = _pack((*_unpack(before.packed)[:-1], retried_by))
                    self._blocks[before.key // _BLOCK][before.key] = before._replace(packed=packed)
            while len(self._order) > self._max:
                self._forget(self._order.popleft())

    def _forget(self, key: int) -> None:
        block = self._blocks[key // _BLOCK]
        del self._keys[block.pop(key).id]
        if not block:
            del self._blocks[key // _BLOCK]

    def _kept(self, instance_id: str) -> _Kept | None:
        """Also without the lock: it may be forgotten meanwhile."""
        key = self._keys.get(instance_id)
        return None if key is None else self._blocks.get(key // _BLOCK, {}).get(key)

    def get(self, instance_id: str) -> Record | None:
        kept = self._kept(instance_id)
        return None if kept is None else _unpack(kept.packed)

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
        found: list[Record] = []
        below: InstanceKey | None = None
        while below != 0 and len(found) < limit:
            some, floor = self.older(below, status=status, workflow=workflow, limit=limit - len(found))
            found += some
            below = InstanceKey(floor)
        return found

    def older(
        self,
        below: InstanceKey | None,
        *,
        status: InstanceStatus | None = None,
        workflow: str | None = None,
        entity: str | None = None,
        limit: int,
    ) -> tuple[Sequence[Record], int]:
        with self._lock:
            numbers = sorted(self._blocks, reverse=True)
        found: list[Record] = []
        looked_at = 0
        for number in numbers:
            if below is not None and number * _BLOCK >= below:
                continue
            if looked_at >= LOOKED_AT:
                return found, (number + 1) * _BLOCK
            with self._lock:
                block = list(self._blocks.get(number, {}).values())
            looked_at += len(block)
            block.sort(reverse=True)
            for kept in block:
                if (
                    (below is None or kept.key < below)
                    and (status is None or kept.status == status)
                    and (workflow is None or kept.workflow == workflow)
                    and (entity is None or kept.entity == entity)
                ):
                    found.append(_unpack(kept.packed))
                    if len(found) >= limit:
                        return found, kept.key
        return found, 0

    def close(self) -> None:
        """Nothing to release."""


def _kept(record: Record) -> _Kept:
    return _Kept(record[_KEY], record[_ID], record[_WORKFLOW], record[_ENTITY], record[_STATUS], _pack(record))


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
