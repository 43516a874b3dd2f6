"""Messages of an actor for who taps it: a bounded line for each, and a count of what did not fit."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from actors import plain
from actors.engine import Engine
from actors.server.problems import Refusal
from actors.server.stream import ENDED, HEARTBEAT, HEARTBEAT_S, LOOK_S

MAX_TAPS = 16
ROOM = 256


class Tapping:
    """Used in the event loop's thread alone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: set[Tap] = set()

    @property
    def open(self) -> int:
        return len(self._open)

    def place(self) -> Tap:
        """Raises ``Refusal`` when too many are open."""
        if len(self._open) >= MAX_TAPS:
            text = f"{MAX_TAPS} taps are open already; close some, or try again later"
            raise Refusal(429, "too_many", text, retry_after_s=5.0)
        tap = Tap(self._engine, self._open.discard)
        self._open.add(tap)
        return tap

    def close(self) -> None:
        for tap in list(self._open):
            tap.close()


class Tap:
    def __init__(self, engine: Engine, left: Callable[[Tap], None]) -> None:
        self._engine = engine
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._lock = threading.Lock()
        self._line: deque[dict[str, Any]] = deque()
        self._skipped = 0
        self._end: Callable[[], None] | None = None
        self._closed = False

    def ends_by(self, end: Callable[[], None]) -> None:
        self._end = end
        if self._closed:
            self._leave()

    def take(self, message: Mapping[str, Any]) -> None:
        """Called by the engine's thread for each message."""
        with self._lock:
            if len(self._line) >= ROOM:
                self._skipped += 1 + int(message.get("skipped") or 0)
                return
            found = {**message, "skipped": int(message.get("skipped") or 0) + self._skipped}
            self._skipped = 0
            self._line.append(found)
            waiting = len(self._line)
        if waiting == 1:
            try:
                self._loop.call_soon_threadsafe(self._wake.set)
            except RuntimeError:
                return  # The loop has ended; nobody reads.

    def close(self) -> None:
        """End it. Nothing the second time."""
        self._closed = True
        self._wake.set()
        self._leave()

    def _leave(self) -> None:
        self._left(self)
        end, self._end = self._end, None
        if end is not None and self._engine.state not in ENDED:
            end()

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """What to send next, until it is closed or the engine has ended."""
        quiet = 0.0
        try:
            yield b": taps\n\n"
            while not self._closed and self._engine.state not in ENDED:
                self._wake.clear()
                with self._lock:
                    some = list(self._line)
                    self._line.clear()
                if some:
                    quiet = 0.0
                    yield b"".join(b"data: %b\n\n" % plain.encoded(one) for one in some)
                    continue
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._wake.wait()
                except TimeoutError:
                    quiet += LOOK_S
                    if quiet >= HEARTBEAT_S:
                        quiet = 0.0
                        yield HEARTBEAT
        finally:
            self.close()
