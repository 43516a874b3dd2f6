"""The control API as one ASGI application."""

from __future__ import annotations

import time
from typing import Any

from fastapi import FastAPI

from actors import __version__
from actors.engine import Engine
from actors.server.access import Access
from actors.server.problems import answer_errors
from actors.server.routes import (
    changes,
    definitions,
    entities,
    events,
    insight,
    instances,
    login,
    metrics,
    state,
    steering,
)
from actors.server.stream import Changes
from actors.server.tapping import Tapping
from actors.server.waits import Waits

ROUTERS = (
    state.router,
    events.router,
    entities.router,
    instances.router,
    steering.router,
    definitions.router,
    insight.router,
    changes.router,
)


def make_app(engine: Engine, access: Access | None = None) -> FastAPI:
    """The API of this engine. What keeps others away stands before it, in ``security``."""
    app = FastAPI(
        title="Actors workflow engine",
        summary="The control API: everything that shell, command line and monitor do.",
        version=__version__,
        docs_url=None,  # They would fetch their scripts from elsewhere.
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.engine = engine
    app.state.access = access
    app.state.waits = Waits(engine)
    app.state.changes = Changes(engine)
    app.state.taps = Tapping(engine)
    app.state.started_at = time.time()
    answer_errors(app)
    for router in ROUTERS:
        app.include_router(router, prefix="/v1")
    app.include_router(login.router)
    app.include_router(metrics.router)
    made = app.openapi

    def openapi() -> dict[str, Any]:
        return _without_422(made())

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def _without_422(schema: dict[str, Any]) -> dict[str, Any]:
    """What cannot be taken is answered by 400 and a ``Problem``, not by what FastAPI says of itself."""
    for path in schema["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        schema.get("components", {}).get("schemas", {}).pop(name, None)
    return schema
