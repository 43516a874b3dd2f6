"""The actors themselves: how each is, what it knows, what it may be sent, and its messages live."""

from __future__ import annotations

import functools
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from actors.server.answers import Live, answer, problems
from actors.server.events_out import EventStream
from actors.server.routes.changes import EVENTS
from actors.server.shapes import answers as shapes
from actors.server.shapes import asked
from actors.server.tapping import Tapping

router = APIRouter(tags=["actors"])
ANSWER_S = 10.0


@router.get("/actors", response_model=shapes.Actors, responses=problems())
def actors(engine: Live) -> Response:
    """Every actor, with its inbox, what it has dealt with and how often it was rebuilt. No actor is asked."""
    return answer({"items": engine.actors()})


@router.get("/actors/{name}/inspect", responses=problems(404))
def inspect(name: str, engine: Live) -> dict[str, object]:
    """What an actor's logic knows, told by itself in its turn: totals, and the first of each collection."""
    return dict(engine.inspect(name))


@router.get("/actors/{name}/protocol", response_model=shapes.Protocol, responses=problems(404))
def protocol(name: str, engine: Live) -> Response:
    """Every message that the actor takes, with its fields, and whether it could forge an outcome."""
    return answer({"items": engine.protocol(name)})


@router.post("/actors/{name}/send", response_model=shapes.Sent, responses=problems(404, 409))
async def send(name: str, what: asked.MessageToSend, request: Request, engine: Live) -> Response:
    """Send any message of the actor's protocol, its fields checked; the answer is what it answers.

    409 for one that could forge an outcome, unless ``unsafe`` is said; that is logged. An answer
    that does not come within 10 s is given up (503).
    """
    ask = functools.partial(engine.send, name, what.message, what.fields, unsafe=what.unsafe, timeout=ANSWER_S)
    # Some messages are answered when something has ended: they do not keep the threads of all others.
    told = await anyio.to_thread.run_sync(ask, limiter=request.app.state.sends)
    return answer({"ok": True, "answer": told})


@router.get("/actors/{name}/tap", response_class=Response, responses={**problems(404, 409), **EVENTS})
async def tap(
    name: str, request: Request, engine: Live, max_per_s: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> Response:
    """The actor's messages as it takes them in, as server-sent events, without end.

    ``skipped`` says how many were not shown before this one, because there were more than
    ``max_per_s`` or the reader was too slow. At most 16 taps are open.
    """
    taps: Tapping = request.app.state.taps
    tap = taps.place()
    try:
        end = await run_in_threadpool(engine.tap, name, tap.take, max_per_s=max_per_s)
    except BaseException:
        tap.close()
        raise
    tap.ends_by(end)
    return EventStream(tap.blocks(), tap.close)
