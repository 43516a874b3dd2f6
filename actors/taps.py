"""Listening in on an actor: its messages as it takes them in, shown from a thread of the listener's own.

The actor hands over references, a rate's worth a second and no more than there is room for; all
else is counted. What a message looks like is worked out in the listener's thread, and however
slow the listener is, the actor does not wait. Where nobody listens, a turn of the actor costs
one look at an empty tuple.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

from actors.errors import RefusedError
from actors.log import logger
from actors.model import Instant, Json, Utc
from actors.seat import Seat
from actors.sketch import Bounds, sketch

ROOM = 256
"""Messages that may wait for a listener."""
MOST_TAPS = 64
"""In one engine: each has a thread."""
MOST_PER_S = 10_000
SHOWN = Bounds(items=10, chars=200, levels=6, values=200)
QUIET_S = 1.0
"""After so long without a message a listener is told of what was skipped meanwhile."""
_NS = 1_000_000_000

Listener = Callable[[dict[str, Json]], object]
"""Gets ``at`` (UTC seconds), ``actor``, ``message`` (its type's name, or None), ``fields``, and ``skipped``: how many
messages were not shown since the last that was."""


class _Tap:
    def __init__(self, actor: str, listener: Listener, max_per_s: int, utc: Callable[[Instant], Utc]) -> None:
        self._actor = actor
        self._listener = listener
        self._utc = utc
        self._line: SimpleQueue[tuple[Instant, Any] | None] = SimpleQueue()
        self._rate = max_per_s
        self._allowed = float(max_per_s)
        self._seen: Instant | None = None
        self._skipped = 0
        self._skipped_at: Instant = 0
        self._told = 0
        """Of the skipped."""
        self.over = False
        self.thread: threading.Thread | None = None

    def offer(self, batch: Sequence[Any], now: Instant) -> None:
        """Called by the actor, for what it takes in together: never waits, never raises."""
        if self._seen is not None:
            self._allowed = min(self._rate, self._allowed + (now - self._seen) * self._rate / _NS)
        self._seen = now
        taken = max(0, min(len(batch), int(self._allowed), ROOM - self._line.qsize()))
        self._allowed -= taken
        for message in islice(batch, taken):
            self._line.put((now, message))
        if taken < len(batch):
            self._skipped += len(batch) - taken
            self._skipped_at = now

    def end(self) -> None:
        self.over = True
        self._line.put(None)

    def run(self) -> None:
        """Tell the listener, until the end."""
        while not self.over:
            try:
                item = self._line.get(timeout=QUIET_S)
            except Empty:
                if self._skipped > self._told:
                    self._tell(self._skipped_at, None)
                continue
            if item is not None and not self.over:
                self._tell(*item)

    def _tell(self, at: Instant, message: Any) -> None:
        skipped, self._told = self._skipped - self._told, self._skipped
        shown = {} if message is None else sketch(message, SHOWN)
        name = None if message is None else type(message).__name__
        told = {"at": self._utc(at), "actor": self._actor, "message": name, "fields": shown, "skipped": skipped}
        try:
            self._listener(told)
        except Exception as error:  # noqa: BLE001 - a listener's fault must reach neither the actor nor other listeners
            logger().warning("tap's listener failed", actor=self._actor, error=repr(error)[:500])


class Taps:
    """All listeners of one engine. They stay when the actor is replaced, for they are at its seat."""

    def __init__(self, name: str, utc: Callable[[Instant], Utc]) -> None:
        self._name = name
        self._utc = utc
        self._lock = threading.Lock()
        self._taps: list[tuple[Seat, _Tap]] = []
        self._over = False

    def add(self, seat: Seat, listener: Listener, max_per_s: int) -> Callable[[], None]:
        """Listen in; return what ends that. Raises ``RefusedError`` if there are too many."""
        tap = _Tap(seat.name, listener, max_per_s, self._utc)
        with self._lock:
            if self._over:
                raise RefusedError("the engine is stopping; there is nothing to tap any more")
            if len(self._taps) >= MOST_TAPS:
                raise RefusedError(f"{MOST_TAPS} taps are open already; close one")
            tap.thread = threading.Thread(target=tap.run, name=f"{self._name}-tap-{seat.name}", daemon=True)
            tap.thread.start()
            self._taps.append((seat, tap))
            seat.taps = (*seat.taps, tap.offer)

        def remove() -> None:
            with self._lock:
                self._remove(seat, tap)

        return remove

    def _remove(self, seat: Seat, tap: _Tap) -> None:
        seat.taps = tuple(offer for offer in seat.taps if offer != tap.offer)
        self._taps = [each for each in self._taps if each[1] is not tap]
        tap.end()

    def stop(self, timeout: float) -> bool:
        """End all; false if a listener keeps its thread."""
        with self._lock:
            self._over = True
            ended = [tap for _, tap in self._taps]
            for seat, tap in list(self._taps):
                self._remove(seat, tap)
        deadline = time.monotonic() + timeout
        left = [tap for tap in ended if not _ends(tap.thread, deadline)]
        return not left


def _ends(thread: threading.Thread | None, deadline: float) -> bool:
    if thread is None or thread is threading.current_thread():
        return True  # A listener stops the engine: its thread goes when it has returned.
    thread.join(max(0.0, deadline - time.monotonic()))
    return not thread.is_alive()
