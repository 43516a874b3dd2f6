"""The workers of one engine: hired from the spawner, kept warm while idle, buried when done with.

A worker that is to die is *buried*: from then on it is never signalled from here, and only then
does the spawner let its number go, so that no signal of ours meets a stranger. The spawner's
answer, ``gone``, says that the worker and everything below it has ended.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from actors.errors import EngineError
from actors.model import ErrorInfo, Json, Limits
from actors.runners.board import Reading
from actors.runners.hand import Ended, Hand
from actors.runners.idle import SPARES, Idle
from actors.runners.nursery import Nursery, Terms
from actors.runners.reactor import Reactor
from actors.runners.wire import Garbled

_REFILL_S = 0.01
"""A spare is hired so long after the last one was taken, not in the way of what took it."""
_POLL_S = 0.001
_ANSWER_S = 2.0
"""A spawner that answers nothing for so long is replaced."""


class Owner(Protocol):
    """Whom the crew tells. Called within ``locked``, on the reactor's thread."""

    def locked(self) -> AbstractContextManager[None]: ...

    def hand_said(self, hand: Hand, frames: list[Json]) -> None: ...

    def hand_began(self, hand: Hand) -> None:
        """It has a process from now on."""
        ...

    def hand_gone(self, hand: Hand, ended: Ended) -> None:
        """It and everything below it has ended; what it had said was handed on before."""
        ...


