"""A row of the state table."""

from __future__ import annotations

from actors.logic.lanes import Lanes
from actors.logic.transitions import ENTITY_MOVES
from actors.model import Entity, EntityStatus, Json, Priority, Utc


class Row(Lanes):
    """An entity, its lanes, and the round of instances that runs for it."""

    __slots__ = ("entity", "failed", "live", "next_phase")

    def __init__(self, entity: Entity) -> None:
        super().__init__()
        self.entity = entity
        self.live = 0
        """Unfinished instances."""
        self.failed = False
        """One of this round failed or was cancelled."""
        self.next_phase: tuple[Priority, str] | None = None

    def set(
        self,
        *,
        status: EntityStatus | None = None,
        phase: str | None = None,
        priority: Priority | None = None,
        data: Json = None,
        processed: Utc | None = None,
    ) -> None:
        """Change fields; None leaves one as it is."""
        old = self.entity
        assert status is None or status is old.status or status in ENTITY_MOVES[old.status]
        self.entity = Entity(
            old.id,
            old.name,
            old.phase if phase is None else phase,
            old.status if status is None else status,
            old.priority if priority is None else priority,
            old.last_processed if processed is None else processed,
            old.data if data is None else data,
        )
