"""The machine's clocks, and one thread that keeps everybody's timers.

Timers are few that ring and many that are cleared: clearing only forgets the key, and the
heap is swept when more than half of it is forgotten.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable

from actors.model import Instant, Utc

_SWEEP_AT = 1024


class SystemClock:
    def now(self) -> Instant:
        return time.monotonic_ns()

    def utc(self) -> Utc:
        return time.time()


class TimerThread:
    """Timers on the monotonic clock; ``fire`` runs in this thread and must not block."""

    def __init__(self, name: str) -> None:
        self._heap: list[tuple[Instant, int, tuple[str, object]]] = []
        self._current: dict[tuple[str, object], tuple[int, Callable[[], None]]] = {}
        self._ticket = 0
        self._wake = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._stopped = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    def set(self, owner: str, key: object, at: Instant, fire: Callable[[], None]) -> None:
        """Call ``fire`` once at ``at``; a second ``set`` of the same key replaces the first."""
        with self._wake:
            self._ticket += 1
            self._current[owner, key] = (self._ticket, fire)
            earliest = not self._heap or at < self._heap[0][0]
            heapq.heappush(self._heap, (at, self._ticket, (owner, key)))
            if len(self._heap) > _SWEEP_AT and len(self._heap) > 2 * len(self._current):
                self._sweep()
            if earliest:
                self._wake.notify()

    def clear(self, owner: str, key: object) -> None:
        """Forget the timer; nothing happens if there is none."""
        # Without the lock: one dict operation is atomic, and a timer that is just ringing may ring.
        self._current.pop((owner, key), None)

    def _sweep(self) -> None:
        kept = [entry for entry in self._heap if self._current.get(entry[2], (0,))[0] == entry[1]]
        heapq.heapify(kept)
        self._heap = kept

    def _run(self) -> None:
        while True:
            with self._wake:
                if self._stopped:
                    return
                if not self._heap:
                    self._wake.wait()
                    continue
                at, ticket, name = self._heap[0]
                delay = at - time.monotonic_ns()
                current = self._current.get(name)
                if current is not None and current[0] == ticket and delay > 0:
                    self._wake.wait(delay / 1e9)
                    continue
                heapq.heappop(self._heap)
                if current is None or current[0] != ticket:
                    continue
                self._current.pop(name, None)
            current[1]()
