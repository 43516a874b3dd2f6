"""One thread that waits for many links and times at once, so that no attempt needs a thread."""

from __future__ import annotations

import heapq
import itertools
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from actors.runners.wire import Link

_TICK_S = 0.001
_NAP_S = 0.0001

Job: TypeAlias = Callable[[], None]

_log = logging.getLogger(__name__)


class Reactor:
    """Calls back on its own thread: when a link can be read or written, or when a time has come.

    All methods but ``watch`` and ``forget`` may be called from any thread; those two from the
    reactor's own, in what it calls.
    """

    def __init__(self, name: str) -> None:
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._wakes = socket.socketpair()
        for end in (self._wakeup, self._wakes):
            end.setblocking(False)  # noqa: FBT003
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._calls: deque[Job] = deque()
        self._times: list[tuple[float, int, Job]] = []
        self._numbers = itertools.count()
        self._stopping = False

    @property
    def is_current(self) -> bool:
        return threading.current_thread() is self._thread

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def call(self, job: Job) -> None:
        """Have the reactor's thread do it, soon and in order."""
        self._calls.append(job)
        with suppress(BlockingIOError, OSError):  # full: it will wake anyway; closed: it is over
            self._wakes.send(b"\0")

    def later(self, seconds: float, job: Job) -> None:
        """Have the reactor's thread do it when so much time has passed."""
        at = time.monotonic() + seconds
        if self.is_current:
            self._add_time(at, job)
        else:
            self.call(lambda: self._add_time(at, job))

    def watch(self, link: Link, ready: Job) -> None:
        """Call ``ready`` whenever the link can be read, or takes more of what waits in it."""
        self._selector.register(link, _events(link), ready)

    def refresh(self, link: Link) -> None:
        """Something waits in the link that did not before, or nothing any more."""
        if self.is_current:
            self._refresh(link)
        else:
            self.call(lambda: self._refresh(link))

    def forget(self, link: Link) -> None:
        """No-op for a link that is not watched."""
        with suppress(KeyError, ValueError):
            self._selector.unregister(link)

    def stop(self) -> None:
        """End the thread after what it was given to do at once; times to come are dropped."""
        self.call(self._stop)

    def join(self, seconds: float) -> bool:
        """Wait for the thread's end; whether it has ended."""
        self._thread.join(max(seconds, 0))
        return not self._thread.is_alive()

    def _stop(self) -> None:
        self._stopping = True

    def _add_time(self, at: float, job: Job) -> None:
        heapq.heappush(self._times, (at, next(self._numbers), job))

    def _refresh(self, link: Link) -> None:
        with suppress(KeyError, ValueError):  # forgotten or closed meanwhile
            key = self._selector.get_key(link)
            if key.events != _events(link):
                self._selector.modify(link, _events(link), key.data)

    def _run(self) -> None:
        try:
            while not self._stopping:
                pause = self._pause()
                if pause is not None and 0 < pause < _TICK_S:
                    # The selector would round it up to a whole millisecond.
                    time.sleep(min(pause, _NAP_S))
                    pause = 0
                for key, _ in self._selector.select(pause):
                    if key.data is None:
                        with suppress(BlockingIOError):
                            self._wakeup.recv(4096)
                    else:
                        self._do(key.data)
                while self._calls:
                    self._do(self._calls.popleft())
                now = time.monotonic()
                while self._times and self._times[0][0] <= now:
                    self._do(heapq.heappop(self._times)[2])
        finally:
            self._selector.close()
            self._wakeup.close()
            self._wakes.close()

    def _pause(self) -> float | None:
        if self._calls:
            return 0
        return max(self._times[0][0] - time.monotonic(), 0) if self._times else None

    def _do(self, job: Job) -> None:
        try:
            job()
        except Exception:  # noqa: BLE001 - one link's trouble must not end the thread that all of them need
            _log.exception("an action runner's callback failed")


def _events(link: Link) -> int:
    return selectors.EVENT_READ | (selectors.EVENT_WRITE if link.blocked else 0)