class Crew:
    """Hires, keeps and buries workers. Its methods are called within the owner's lock."""

    def __init__(self, owner: Owner, terms: Terms, reactor: Reactor) -> None:
        self._owner = owner
        self._terms = terms
        self._reactor = reactor
        self._numbers = itertools.count(1)
        self._hands: dict[int, Hand] = {}
        self._idle = Idle()
        self._nursery: Nursery | None = None
        self._leaving: list[Nursery] = []
        self._closed = False
        self._refilling = False
        self.faults: dict[str, ErrorInfo] = {}
        """Of the actions that cannot be loaded."""
        self.ready = threading.Event()
        """The spawner has imported the actions, or could not be started."""
        self.trouble: EngineError | None = None

    @property
    def over(self) -> bool:
        """Whether, after ``close``, nothing is left."""
        return self._closed and not self._hands and not self._leaving and self._nursery is None

    def left(self) -> list[str]:
        names = [f"worker process {hand.pid}" for hand in self._hands.values() if hand.pid is not None]
        return names or ([] if self.over else ["the helper process for actions"])

    def take(self, nice: int, limits: Limits | None) -> Hand:
        """A worker for one attempt: an idle one, else a new one. Raises ``OSError``, ``EngineError``."""
        hand = self._idle.take(nice, limits) or self._hire()
        hand.nice, hand.limits = nice, limits
        self._idle.saw_busy(len(self._hands) - len(self._idle))
        self._refill_soon()
        return hand

    def give(self, hand: Hand, job: Json) -> Reading:
        """Have it run an attempt. Raises ``TypeError`` or ``ValueError`` if the job is not JSON."""
        reading = hand.give(job)
        if hand.link.blocked:
            self._reactor.refresh(hand.link)
        return reading

    def put_back(self, hand: Hand) -> None:
        """It has nothing to do and nothing left running."""
        hand.slow_down()
        if self._closed or hand.buried or not self._idle.put(hand):
            self.bury(hand)

    def warm(self, nice_levels: Iterable[int]) -> None:
        """Have so many idle workers, one for each level given."""
        self._nurse()
        for nice in nice_levels:
            hand = self._hire()
            hand.nice = nice
            self._idle.add(hand)

    def bury(self, hand: Hand) -> None:
        """Kill it, whatever it does; ``hand_gone`` follows."""
        if hand.buried:
            return
        hand.kill_group()
        hand.buried = True
        self._idle.remove(hand)
        if self._nursery is not None:
            self._nursery.bury(hand.number)
            self._reactor.refresh(self._nursery.link)
            self._expect(hand, self._nursery)

    def close(self) -> None:
        """End the spawner and with it every worker that is left."""
        if self._closed:
            return
        self._closed = True
        for hand in list(self._hands.values()):
            self.bury(hand)
        if self._nursery is not None and not self._nursery.ready:
            self._nursery.kill()  # It imports, which may take for ever, and has no worker yet.
        self._leave_if_alone()

    def end_by_force(self) -> None:
        """The deadline has come: do not wait for the spawner."""
        for nursery in [*self._leaving, *([self._nursery] if self._nursery else [])]:
            nursery.kill()
            nursery.sweep()

    # --- hiring ---

    def _hire(self) -> Hand:
        nursery = self._nurse()
        hand = Hand(next(self._numbers), self._terms.max_bytes)
        nursery.start_worker(hand.number, hand.fds)
        hand.hand_over()
        self._hands[hand.number] = hand
        self._expect(hand, nursery)
        self._reactor.call(lambda: self._watch(hand))
        return hand

    def _watch(self, hand: Hand) -> None:
        with self._owner.locked():
            if hand.number in self._hands:
                self._reactor.watch(hand.link, lambda: self._hear(hand))
            if self._nursery is not None:
                self._reactor.refresh(self._nursery.link)

    def _refill_soon(self) -> None:
        """Keep spare workers for what is urgent, so that it never waits for a fork."""
        if not self._refilling and self._idle.spares < SPARES and not self._closed:
            self._refilling = True
            self._reactor.later(_REFILL_S, self._refill)

    def _refill(self) -> None:
        with self._owner.locked():
            self._refilling = False
            while self._idle.spares < SPARES and not self._closed and self._nursery is not None:
                try:
                    self._idle.add(self._hire())
                except OSError:
                    return  # out of descriptors: what runs goes on, and the next start says so

    # --- the spawner ---

    def _nurse(self) -> Nursery:
        """The spawner, requested now if there is none; it is started on the reactor's thread, which stays."""
        if self._closed:
            raise EngineError("the process runner is closed")
        if self._nursery is None:
            nursery = self._nursery = Nursery(self._terms)
            self.ready.clear()
            self.trouble = None
            self._reactor.call(lambda: self._launch(nursery))
        return self._nursery

    def _launch(self, nursery: Nursery) -> None:
        try:
            nursery.launch()
        except (EngineError, OSError) as error:
            with self._owner.locked():
                self.trouble = error if isinstance(error, EngineError) else EngineError(str(error))
                self._lose(nursery, str(error))
            return
        with self._owner.locked():
            self._reactor.watch(nursery.link, lambda: self._hear_spawner(nursery))

    def _hear_spawner(self, nursery: Nursery) -> None:
        with self._owner.locked():
            try:
                nursery.link.flush()
                for frame in nursery.link.receive():
                    nursery.asked_at = None
                    self._take_frame(nursery, frame)
            except Garbled as error:
                nursery.kill()
                self._lose(nursery, f"the helper process for actions sent {error}")
                return
            if nursery.link.ended:
                self._lose(nursery, "the helper process for actions has ended")
            else:
                self._reactor.refresh(nursery.link)

    def _take_frame(self, nursery: Nursery, frame: Json) -> None:
        match frame:
            case ["ready", dict(faults), bool()]:
                nursery.ready = True
                self.faults = {name: ErrorInfo(*fault) for name, fault in faults.items()}
                self.trouble = None
                self.ready.set()
                self._refill_soon()
            case ["forked", int(number), int(pid)]:
                if hand := self._hands.get(number):
                    hand.pid = pid
                    self._owner.hand_began(hand)
            case ["failed", int(number), str(text)]:
                if hand := self._hands.get(number):
                    self._gone(hand, Ended(text=text))
            case ["here"]:
                pass
            case ["dead", int(number)]:
                if hand := self._hands.get(number):
                    self.bury(hand)
            case ["gone", int(number), int() | None as code, int() | None as signal_number]:
                if hand := self._hands.get(number):
                    self._gone(hand, Ended(code, signal_number))
            case _:
                raise Garbled(str(frame)[:80])

    def _expect(self, hand: Hand, nursery: Nursery) -> None:
        """See to it that the spawner starts or ends that worker, or is replaced because it hangs.

        Only once it has imported the actions, which may take any time.
        """

        def check() -> None:
            with self._owner.locked():
                waiting = hand.number in self._hands and (hand.buried or hand.pid is None)
                if nursery is not self._nursery or not waiting:
                    return
                if nursery.asked_at is None:
                    nursery.ask()
                elif nursery.ready and nursery.silence() >= _ANSWER_S:
                    nursery.kill()
                    return
                self._reactor.later(_ANSWER_S, check)

        self._reactor.later(_ANSWER_S, check)

    def _lose(self, nursery: Nursery, text: str) -> None:
        """The spawner is gone and nobody waits for its workers: kill them, see them end, start another."""
        if nursery is not self._nursery:
            return
        self._nursery = None
        self._reactor.forget(nursery.link)
        nursery.close()
        self._leaving.append(nursery)
        left = list(self._hands.values())
        for hand in left:
            hand.kill_group()
            hand.buried = True
        self._idle.clear()
        self._see_out(nursery, left, text)
        if nursery.ready and not self._closed:
            self._nurse()

    def _see_out(self, nursery: Nursery, left: list[Hand], text: str) -> None:
        """Report the workers that are gone; look again for the others and for the spawner; then sweep up."""
        still = left
        if nursery.ended():
            text = f"{text}: {nursery.how_it_ended()}" if nursery.how_it_ended() not in text else text
            still = [hand for hand in left if not self._has_ended(hand)]
            for hand in left:
                if hand not in still:
                    self._gone(hand, Ended(text=text))
            if not still:
                nursery.sweep()
                self._leaving.remove(nursery)
                if not nursery.ready:
                    self.trouble = self.trouble or EngineError(text)
                    self.ready.set()
                return

        def again() -> None:
            with self._owner.locked():
                if nursery in self._leaving:
                    self._see_out(nursery, still, text)

        self._reactor.later(_POLL_S, again)

    def _has_ended(self, hand: Hand) -> bool:
        """With no parent to ask: its end of the link is closed, or its number is nobody's or a stranger's."""
        self.read(hand)
        if hand.link.ended or hand.pid is None:
            return True
        try:
            os.kill(hand.pid, 0)
        except (ProcessLookupError, PermissionError):
            return True
        return False

    def _leave_if_alone(self) -> None:
        """Closed, and the last worker is gone: end the spawner, and see it out."""
        nursery = self._nursery
        if self._closed and not self._hands and nursery is not None:
            self._nursery = None
            self._leaving.append(nursery)

            def leave() -> None:
                with self._owner.locked():
                    self._reactor.forget(nursery.link)
                    nursery.close()
                    self._see_out(nursery, [], "")

            self._reactor.call(leave)

    # --- the workers ---

    def _hear(self, hand: Hand) -> None:
        with self._owner.locked():
            if hand.number not in self._hands:
                return
            hand.link.flush()
            self.read(hand)
            if hand.link.ended:
                # Its end is told by the spawner, who knows that nothing is left of it.
                self._reactor.forget(hand.link)
            else:
                self._reactor.refresh(hand.link)

    def read(self, hand: Hand) -> None:
        """Hand on what it has said; one that says nonsense is buried for it."""
        try:
            frames = hand.link.receive()
        except Garbled as error:
            self.condemn(hand, str(error))
            return
        if frames:
            self._owner.hand_said(hand, frames)

    def condemn(self, hand: Hand, text: str) -> None:
        """Bury it for what it sent."""
        if not hand.fault:
            hand.fault = f"the worker process sent {text}"
            self.bury(hand)

    def _gone(self, hand: Hand, ended: Ended) -> None:
        if not hand.fault:
            self.read(hand)
        del self._hands[hand.number]
        hand.buried = True
        self._idle.remove(hand)
        self._reactor.forget(hand.link)
        self._owner.hand_gone(hand, Ended(text=hand.fault) if hand.fault else ended)
        # After what is reported now.
        self._reactor.call(hand.close)
        self._refill_soon()
        self._leave_if_alone()
