"""The stream of state changes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from actors import admission
from actors.server.answers import problems
from actors.server.events_out import EventStream
from actors.server.stream import Changes, Wanted
from actors.views import ChangeType

router = APIRouter(tags=["streams"])
MAX_TEXT = 500

EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events, each with id and data",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("/changes", response_class=Response, responses={**problems(), **EVENTS})
async def changes(
    request: Request,
    type: Annotated[str | None, Query(max_length=MAX_TEXT, description="only these types, parted by commas")] = None,
    of: Annotated[
        str | None, Query(alias="for", max_length=MAX_TEXT, description="an entity's, instance's or task's id")
    ] = None,
    workflow: Annotated[str | None, Query(max_length=MAX_TEXT)] = None,
    last_event_id: Annotated[str | None, Header(max_length=MAX_TEXT)] = None,
) -> Response:
    """State changes as they happen, without end, as server-sent events; ``data`` is a line of a record.

    With ``Last-Event-ID`` it goes on after that one, if it is among the newest 8,192; otherwise a
    change of type ``gap`` says in ``detail.lost`` how many are missing. Who takes them too slowly
    is told only the newest change of each task, instance, entity and agent, and a ``gap`` where
    even these were too many. A comment comes every 15 s. At most 64 streams are open; one of which
    nothing is taken for two minutes is ended.
    """
    types = [one.strip() for one in (type or "").split(",") if one.strip()]
    wanted = frozenset(found for one in types if (found := admission.choice(ChangeType, one, "change type")))
    hub: Changes = request.app.state.changes
    follower = hub.follow(Wanted(wanted, of, workflow), last_event_id)
    return EventStream(follower.blocks(), follower.close)
