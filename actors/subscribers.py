"""Tells subscribers of state changes, from a thread of its own, through a bounded buffer.

A subscriber that is slow or broken costs the engine nothing: what does not fit is dropped,
and a ``gap`` change says how many were. Who must not be held up by the others has a buffer and
a thread to itself.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import pykka

from actors.log import logger
from actors.messages import Watch
from actors.views import ChangeType, Moment, StateChanged

BUFFERED = 10_000
ACTOR_INBOX = 1_000
"""A Pykka actor is told while fewer messages than this wait in its inbox."""

OWN_LINE_S = 30.0
"""How long one with a buffer to itself may take to be told what is in it when the engine ends."""

Listener = Callable[[StateChanged], object]


class _Subscription:
    __slots__ = ("dropped", "listener", "types")

    def __init__(self, listener: Listener | pykka.ActorRef[Any], types: frozenset[ChangeType]) -> None:
        self.listener = listener
        self.types = types
        self.dropped = 0


class _Line:
    """One buffer, the thread that empties it, and those who are told by it."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._buffer: deque[StateChanged] = deque()
        self._lost = 0
        lock = threading.Lock()
        self._wake = threading.Condition(lock)
        self._rested = threading.Condition(lock)
        self.subscriptions: tuple[_Subscription, ...] = ()
        self._stopped = False
        self._idle = True
        self._thread: threading.Thread | None = None
        self._log = logger(part="subscribers")

    def start(self, name: str) -> None:
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        with self._wake:
            self._stopped = True
            self._wake.notify_all()
        if self._thread is None or self._thread is threading.current_thread():
            return self._thread is None
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def add(self, subscription: _Subscription) -> None:
        with self._wake:
            self.subscriptions = (*self.subscriptions, subscription)

    def remove(self, subscription: _Subscription) -> None:
        with self._wake:
            self.subscriptions = tuple(s for s in self.subscriptions if s is not subscription)

    def put(self, changes: Sequence[StateChanged]) -> None:
        with self._wake:
            room = self._room - len(self._buffer)
            self._buffer.extend(changes[:room])
            self._lost += max(0, len(changes) - room)
            if self._idle:
                self._wake.notify()

    def rest(self, timeout: float) -> None:
        if self._thread is threading.current_thread():
            return  # A listener asks: it is itself what would be waited for.
        with self._rested:
            self._rested.wait_for(lambda: self._idle and not self._buffer, timeout)

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._buffer and not self._stopped:
                    self._idle = True
                    self._rested.notify_all()
                    self._wake.wait()
                self._idle = False
                if not self._buffer:
                    return
                changes = list(self._buffer)
                self._buffer.clear()
                lost, self._lost = self._lost, 0
            for change in changes:
                for subscription in self.subscriptions:
                    if not subscription.types or change.type in subscription.types:
                        self._tell(subscription, change)
            if lost:
                last = changes[-1]
                self._each_gap(lost, last.seq, last.at)

    def _each_gap(self, lost: int, seq: int, at: Moment) -> None:
        gap = StateChanged(seq, ChangeType.GAP, at, detail={"lost": lost})
        for subscription in self.subscriptions:
            self._tell(subscription, gap)

    def _tell(self, subscription: _Subscription, change: StateChanged) -> None:
        listener = subscription.listener
        if isinstance(listener, pykka.ActorRef):
            self._tell_actor(subscription, listener, change)
            return
        try:
            listener(change)
        except Exception as error:  # noqa: BLE001 - a listener's fault must reach neither engine nor other listeners
            self._log.warning("subscriber failed", error=repr(error)[:500], change=change.type)

    def _tell_actor(self, subscription: _Subscription, actor: pykka.ActorRef[Any], change: StateChanged) -> None:
        if actor.actor_inbox.qsize() >= ACTOR_INBOX:  # type: ignore[attr-defined]
            subscription.dropped += 1
            return
        try:
            if subscription.dropped:
                dropped, subscription.dropped = subscription.dropped, 0
                actor.tell(StateChanged(change.seq, ChangeType.GAP, change.at, detail={"lost": dropped}))
            actor.tell(change)
        except pykka.ActorDeadError:
            self.remove(subscription)


class Subscribers:
    """All who are told, and by which line."""

    def __init__(self) -> None:
        self._shared = _Line(BUFFERED)
        self._own: tuple[_Line, ...] = ()
        self._lock = threading.Lock()
        self._name = ""
        """Of the threads; empty before the start and after the end."""

    def start(self, name: str) -> None:
        """Tell from now on, in threads of this name."""
        with self._lock:
            self._name = name
            for line in (self._shared, *self._own):
                line.start(name)

    def stop(self, timeout: float) -> bool:
        """Tell what is in the buffers, then end; false if a listener keeps a thread."""
        with self._lock:
            self._name = ""
        ended = self._shared.stop(timeout)
        late = [line for line in self._own if not line.stop(max(timeout, OWN_LINE_S))]
        return ended and not late

    def add(
        self,
        listener: Listener | pykka.ActorRef[Any],
        types: frozenset[ChangeType],
        room: int | None = None,
    ) -> Callable[[], None]:
        """Tell it of changes of these types (empty: all); return what ends that.

        With ``room`` it has a thread to itself, and a buffer of so many changes.
        """
        subscription = _Subscription(listener, types)
        if room is None:
            self._shared.add(subscription)
            return lambda: self._shared.remove(subscription)
        line = _Line(room)
        line.add(subscription)
        with self._lock:
            self._own = (*self._own, line)
            if self._name:
                line.start(self._name)

        def remove() -> None:
            with self._lock:
                self._own = tuple(other for other in self._own if other is not line)
            line.remove(subscription)
            line.stop(0.0)

        return remove

    def watch(self) -> Watch:
        """What anybody wants, as the keeper is told it."""
        subscriptions = [found for line in (self._shared, *self._own) for found in line.subscriptions]
        wanted: frozenset[ChangeType] = frozenset()
        for subscription in subscriptions:
            wanted |= subscription.types or frozenset(ChangeType)
        return Watch(bool(subscriptions), wanted)

    def put(self, changes: Sequence[StateChanged]) -> None:
        """Never blocks on a subscriber."""
        if self._shared.subscriptions:
            self._shared.put(changes)
        for line in self._own:
            line.put(changes)

    def rest(self, timeout: float) -> None:
        """Wait until all that was put is told, at most so many seconds: a slow listener holds up nobody for ever."""
        deadline = time.monotonic() + timeout
        for line in (self._shared, *self._own):
            line.rest(max(0.0, deadline - time.monotonic()))
