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

from actors.runners.kernel import Alarm
from actors.runners.wire import Link

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
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._woken)
        self._calls: deque[Job] = deque()
        self._times: list[tuple[float, int, Job]] = []
        self._times_lock = threading.Lock()
        self._numbers = itertools.count()
        self._stopping = False
        self._alarm: Alarm | None = None
        with suppress(OSError):
            # Setting a time does not wake the thread, which on a busy machine would cost who sets it
            # a tenth of a millisecond; and the selector's own timeout knows whole milliseconds only.
            self._alarm = Alarm()
            self._selector.register(self._alarm, selectors.EVENT_READ, self._alarm.clear)

    @property
    def is_current(self) -> bool:
        return threading.current_thread() is self._thread

    def start(self) -> None:
        self._thread.start()

    def call(self, job: Job) -> None:
        """Have the reactor's thread do it, soon and in order."""
        self._calls.append(job)
        self._wake()

    def later(self, seconds: float, job: Job) -> None:
        """Have the reactor's thread do it when so much time has passed."""
        at = time.monotonic() + seconds
        with self._times_lock:
            first = not self._times or at < self._times[0][0]
            heapq.heappush(self._times, (at, next(self._numbers), job))
            if first and self._alarm is not None and not self._stopping:
                self._alarm.set(at)
        if first and self._alarm is None and not self.is_current:
            self._wake()

    def watch(self, link: Link, ready: Job) -> None:
        """Call ``ready`` whenever the link can be read, or takes more of what waits in it."""
        self._selector.register(link, _events(link), ready)

    def refresh(self, link: Link) -> None:
        """Something waits in the link that did not before, or nothing any more."""
        if self.is_current:
            self._refresh(link)
        elif link.blocked:
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
        with self._times_lock:
            self._stopping = True

    def _wake(self) -> None:
        with suppress(BlockingIOError, OSError):  # full: it will wake anyway; closed: it is over
            self._wakes.send(b"\0")

    def _woken(self) -> None:
        with suppress(BlockingIOError):
            self._wakeup.recv(4096)

    def _refresh(self, link: Link) -> None:
        with suppress(KeyError, ValueError):  # forgotten or closed meanwhile
            key = self._selector.get_key(link)
            if key.events != _events(link):
                self._selector.modify(link, _events(link), key.data)

    def _run(self) -> None:
        try:
            while not self._stopping:
                for key, _ in self._selector.select(self._pause()):
                    self._do(key.data)
                while self._calls:
                    self._do(self._calls.popleft())
                for job in self._due():
                    self._do(job)
        finally:
            self._selector.close()
            self._wakeup.close()
            self._wakes.close()
            if self._alarm is not None:
                self._alarm.close()

    def _pause(self) -> float | None:
        """How long to wait at most; None: until something comes."""
        if self._calls:
            return 0
        if self._alarm is not None:
            return None
        with self._times_lock:
            return max(self._times[0][0] - time.monotonic(), 0) if self._times else None

    def _due(self) -> list[Job]:
        """What the time has come for; the alarm is set for what is next."""
        with self._times_lock:
            now, due = time.monotonic(), []
            while self._times and self._times[0][0] <= now:
                due.append(heapq.heappop(self._times)[2])
            if due and self._times and self._alarm is not None:
                self._alarm.set(self._times[0][0])
            return due

    def _do(self, job: Job) -> None:
        try:
            job()
        except Exception:  # noqa: BLE001 - one link's trouble must not end the thread that all of them need
            _log.exception("an action runner's callback failed")


def _events(link: Link) -> int:
    return selectors.EVENT_READ | (selectors.EVENT_WRITE if link.blocked else 0)
