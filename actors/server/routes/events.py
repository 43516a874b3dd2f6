"""Publishing: one event, or as many as come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response

from actors import plain
from actors.model import Event
from actors.server.answers import Live, Streamed, answer, problems
from actors.server.batch import Batch, receipt_lines
from actors.server.problems import Refusal
from actors.server.shapes import answers as shapes
from actors.server.shapes import asked

router = APIRouter(tags=["events"])

_LINES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {
                "schema": {"type": "string", "description": "one event a line, as POST /v1/events takes it"},
                "example": '{"type": "DATA_READY", "entity_id": "000001"}\n',
            }
        },
    }
}


@router.post("/events", status_code=202, response_model=shapes.Receipt, responses=problems(409))
def publish(event: asked.EventToPublish, engine: Live) -> Response:
    """Publish one event; the receipt comes when it is accepted, and accepted means durable.

    429 with Retry-After when the line of waiting events is full: nothing was accepted.
    """
    given = Event(
        event.type, event.entity_id, event.priority, event.data, event.timestamp, event.valid_for_ms, event.id
    )
    return answer(plain.receipt(engine.publish(given)), 202)


@router.post(
    "/events/batch",
    response_model=shapes.BatchSummary,
    responses={**problems(409), 200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}},
    openapi_extra=_LINES,
)
async def publish_batch(request: Request, engine: Live, *, receipts: bool = False) -> Response:
    """Publish JSON lines, each an event, however many; the answer says what became of them.

    They are published as they come, in order, and the body is read no faster than the engine
    accepts. A line that cannot be accepted is counted and the rest goes on. A body of which nothing
    comes for 60 s, or that the engine has no room for in 60 s, is given up: what was accepted
    until then stays. A line may be as long as an event's data may be and 64 KiB more. With
    ``receipts`` the answer is a stream of JSON lines, for each event its receipt or ``line`` and ``error``.
    """
    batch = Batch(engine)
    if receipts:
        return Streamed(_receipts(batch, request), media_type="application/x-ndjson")
    await batch.publish(request.stream())
    return answer(batch.summary.shown())


async def _receipts(batch: Batch, request: Request) -> AsyncIterator[bytes]:
    try:
        async for answers in batch.answers(request.stream()):
            yield receipt_lines(answers)
    except Refusal as refusal:
        fault = {"code": refusal.code, "message": refusal.detail}
        yield plain.encoded({"line": batch.summary.lines, "error": fault}) + b"\n"
