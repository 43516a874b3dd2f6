"""The control API as one ASGI application."""

from __future__ import annotations

import time
from typing import Any

import anyio
from fastapi import Depends, FastAPI

from actors import __version__
from actors.engine import Engine
from actors.server.access import Access
from actors.server.answers import only_known
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

SENDS = 4
"""Messages sent to actors by hand whose answers are waited for at once."""
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
    app.state.sends = anyio.CapacityLimiter(SENDS)
    app.state.taps = Tapping(engine)
    app.state.started_at = time.time()
    answer_errors(app)
    for router in ROUTERS:
        app.include_router(router, prefix="/v1", dependencies=[Depends(only_known)])
    app.include_router(login.router)
    app.include_router(metrics.router)
    made = app.openapi

    def openapi() -> dict[str, Any]:
        return _true(made())

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def _true(schema: dict[str, Any]) -> dict[str, Any]:
    """What FastAPI says of itself, made what is so: 400 and a ``Problem`` instead of 422, and the token for writes."""
    for path in schema["paths"].values():
        for method, operation in path.items():
            operation["responses"].pop("422", None)
            if method != "get":
                operation["security"] = [{"token": []}, {"login": []}]
    components = schema.setdefault("components", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(name, None)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "Over TCP; the Unix socket needs none"},
        "login": {
            "type": "apiKey",
            "in": "cookie",
            "name": "engine_session_PORT",
            "description": "Of a browser that came by the login link; writes also need the header x-engine-request",
        },
    }
    return schema
