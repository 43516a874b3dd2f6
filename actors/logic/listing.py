"""Unfinished instances and entities, a page at a time: no call looks at more than a bounded number."""

from __future__ import annotations

from itertools import islice

from actors.logic.history import record
from actors.logic.rows import Row
from actors.logic.state import State
from actors.messages import ListEntities
from actors.model import Entity, EntityId, InstanceKey, WorkflowId
from actors.views import Record

LOOKED_AT = 5_000
"""Instances, keys of instances, or entities that one call looks at."""


class Listing:
    def __init__(self, state: State) -> None:
        self._state = state
        self._rows: list[Row] = []
        """As they were added, none ever goes; filled when somebody asks."""

    def instances(
        self, below: InstanceKey | None, workflow: WorkflowId | None, entity: EntityId | None, limit: int
    ) -> tuple[tuple[Record, ...], int]:
        """Records below the key, newest first, and the key down to which that is all."""
        live = self._state.live
        row = None if entity is None else self._state.rows.get(entity)
        if not live or limit < 1 or (entity is not None and (row is None or not row.live)):
            return (), 0
        top = next(reversed(live)) if below is None else min(below - 1, next(reversed(live)))
        found: list[Record] = []
        if len(live) <= LOOKED_AT:
            floor = 0
            keys = (key for key in reversed(live) if key <= top)
        else:
            floor = max(0, top - LOOKED_AT + 1)
            keys = (key for number in range(top, max(0, floor - 1), -1) if (key := InstanceKey(number)) in live)
        for key in keys:
            instance = live[key]
            if workflow in (None, instance.workflow.id) and entity in (None, instance.entity):
                self._state.touch_instance(instance)  # To look at its tasks makes them, if nobody has yet.
                found.append(record(instance, None))
                if len(found) == limit:
                    return tuple(found), key
        return tuple(found), floor if floor > next(iter(live)) else 0

    def entities(self, asked: ListEntities) -> tuple[tuple[Entity, ...], int | None]:
        """What is asked for, and the place to go on from."""
        rows, found = self._ordered(), []
        wanted = None if asked.search is None else asked.search.casefold()
        first = max(0, asked.place)
        for place in range(first, min(len(rows), first + LOOKED_AT)):
            entity = rows[place].entity
            if (
                asked.status in (None, entity.status)
                and asked.phase in (None, entity.phase)
                and (wanted is None or wanted in entity.id.casefold() or wanted in entity.name.casefold())
            ):
                found.append(entity)
                if len(found) >= asked.limit:
                    return tuple(found), place + 1 if place + 1 < len(rows) else None
        following = first + LOOKED_AT
        return tuple(found), following if following < len(rows) else None

    def _ordered(self) -> list[Row]:
        """A batch that crashed takes its new rows out again, and this list with them: its logic goes too."""
        rows, missing = self._state.rows, len(self._state.rows) - len(self._rows)
        if missing:
            self._rows += list(islice(reversed(rows.values()), missing))[::-1]
        return self._rows
