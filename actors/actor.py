"""The generic shell: a Pykka actor that feeds its logic and performs the effects, in order.

It decides nothing. What is in the inbox together is one batch: every message is applied, then
``settle`` decides once, and only then is anything performed. So a logic that crashes has done
nothing yet: it is replaced and the batch fed again (``actors.repair``). No exception reaches
Pykka, which would discard the inbox or stop every actor of the process.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import length_hint
from typing import Any, final

import pykka

from actors.asks import ASKING
from actors.brief import brief, parts
from actors.effects import ClearTimer, Effect, Reply, Send, SetTimer
from actors.errors import EngineError
from actors.log import logger
from actors.model import Instant
from actors.repair import Logic, Stopped, feed_again, resume
from actors.seat import Pending, Remainder, Seat, Surroundings

PART_S = 0.0002
"""So much longer each part of a message in hand may take, an event or a task, before its step counts as hanging."""
Progress = tuple[int, int, int]
_SETTLING: Iterator[Any] = iter(())
"""In the place of the messages being fed when all have been."""


class TooManyCrashes(EngineError):
    """It was rebuilt and crashed again, too often in too short a time."""


class LogicActor(pykka.ThreadingActor):
    """One actor of the engine. Subclasses add the effects that only they perform.

    ``build`` makes the logic of a generation: 0 at the engine's start, one more at each rebuilding.
    """

    use_daemon_thread = True
    replaceable = True
    """Another may take its place while it hangs: it does nothing that two may not do at a time."""

    def __init__(self, seat: Seat, build: Callable[[int], Logic], around: Surroundings) -> None:
        self.seat = seat  # Before Pykka asks for the inbox.
        super().__init__()
        self.name = seat.name
        self.around = around
        self.inbox = seat.inbox
        self.up = threading.Event()
        """Set when it has begun, or failed to: then ``trouble`` says why."""
        self.trouble: BaseException | None = None
        self.thread: threading.Thread | None = None
        self.logic: Logic
        self._build = build
        # Two rights that the watchdog can take away: to perform what a step led to, and then to go on.
        # Popping from a list is atomic, and costs a fifth of what a lock does.
        self._may_perform: list[None] = []
        self._may_go_on: list[None] = [None]
        self._fenced = False
        self._idle = False
        self._turns = 0
        self._batch: Sequence[Any] = ()
        """What was taken out of the inbox and led to nothing yet."""
        self._rest: Sequence[Pending] = ()
        """The same from when the present effects may be performed."""
        self._feeding: Iterator[Any] = _SETTLING
        self._now = around.clock.now
        self._left: Iterator[Effect] = iter(())
        self._perform: dict[type, Callable[[Any], None]] = {
            Send: self._send,
            Reply: self._reply,
            SetTimer: self._set_timer,
            ClearTimer: self._clear_timer,
        }
        self.performs(self._perform)
        self.noted: frozenset[type] = ASKING
        """Messages that the shell must know of when they have been taken in."""

    def performs(self, table: dict[type, Callable[[Any], None]]) -> None:
        """Add handlers of further effects."""

    # --- life ------------------------------------------------------------------------------------

    def _create_actor_inbox(self) -> Any:  # type: ignore[override]
        return self.seat.inbox

    def launch(self) -> None:
        """What ``start`` of Pykka does after constructing: register, and run the loop."""
        pykka.ActorRegistry.register(self.actor_ref)
        self._start_actor_loop()

    def _start_actor_loop(self) -> None:
        self.thread = threading.Thread(target=self._actor_loop, name=self.name, daemon=self.use_daemon_thread)
        self.thread.start()

    def retire(self) -> None:
        """Have it end when it has taken in what is in its inbox by now."""
        self.seat.leaving = True
        try:
            self.actor_ref.stop(block=False)
        except pykka.ActorDeadError:
            return

    def gone(self, timeout: float) -> bool:
        """Wait for its thread; false if it is still there, because a handler hangs."""
        if self.thread is not None and self.thread.ident is not None:
            self.thread.join(timeout)
            return not self.thread.is_alive()
        return True

    @final
    def on_start(self) -> None:
        try:
            remainder, self.seat.remainder = self.seat.remainder, None
            if remainder is None:
                self.hold((), ())
                self.logic = self.fresh()
                self.finish((), self.logic.begin(self._now()))
            else:
                resume(self, remainder)
            self._go_on()
            self._idle = True
        except Stopped:
            self.actor_stopped.set()
        except BaseException as error:  # noqa: BLE001 - Pykka would leave an actor that is registered and has no thread.
            self.trouble = error
            self._give_up(starting=not self.seat.generation)
        self.up.set()

    def _actor_loop_teardown(self) -> None:
        if not self._fenced and self.seat.leaving:
            self.inbox.close()

    def fresh(self) -> Logic:
        """The logic of the seat's generation."""
        return self._build(self.seat.generation)

    # --- one batch -------------------------------------------------------------------------------

    @final
    def on_receive(self, message: Any) -> None:
        try:
            while message is not None:
                message = self._turn(message)
        except Stopped:
            self.actor_stopped.set()  # Here too, so that Pykka's loop takes nothing more from the inbox.
        except BaseException as error:  # noqa: BLE001 - Pykka would stop every actor of the process, the user's own included.
            self.trouble = error
            self._give_up(starting=False)

    def _turn(self, message: Any) -> Any:
        """Take this message and all that wait behind it as one batch; return the one that begins the next."""
        inbox, seat = self.inbox, self.seat
        if seat.halted:
            inbox.bury(message)
            return inbox.take()
        self._batch = batch = inbox.gather(message) if inbox.qsize() else [message]
        self._feeding = feeding = iter(batch)
        self._turns += 1
        self._may_perform.append(None)
        self._may_go_on.append(None)
        self._idle = False
        now = self._now()
        if seat.taps:
            for offer in seat.taps:
                offer(batch, now)
        try:
            logic = self.logic
            receive = logic.receive
            effects: list[Effect] = []
            for each in feeding:
                effects += receive(each, now)
            self._feeding = _SETTLING
            effects += logic.settle(now)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the logic cannot be trusted any more
            feed_again(self, self._suspected(error), error)
        else:
            self.finish(batch, effects)
        try:
            self._may_go_on.pop()
        except IndexError:
            raise Stopped from None
        self._idle = True
        return inbox.take()

    def finish(self, done: Sequence[Any], effects: list[Effect], rest: Sequence[Pending] = ()) -> None:
        """These messages are taken in: from here on it is the effects that must happen. Raises ``Stopped``."""
        self._rest, self._left = rest, (left := iter(effects))
        try:
            self._may_perform.pop()
        except IndexError:
            raise Stopped from None
        noted = self.noted
        for message in done:
            if type(message) in noted:
                self.note(message)
        table = self._perform
        for effect in left:
            try:
                table[type(effect)](effect)
            except BaseException as error:  # noqa: BLE001 - what follows must happen all the same
                self.retry(effect, error)
        self.inbox.processed += len(done)

    def hold(self, line: Sequence[Pending], unfed: Sequence[Pending]) -> Instant:
        """Begin a step of a repair: what is in hand, and what of it nothing has touched yet."""
        self._go_on()
        self._turns += 1
        self._batch, self._feeding = line, iter(unfed)
        self._may_perform[:] = (None,)
        self._may_go_on.append(None)
        return self._now()

    def _go_on(self) -> None:
        try:
            self._may_go_on.pop()
        except IndexError:
            raise Stopped from None

    def note(self, message: Any) -> None:
        """Taken in: one of ``noted``."""
        self.seat.asks.took(message)

    # --- failing ---------------------------------------------------------------------------------

    def retry(self, effect: Effect, error: BaseException) -> None:
        """An effect that raised is tried once more, then reported and passed over."""
        try:
            self._perform[type(effect)](effect)
        except BaseException as again:  # noqa: BLE001 - what follows must happen all the same
            self.passed_over(effect, again)
        else:
            logger().warning("effect performed at the second try", actor=self.name, error=repr(error)[:500])

    def passed_over(self, effect: Effect, error: BaseException) -> None:
        trace = "".join(traceback.format_exception(error))[-8000:]
        logger().error("effect failed", actor=self.name, effect=brief(effect), traceback=trace, **self.about())

    def about(self) -> Mapping[str, Any]:
        """Fields for log lines: what it is at, as far as that is one attempt."""
        return {}

    def mourn(self, error: BaseException, line: Sequence[Pending]) -> None:
        """Called at each crash, before the next logic is made."""

    def too_often(self, error: BaseException) -> None:
        """What follows from too many crashes: the engine stops."""
        raise TooManyCrashes(f"it crashed too often, at last with {error!r}") from error

    def _suspected(self, error: BaseException) -> list[Pending]:
        """The batch as it is to be fed again: the message at work is suspected, or all where it was ``settle``."""
        batch = [item if isinstance(item, Pending) else Pending(item) for item in self._batch]
        at_work = len(batch) - 1 - length_hint(self._feeding)
        trace = "".join(traceback.format_exception(error))
        for place, pending in enumerate(batch):
            if self._feeding is _SETTLING or place == at_work:
                pending.tries += 1
                pending.error, pending.trace = error, trace
        return batch

    def _give_up(self, *, starting: bool) -> None:
        self.seat.halted = True
        if not starting and self.trouble is not None:
            # First of all, so that whoever waits is told what happened, and not that the engine was stopped.
            self.around.fail(self.name, "".join(traceback.format_exception(self.trouble)))
        self._bury()
        self._left = iter(())
        self._idle = True

    def _bury(self) -> None:
        batch = self.in_hand()
        self._batch = self._rest = ()
        for message in batch:
            self.inbox.bury(message)

    # --- as the watchdog sees it -----------------------------------------------------------------

    def progress(self) -> Progress | None:
        """Something that changes with every step; None while it waits for messages."""
        return None if self._idle else (self._turns, length_hint(self._feeding), length_hint(self._left))

    def in_hand(self) -> list[Any]:
        """The messages that have led to nothing yet."""
        batch = self._batch if self._may_perform else self._rest
        return [item.message if isinstance(item, Pending) else item for item in batch]

    def patience(self) -> float:
        """Seconds that the present step may take beyond what is usual, because of how much there is in hand."""
        return PART_S * sum(map(parts, self.in_hand()))

    def fence(self, seen: Progress | None, error: BaseException) -> Remainder | None:
        """Take from its hands what it has, so that it does nothing more; None if it has moved on since."""
        if self.progress() != seen:
            return None
        if not self.gone(0.0):
            try:
                self._may_go_on.pop()
            except IndexError:
                return None
        self._fenced = True
        try:
            self._may_perform.pop()
        except IndexError:
            # An effect belongs to whoever takes it from the iterator; the one at work stays with the old thread.
            remainder = Remainder(self._rest, list(self._left), error)
        else:
            remainder = Remainder(self._suspected(error), (), error)
        pykka.ActorRegistry.unregister(self.actor_ref)
        self.actor_stopped.set()
        return remainder

    # --- effects of every actor ------------------------------------------------------------------

    def _send(self, effect: Send) -> None:
        message = effect.message
        if type(message) in ASKING:
            self.seat.asks.handed_on(message)
        self.around.inboxes[effect.to].post(message)

    def _reply(self, effect: Reply) -> None:
        self.seat.asks.answered(effect.to)
        self.around.desk.answer(effect.to, effect.value)

    def _set_timer(self, effect: SetTimer) -> None:
        message, inbox = effect.message, self.inbox
        self.around.timers.set(self.name, effect.key, effect.at, lambda: inbox.post(message))

    def _clear_timer(self, effect: ClearTimer) -> None:
        self.around.timers.clear(self.name, effect.key)
