"""The state table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from actors import plain
from actors.model import EntityStatus
from actors.server.answers import Live, answer, problems
from actors.server.shapes import answers as shapes
from actors.server.shapes import asked

router = APIRouter(tags=["entities"])
MAX_ITEMS = 1_000


@router.get("/entities", response_model=shapes.Entities, responses=problems())
def entities(
    engine: Live,
    status: EntityStatus | None = None,
    phase: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_ITEMS)] = 100,
) -> Response:
    """Rows of the state table."""
    rows = [
        row
        for row in engine.entities()
        if (status is None or row.status is status) and (phase is None or row.phase == phase)
    ]
    return answer({"items": [plain.entity(row) for row in rows[:limit]], "next_cursor": None})


@router.get("/entities/{id}", response_model=shapes.Entity, responses=problems(404))
def entity(id: str, engine: Live) -> Response:
    """One row of the state table."""
    return answer(plain.entity(engine.entity(id)))


@router.put("/entities/{id}", response_model=shapes.Entity, responses=problems(409))
def put_entity(id: str, fields: asked.EntityToPut, engine: Live) -> Response:
    """Add or change a row; what is left out stays as it is. May start workflows that its state triggers."""
    return answer(plain.entity(engine.put_entity(id, **fields.model_dump(exclude_unset=True))))
