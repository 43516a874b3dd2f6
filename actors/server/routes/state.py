"""How the engine is: health, counts, queues, agents, settings."""

from __future__ import annotations

import os

from fastapi import APIRouter, Request, Response

from actors import __version__
from actors.server.answers import Live, answer, problems
from actors.server.shapes import answers as shapes

router = APIRouter(tags=["state"])


@router.get("/health", response_model=shapes.Health, responses={**problems(), 503: {"model": shapes.Health}})
async def health(engine: Live) -> Response:
    """Whether the engine lives. 503 when it has stopped itself because of a fault inside. Asks no actor."""
    return answer({"status": "ok"}) if engine.state != "failed" else answer({"status": "failed"}, 503)


@router.get("/ready", response_model=shapes.Ready, responses={**problems(), 503: {"model": shapes.Ready}})
async def ready(engine: Live) -> Response:
    """Whether it accepts events: 503 while it starts, stops or has failed. Asks no actor."""
    state = engine.state
    return answer({"ready": state == "running", "state": state}, 200 if state == "running" else 503)


@router.get("/version", response_model=shapes.Version, responses=problems())
async def version(engine: Live, request: Request) -> Response:
    """Which program runs, by which definitions, since when."""
    return answer(
        {
            "version": __version__,
            "definitions": engine.definitions.folder,
            "definitions_version": engine.definitions.version or None,
            "pid": os.getpid(),
            "started_at": request.app.state.started_at,
        }
    )


@router.get("/stats", response_model=shapes.Stats, responses=problems())
def stats(engine: Live) -> Response:
    """Counts, queue depths by priority, agents by state, preemptions, latencies and wasted work."""
    return answer(engine.stats())


@router.get("/queues", response_model=shapes.Queues, responses=problems())
def queues(engine: Live) -> Response:
    """What waits for an agent, by priority."""
    return answer({"items": engine.queues()})


@router.get("/agents", response_model=shapes.Agents, responses=problems())
def agents(engine: Live) -> Response:
    """Every agent, and the task it runs."""
    return answer({"items": engine.agents()})


@router.get("/settings", response_model=shapes.Settings, responses=problems())
def settings(engine: Live) -> Response:
    """Every setting, its default, and where its value comes from."""
    return answer({"items": engine.settings_sources()})
