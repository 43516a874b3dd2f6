"""How a route answers, and what all routes have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from starlette.types import Receive, Scope, Send

from actors import plain
from actors.admission import MAX_PAGE
from actors.engine import Engine
from actors.errors import RequestError
from actors.server.connections import HEADERS_S, MAX_CONNECTIONS, MAX_HEADERS
from actors.server.security import BODY_S, MAX_BODY, RATE
from actors.server.shapes.answers import Problem

_MEANING: Mapping[int, str] = {
    400: "Not acceptable as asked: a field, a value or the form of the request",
    401: "Writing over TCP needs the token",
    403: "Not from here: the Host, the Origin or the user is not ours",
    404: "No such entity, workflow, instance, task or agent",
    408: f"The headers took longer than {HEADERS_S:g} s to come, or the body longer than {BODY_S:g} s",
    409: "Understood, but not allowed in the present state",
    413: f"The body is larger than {MAX_BODY:,} bytes",
    429: f"Too much at once, or more than {RATE:,.0f} requests a second; try again after what Retry-After says",
    431: f"The headers are larger than {MAX_HEADERS:,} bytes",
    503: "The engine is stopping, has failed, or does not answer, or there are more than "
    f"{MAX_CONNECTIONS} connections",
}
EVERY = (400, 401, 403, 408, 413, 429, 431, 503)


BLOCK = 65_536
MAX_TEXT = 1_000
Text = Annotated[str, Query(max_length=MAX_TEXT)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="items of a page")]
Cursor = Annotated[str | None, Query(max_length=MAX_TEXT, description="next_cursor of the page before")]


def answer(value: Mapping[str, Any], status: int = 200) -> Response:
    """JSON that ``plain`` made; it is not checked against the model of the route, the tests do that."""
    return Response(plain.encoded(value), status, media_type="application/json")


class Listed(Response):
    """Items as JSON, one after the other, each made only when the one before has been taken.

    A page may come to a gibibyte where data is large; a reader, however slow, costs a block of it.
    """

    media_type = "application/json"

    def __init__(self, head: bytes, items: Iterable[Mapping[str, Any]], tail: bytes) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._head = head
        self._items = items
        self._tail = tail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        gone = scope["state"]["connection"].transport.is_closing
        block = bytearray(self._head)
        begun = False
        for number, item in enumerate(self._items):
            if number:
                block += b","
            block += plain.encoded(item)
            if len(block) < BLOCK:
                continue
            if not begun:
                begun = True
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": bytes(block), "more_body": True})
            block.clear()
            await asyncio.sleep(0)  # Others have their turn, whether or not sending had to wait.
            if gone():
                return
        block += self._tail
        if not begun:
            self.headers["content-length"] = str(len(block))
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(block), "more_body": False})


def page(items: Iterable[Mapping[str, Any]], next_cursor: str | None) -> Response:
    """A page of a long list."""
    return Listed(b'{"items":[', items, b'],"next_cursor":' + plain.encoded(next_cursor) + b"}")


class Streamed(Response):
    """An answer that comes in parts while the request's body is still read.

    Starlette's own would read the body away, looking for the caller to hang up.
    """

    def __init__(self, parts: AsyncIterator[bytes], *, media_type: str) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for part in self._parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def done() -> Response:
    return answer({"ok": True})


def problems(*also: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer beside its own, for OpenAPI."""
    return {status: {"model": Problem, "description": _MEANING[status]} for status in sorted({*EVERY, *also})}


async def only_known(request: Request) -> None:
    """Refuse a parameter that the route does not have: a misspelt filter would let everything through."""
    known = [parameter.alias for parameter in request.scope["route"].dependant.query_params]
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        names = ", ".join(known) or "none"
        raise RequestError(f"query: there is no parameter {unknown[0][:100]!r} here; there are: {names}")


async def _engine(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


Live = Annotated[Engine, Depends(_engine)]
"""The engine, as a parameter of a route. A plain ``def`` route runs in a thread of the small pool."""
