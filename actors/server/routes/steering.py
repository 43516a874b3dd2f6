"""Changing what the engine does: cancel, reprioritise, pause, drain; and what it could not accept."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from actors import plain
from actors.server.answers import Listed, Live, answer, done, problems
from actors.server.routes.instances import Timeout
from actors.server.shapes import answers as shapes
from actors.server.shapes import asked
from actors.server.waits import Waits

router = APIRouter(tags=["steering"])


@router.post("/cancel", response_model=shapes.Done, responses=problems(404, 409))
def cancel(what: asked.ById, engine: Live) -> Response:
    """Cancel an unfinished instance, or the instance of a task. What runs of it is told to stop."""
    engine.cancel(what.id)
    return done()


@router.post("/priority", response_model=shapes.Done, responses=problems(404, 409))
def set_priority(wanted: asked.NewPriority, engine: Live) -> Response:
    """Replace the priority of an instance's tasks or of one task, waiting or running."""
    engine.set_priority(wanted.id, wanted.priority)
    return done()


@router.post("/pause", response_model=shapes.Done, responses=problems(404))
def pause(what: asked.OfWorkflow, engine: Live) -> Response:
    """Start no task, of this workflow or at all, until resume; what runs goes on."""
    engine.pause(what.workflow)
    return done()


@router.post("/resume", response_model=shapes.Done, responses=problems(404))
def resume(what: asked.OfWorkflow, engine: Live) -> Response:
    """Undo pause."""
    engine.resume(what.workflow)
    return done()


@router.post("/agents/{name}/drain", response_model=shapes.Done, responses=problems(404))
def drain(name: str, engine: Live) -> Response:
    """Give this agent no new work; what it runs goes on. It is ``draining``, then ``drained``."""
    engine.drain(name)
    return done()


@router.post("/agents/{name}/undrain", response_model=shapes.Done, responses=problems(404))
def undrain(name: str, engine: Live) -> Response:
    """Give it work again."""
    engine.undrain(name)
    return done()


@router.get("/dead-letters", response_model=shapes.DeadLetters, responses=problems())
def dead_letters(engine: Live) -> Response:
    """Events that could not be accepted after all, the newest 1,000, oldest first."""
    return Listed(b'{"items":[', engine.dead_letters(), b"]}")


Letter = Annotated[int, Path(ge=0, le=2**63 - 1)]


@router.post("/dead-letters/{id}/retry", status_code=202, response_model=shapes.Receipt, responses=problems(404, 409))
def retry_dead_letter(id: Letter, engine: Live) -> Response:
    """Act on its event again; the letter goes when that is accepted."""
    return answer(plain.receipt(engine.retry_dead_letter(id)), 202)


@router.delete("/dead-letters/{id}", response_model=shapes.Done, responses=problems(404))
def drop_dead_letter(id: Letter, engine: Live) -> Response:
    """Keep it no longer."""
    engine.drop_dead_letter(id)
    return done()


@router.post("/wait-idle", response_model=shapes.WaitedIdle, responses=problems())
async def wait_idle(request: Request, timeout_s: Timeout = 30.0) -> Response:
    """Wait until nothing accepted is left undone, timed events included; at most ``timeout_s``."""
    waits: Waits = request.app.state.waits
    return answer({"idle": await waits.idle(timeout_s)})
