"""Metrics, where Prometheus looks for them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from actors.server.answers import Live, problems
from actors.server.metrics import CONTENT_TYPE, exposed
from actors.server.stream import Changes

router = APIRouter(tags=["state"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={**problems(), 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(engine: Live, request: Request) -> Response:
    """Metrics for Prometheus: seconds as units, and never an id as a label. Each reading asks three actors."""
    changes: Changes = request.app.state.changes
    return Response(exposed(engine, streams=changes.followers), media_type=CONTENT_TYPE)
