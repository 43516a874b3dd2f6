"""The generic shell: a Pykka actor that feeds its logic and performs the effects, in order.

It decides nothing. What is in the inbox together is one batch: every message is applied,
then ``settle`` decides once. No exception reaches Pykka, which would discard the inbox or
stop every actor of the process: a logic that fails stops the engine with its state intact.
"""

from __future__ import annotations

import itertools
import threading
import traceback
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol

import pykka
from pykka._envelope import Envelope

from actors.effects import ClearTimer, Effect, Reply, Send, SetTimer
from actors.model import Instant, ReplyId
from actors.ports import Clock, Timers

MAX_BATCH = 512


class Logic(Protocol):
    def receive(self, message: Any, now: Instant) -> list[Effect]: ...

    def settle(self, now: Instant) -> list[Effect]: ...


class Inbox:
    """First in first out, never blocks the sender. Holds plain messages from inside, envelopes from Pykka.

    The shell takes plain messages one after the other without going back to Pykka's loop in
    between, which would cost every message an envelope; an envelope is left for that loop.
    """

    __slots__ = ("_ahead", "_queue", "handled", "post", "qsize")

    def __init__(self) -> None:
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._ahead: Envelope[Any] | None = None
        self.qsize = self._queue.qsize
        self.handled = 0
        self.post: Callable[[object], None] = self._queue.put
        """From inside the engine: no envelope, nobody waits."""

    def put(self, envelope: Envelope[Any]) -> None:
        self._queue.put(envelope)

    def get(self) -> Envelope[Any]:
        """For Pykka's loop."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            return ahead
        item = self._queue.get()
        return item if isinstance(item, Envelope) else Envelope(item)

    def take(self) -> Any:
        """The next plain message, waiting for it; None when Pykka's loop has something to do first."""
        item = self._queue.get()
        if isinstance(item, Envelope):
            self._ahead = item
            return None
        return item

    def empty(self) -> bool:
        return self._ahead is None and self._queue.empty()


class Desk:
    """Callers outside who wait for an answer, by correlation."""

    def __init__(self) -> None:
        self._waiting: dict[ReplyId, SimpleQueue[Any]] = {}
        self._numbers = itertools.count(1)
        self._closed: BaseException | None = None

    def open(self) -> tuple[ReplyId, SimpleQueue[Any]]:
        """A new correlation, and where its answer will come."""
        number = ReplyId(next(self._numbers))
        answer: SimpleQueue[Any] = SimpleQueue()
        self._waiting[number] = answer
        if self._closed is not None:  # Asked after it is there, so that closing cannot miss it.
            self.answer(number, self._closed)
        return number, answer

    def forget(self, number: ReplyId) -> None:
        """Nobody waits any more; a late answer is dropped."""
        self._waiting.pop(number, None)

    def answer(self, number: ReplyId, value: Any) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting.put(value)

    def close(self, error: BaseException) -> None:
        """Everybody who waits, and everybody who comes later, gets this error."""
        self._closed = error
        for number in list(self._waiting):
            self.answer(number, error)


class Surroundings:
    """What every shell of one engine acts on: the others' inboxes by name, time, callers, failure."""

    def __init__(self, clock: Clock, timers: Timers, desk: Desk, fail: Callable[[str, str], None]) -> None:
        self.clock = clock
        self.timers = timers
        self.desk = desk
        self.fail = fail
        """Takes the actor's name and the traceback."""
        self.inboxes: dict[str, Inbox] = {}


class LogicActor(pykka.ThreadingActor):
    """One actor of the engine. Subclasses add the effects that only they perform."""

    use_daemon_thread = True

    def __init__(self, name: str, logic: Logic, around: Surroundings) -> None:
        super().__init__()
        self.name = name
        self.logic = logic
        self._over = threading.Event()
        self._broken = False
        self.around = around
        self.inbox: Inbox = self.actor_inbox  # type: ignore[assignment]
        around.inboxes[name] = self.inbox
        self._perform: dict[type, Callable[[Any], None]] = {
            Send: self._send,
            Reply: self._reply,
            SetTimer: self._set_timer,
            ClearTimer: self._clear_timer,
        }
        self.performs(self._perform)

    def performs(self, table: dict[type, Callable[[Any], None]]) -> None:
        """Add handlers of further effects."""

    @staticmethod
    def _create_actor_inbox() -> Any:
        return Inbox()

    def launch(self) -> None:
        """What ``start`` of Pykka does after constructing: register, and run the loop."""
        pykka.ActorRegistry.register(self.actor_ref)
        self._start_actor_loop()

    def retire(self, timeout: float) -> bool:
        """End the loop and wait for its thread; false if it is still there, because a handler hangs."""
        try:
            self.actor_ref.stop(block=False)
        except pykka.ActorDeadError:
            return True
        return self._over.wait(timeout)

    def on_start(self) -> None:
        threading.current_thread().name = self.name

    def _actor_loop_teardown(self) -> None:
        super()._actor_loop_teardown()
        self._over.set()

    def on_receive(self, message: Any) -> None:
        try:
            while message is not None and not self._broken:
                message = self._batch(message)
        except BaseException:  # noqa: BLE001 - Pykka would stop every actor of the process, the user's own included.
            self._broken = True  # What its logic holds cannot be trusted: it does nothing any more.
            self.around.fail(self.name, traceback.format_exc())

    def _batch(self, message: Any) -> Any:
        """Take this message and all that wait behind it as one batch; return the one that begins the next."""
        logic, inbox, now = self.logic, self.inbox, self.around.clock.now()
        effects = logic.receive(message, now)
        count = 1
        pykka_waits = False
        while inbox.qsize() and count < MAX_BATCH:
            following = inbox.take()
            if following is None:
                pykka_waits = True
                break
            effects += logic.receive(following, now)
            count += 1
        inbox.handled += count
        effects += logic.settle(now)
        self.perform(effects)
        return None if pykka_waits else inbox.take()

    def perform(self, effects: list[Effect]) -> None:
        table = self._perform
        for effect in effects:
            table[type(effect)](effect)

    def _send(self, effect: Send) -> None:
        self.around.inboxes[effect.to].post(effect.message)

    def _reply(self, effect: Reply) -> None:
        self.around.desk.answer(effect.to, effect.value)

    def _set_timer(self, effect: SetTimer) -> None:
        message, inbox = effect.message, self.inbox
        self.around.timers.set(self.name, effect.key, effect.at, lambda: inbox.post(message))

    def _clear_timer(self, effect: ClearTimer) -> None:
        self.around.timers.clear(self.name, effect.key)
