"""Long lists a page at a time: each item once, whatever is added or ends between two pages.

Instances are ordered by their keys, which never change, so that one which ends between two pages
is not seen twice and none is passed over; entities by when they were added. A call looks at a
bounded number of items and then gives a cursor to go on from.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from actors import admission
from actors.cursors import cursor as cursor_for
from actors.cursors import place_of
from actors.effects import KEEPER
from actors.errors import RequestError
from actors.logic.history import view
from actors.messages import ListEntities, ListInstances
from actors.model import Entity, EntityId, EntityStatus, InstanceKey, InstanceStatus, WorkflowId
from actors.queries import Queries
from actors.shapes import shown
from actors.views import InstanceView, Page, Record

LOOKING_S = 0.01
"""So long one call goes on looking for what there is little of."""
AT_ONCE = 200
"""Instances that the keeper is asked for at a time: it makes one's record in about 7 µs, and others wait for it."""
_KEY = 1


class Paging(Queries):
    def instances_page(
        self,
        status: str | None = None,
        workflow: str | None = None,
        entity: str | None = None,
        *,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[InstanceView]:
        """Instances, the newest first, at most ``limit`` (1 to 1,000); ``cursor`` is the page's before.

        Raises ``RequestError`` for a cursor that no page gave.
        """
        wanted = admission.choice(InstanceStatus, status, "status")
        chosen = None if workflow is None else WorkflowId(admission.name(workflow, "a workflow"))
        of = None if entity is None else EntityId(admission.name(entity, "an entity's id"))
        room = _limit(limit)
        below = None if cursor is None else InstanceKey(place_of("instances", cursor))
        calendar = self._running().calendar
        found: list[Record] = []
        deadline = time.monotonic() + LOOKING_S
        while below != 0:
            asked = min(room - len(found), AT_ONCE)
            some, below = self._some_instances(below, wanted, chosen, of, asked)
            found += some
            if len(found) == room or (len(some) < asked and time.monotonic() > deadline):
                break
        items = tuple([view(record, calendar) for record in found])
        return Page(items, cursor_for("instances", below) if below else None)

    def _some_instances(
        self,
        below: InstanceKey | None,
        status: InstanceStatus | None,
        workflow: WorkflowId | None,
        entity: EntityId | None,
        room: int,
    ) -> tuple[Sequence[Record], InstanceKey]:
        """Some of those below, and below which key to go on."""
        live: Sequence[Record] = ()
        ended: Sequence[Record] = ()
        live_floor = ended_floor = 0
        # In this order: what ends in between is in both, and not in neither.
        if status in (None, InstanceStatus.RUNNING):
            live, live_floor = self._ask(KEEPER, ListInstances(below, workflow, entity, room))
        if status is not InstanceStatus.RUNNING:
            ended, ended_floor = self._running().store.older(
                below, status=status, workflow=workflow, entity=entity, limit=room
            )
        floor = max(live_floor, ended_floor)
        by_key = {record[_KEY]: record for record in (*live, *ended) if record[_KEY] >= floor}
        keys = sorted(by_key, reverse=True)
        if len(keys) > room:
            floor = keys[room - 1]
        return [by_key[key] for key in keys[:room]], InstanceKey(floor)

    def entities_page(
        self,
        status: str | None = None,
        phase: str | None = None,
        search: str | None = None,
        *,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Entity]:
        """Entities as they were added, at most ``limit`` (1 to 1,000); ``search`` is a part of the id or the name."""
        wanted = admission.choice(EntityStatus, status, "status")
        chosen = None if phase is None else admission.name(phase, "a phase")
        part = None if search is None else admission.name(search, "what is searched for")
        room = _limit(limit)
        place: int | None = 0 if cursor is None else place_of("entities", cursor)
        found: list[Entity] = []
        deadline = time.monotonic() + LOOKING_S
        while place is not None:
            some, place = self._ask(KEEPER, ListEntities(place, wanted, chosen, part, room - len(found)))
            found += some
            if len(found) == room or time.monotonic() > deadline:
                break
        return Page(tuple(found), None if place is None else cursor_for("entities", place))


def _limit(limit: object) -> int:
    if type(limit) is not int or not 1 <= limit <= admission.MAX_PAGE:
        raise RequestError(f"limit must be a whole number from 1 to {admission.MAX_PAGE:,}, not {shown(limit)}")
    return limit
