"""How long the oldest message in an inbox has waited, without a look at the clock when one is sent.

The watchdog notes now and then how many had come by when. The message that is next was there at
the first look that counted it, so it has waited at least since then: never more than is said,
and less by one look at most.
"""

from __future__ import annotations

import threading
from collections import deque

from actors.model import Instant

MOST_LOOKS = 256  # Even, so that the first and the newest stay.
"""So many are kept; if a line stays long for so long, every other is forgotten, and answers get coarser."""


class Ages:
    """Of one inbox. Any thread may look and ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: deque[tuple[int, Instant]] = deque()
        """How many had come, and when that was seen first; ascending in both."""
        self._came = 0

    def look(self, came: int, done: int, now: Instant) -> None:
        """At least so many messages have come by now, and so many of them are dealt with."""
        with self._lock:
            if came > self._came:
                self._came = came
                self._looks.append((came, now))
            while self._looks and self._looks[0][0] <= done:
                self._looks.popleft()
            if len(self._looks) > MOST_LOOKS:
                self._looks = deque(look for place, look in enumerate(self._looks) if place % 2 == 0)

    def oldest_ns(self, done: int, now: Instant) -> int:
        """Since when the one after those dealt with has waited, in nanoseconds; 0 if none was seen waiting."""
        with self._lock:
            return next((now - when for came, when in self._looks if came > done), 0)
