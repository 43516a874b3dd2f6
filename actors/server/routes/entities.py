"""The state table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from actors import plain
from actors.model import EntityStatus
from actors.server.answers import MAX_TEXT, Cursor, Limit, Live, Text, answer, page, problems
from actors.server.shapes import answers as shapes
from actors.server.shapes import asked

router = APIRouter(tags=["entities"])


@router.get("/entities", response_model=shapes.Entities, responses=problems())
def entities(
    engine: Live,
    status: EntityStatus | None = None,
    phase: Text | None = None,
    search: Annotated[str | None, Query(max_length=MAX_TEXT, description="a part of the id or of the name")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Rows of the state table, as they were added, a page at a time.

    A page may be short, or empty, and still have a ``next_cursor``: a call looks at a bounded
    number of rows.
    """
    found = engine.entities_page(status, phase, search, limit=limit, cursor=cursor)
    return page(map(plain.entity, found.items), found.next_cursor)


@router.get("/entities/{id}", response_model=shapes.Entity, responses=problems(404))
def entity(id: str, engine: Live) -> Response:
    """One row of the state table."""
    return answer(plain.entity(engine.entity(id)))


@router.put("/entities/{id}", response_model=shapes.Entity, responses=problems(409))
def put_entity(id: str, fields: asked.EntityToPut, engine: Live) -> Response:
    """Add or change a row; what is left out stays as it is. May start workflows that its state triggers."""
    return answer(plain.entity(engine.put_entity(id, **fields.model_dump(exclude_unset=True))))
