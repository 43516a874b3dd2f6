"""Waiting for an instance's end, or for idleness, without a thread for each who waits.

The engine is asked once for each thing that is waited for, however many wait and however often
they give up and ask again: so impatient clients leave nothing behind in it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import cast

from actors.engine import Engine
from actors.server.problems import Refusal

MAX_WAITED_FOR = 10_000
"""Different instances that the engine is asked about at once; of more, those that nobody waits for are let go."""

NOBODY = object()
Told = Callable[[BaseException | None], object]


class Waits:
    """Used in the event loop's thread alone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: dict[str | None, asyncio.Future[None]] = {}
        """By instance, None: idleness; the longest asked for first."""
        self._waiting: Counter[str | None] = Counter()

    @property
    def waited_for(self) -> int:
        """Different instances, and idleness, that somebody waits for now."""
        return len(self._waiting)

    async def instance(self, id: str, timeout_s: float) -> bool:
        """Wait until it has ended or holds an unknown task; false if the time is over first.

        True also for one that nobody knows.
        """
        return await self._wait(id, lambda told: self._engine.when_ended(id, told), timeout_s)

    async def idle(self, timeout_s: float) -> bool:
        return await self._wait(None, self._engine.when_idle, timeout_s)

    async def _wait(self, what: str | None, ask: Callable[[Told], None], timeout_s: float) -> bool:
        future = self._open.get(what)
        if future is None:
            self._make_room()
            future = self._begin(what, ask)
        self._waiting[what] += 1
        try:
            finished, _ = await asyncio.wait((future,), timeout=timeout_s)
        finally:
            self._waiting[what] -= 1
            if not self._waiting[what]:
                del self._waiting[what]
        if finished:
            future.result()
        return bool(finished)

    def _make_room(self) -> None:
        if len(self._open) < MAX_WAITED_FOR:
            return
        forgotten = next((what for what in self._open if what not in self._waiting), NOBODY)
        if forgotten is NOBODY:
            raise Refusal(429, "too_many", "too many instances are waited for; try again later", retry_after_s=5.0)
        del self._open[cast("str | None", forgotten)]

    def _begin(self, what: str | None, ask: Callable[[Told], None]) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def settle(error: BaseException | None) -> None:
            if self._open.get(what) is future:
                del self._open[what]
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
                future.exception()  # Looked at, also when nobody waits any more.

        def told(error: BaseException | None) -> None:
            try:
                loop.call_soon_threadsafe(settle, error)
            except RuntimeError:
                return  # The loop is closed: nobody waits.

        self._open[what] = future
        try:
            ask(told)
        except BaseException:
            del self._open[what]
            raise
        return future
