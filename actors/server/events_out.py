"""Server-sent events over one connection, until either side ends it.

A connection of which nothing is taken for two minutes is hung up on (``connections``);
``Last-Event-ID`` goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from fastapi import Response
from starlette.types import Receive, Scope, Send


class EventStream(Response):
    """Sends the blocks as they come. ``end`` is called when the other end is gone, and ends the blocks."""

    media_type = "text/event-stream"

    def __init__(self, blocks: AsyncGenerator[bytes, None], end: Callable[[], None]) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._blocks = blocks
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        watch = asyncio.create_task(self._until_gone(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for block in self._blocks:
                if watch.done():
                    return
                await send({"type": "http.response.body", "body": block, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            watch.cancel()
            await self._blocks.aclose()
            self._end()

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._end()
