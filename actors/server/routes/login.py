"""A browser's way in: a link that works once, and the cookie that it sets."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from actors.errors import RefusedError
from actors.server.access import Access
from actors.server.answers import answer, problems
from actors.server.problems import Refusal
from actors.server.shapes import answers as shapes

router = APIRouter(tags=["login"])


@router.get("/login", status_code=303, response_class=Response, responses=problems())
async def log_in(request: Request, token: str = "") -> Response:
    """Log a browser in by the link that ``engine start`` prints: sets a cookie and leads to the first page.

    The link works once.
    """
    access: Access | None = request.app.state.access
    session = None if access is None else access.log_in(token)
    if access is None or session is None:
        raise Refusal(
            401, "unauthorized", "this link was used already, or is none; 'POST /v1/login-link' makes another"
        )
    secure = "; Secure" if access.scheme == "https" else ""
    cookie = f"{access.cookie}={session}; Path=/; HttpOnly; SameSite=Strict{secure}"
    return Response(status_code=303, headers={"location": "/", "set-cookie": cookie})


@router.post("/v1/login-link", response_model=shapes.LoginLink, responses=problems(409))
async def login_link(request: Request) -> Response:
    """Another link by which a browser logs in, once. 409 where there is no HTTP over TCP."""
    access: Access | None = request.app.state.access
    if access is None:
        raise RefusedError("this engine serves its Unix socket alone; start it with --http to log a browser in")
    return answer({"url": access.link()})


FIRST_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Workflow engine</title>
<h1>Workflow engine</h1>
<p>This is its control API. What can be asked: <a href="/openapi.json">openapi.json</a>.
Now: <a href="/v1/stats">counts</a>, <a href="/v1/queues">queues</a>, <a href="/v1/agents">agents</a>,
<a href="/v1/instances">instances</a>, <a href="/metrics">metrics</a>.</p>
"""


@router.get("/", include_in_schema=False)
async def first_page() -> Response:
    """Where a login leads."""
    policy = {"content-security-policy": "default-src 'none'; frame-ancestors 'none'"}
    return Response(FIRST_PAGE, headers=policy, media_type="text/html")
