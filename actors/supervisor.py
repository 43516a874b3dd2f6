"""Starts, watches and stops an engine's actors.

A logic that crashes is replaced by its own actor. What is left for here: an actor that does not
come up, one that hangs, one whose thread has ended. The watchdog looks from a thread of its
own, so that no hanging handler can keep it from looking.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.actor import LogicActor, Progress
from actors.errors import EngineError, EngineFailed
from actors.log import logger
from actors.model import Instant
from actors.ports import Clock
from actors.seat import Intensity, Remainder
from actors.standing import look, standing

SHOWN = 64_000
"""So many characters of all threads' stacks are logged."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long what may take, and how many crashes are too many."""

    look_s: float = 0.2
    """From one look of the watchdog to the next."""
    hang_s: float = 1.4
    """A step that takes so long hangs: with the looks before and after it is noticed within 2 s."""
    late_s: float = 0.3
    """A watchdog that woke so much too late starts over: it may be the machine that stood still."""
    start_s: float = 10.0
    join_s: float = 2.0
    core: Intensity = field(default=Intensity(3, 60.0))
    agent: Intensity = field(default=Intensity(5, 30.0))


class Hung(EngineError):
    """A handler did not come back in time."""


class ThreadEnded(EngineError):
    """An actor's thread is gone, and the engine has not ended it."""


class Supervisor:
    def __init__(self, clock: Clock, bounds: Bounds, fail: Callable[[str, str], None]) -> None:
        self._clock = clock
        self._bounds = bounds
        self._fail = fail
        self._makers: dict[str, Callable[[], LogicActor]] = {}
        self.actors: dict[str, LogicActor] = {}
        """By name, in the order of their start."""
        self._replaced: list[LogicActor] = []
        self._seen: dict[str, tuple[Progress, Instant]] = {}
        self._looked: Instant | None = None
        self._over = threading.Event()
        self._watchdog: threading.Thread | None = None

    # --- starting and stopping -------------------------------------------------------------------

    def start(self, makers: Mapping[str, Callable[[], LogicActor]], name: str) -> None:
        """Start them in this order, each when the one before is up, and watch them from then on.

        Raises ``EngineFailed`` if one does not come up; those started before are still there to be stopped.
        """
        self._makers = dict(makers)
        for each, make in makers.items():  # Every inbox exists before anybody speaks.
            self.actors[each] = make()
        for each, actor in list(self.actors.items()):
            actor.launch()
            if not actor.up.wait(self._bounds.start_s):
                raise EngineFailed(f"the {each} did not come up within {self._bounds.start_s:g} s")
            if actor.trouble is not None:
                raise EngineFailed(f"the {each} did not come up: {actor.trouble!r}") from actor.trouble
        self._watchdog = threading.Thread(target=self._watch, name=name, daemon=True)
        self._watchdog.start()

    def stop(self) -> list[str]:
        """End them in reverse order; return the names of those whose threads are still there at the deadline."""
        self._over.set()
        if self._watchdog is not None and self._watchdog is not threading.current_thread():
            self._watchdog.join()
        left: list[str] = []
        for name, actor in reversed(self.actors.items()):
            actor.retire()
            if not actor.gone(self._bounds.join_s):
                left.append(name)
                error = Hung(f"the {name} did not end within {self._bounds.join_s:g} s")
                remainder = actor.fence(actor.progress(), error)
                if remainder is not None:
                    _bury(actor, remainder)
            actor.inbox.close()
        return left + [actor.name for actor in self._replaced if not actor.gone(0.0)]

    def halt(self) -> None:
        """Nothing is decided any more; what is sent from now on is a dead letter."""
        for actor in self.actors.values():
            actor.seat.halted = True

    # --- watching --------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._over.wait(self._bounds.look_s):
            try:
                self.look(self._clock.now())
            except BaseException as error:  # noqa: BLE001 - one look may fail; without the next ones nobody would look
                logger().error("watchdog failed", traceback="".join(traceback.format_exception(error))[-8000:])

    def look(self, now: Instant) -> None:
        """See whether anybody hangs, or is gone."""
        late = (self._bounds.look_s + self._bounds.late_s) * 1e9
        if self._looked is not None and now - self._looked > late:
            self._seen.clear()
        self._looked = now
        for name, actor in list(self.actors.items()):
            look(actor, now)
            if actor.seat.leaving or actor.seat.halted:
                continue
            if actor.gone(0.0):
                self._replace(name, actor, actor.progress(), ThreadEnded(f"the {name}'s thread has ended"))
                continue
            progress = actor.progress()
            seen = self._seen.get(name)
            if progress is None:
                self._seen.pop(name, None)
            elif seen is None or seen[0] != progress:
                self._seen[name] = (progress, now)
            elif now - seen[1] >= (self._bounds.hang_s + actor.patience()) * 1e9:
                self._hangs(name, actor, progress, now - seen[1])

    def _hangs(self, name: str, actor: LogicActor, progress: Progress, since: int) -> None:
        error = Hung(f"the {name} has hung for {since / 1e9:.1f} s")
        logger().error("actor hangs", actor=name, seconds=round(since / 1e9, 1), stacks=stacks()[:SHOWN])
        if actor.replaceable:
            self._replace(name, actor, progress, error)
            return
        remainder = actor.fence(progress, error)
        if remainder is not None:
            # In this order, so that whoever waits is told that the engine failed, and not that it was stopped.
            self._fail(name, f"{error}; nobody may go on beside it")
            _bury(actor, remainder)

    def _replace(self, name: str, actor: LogicActor, progress: Progress | None, error: EngineError) -> None:
        """A new actor takes the name, the inbox and what the old one had in hand."""
        self._seen.pop(name, None)
        remainder = actor.fence(progress, error)
        if remainder is None:
            return  # It has come back this very moment.
        self._replaced = [old for old in (*self._replaced, actor) if not old.gone(0.0)]
        actor.seat.remainder = remainder
        successor = self.actors[name] = self._makers[name]()
        successor.launch()

    # --- being asked -----------------------------------------------------------------------------

    def standings(self) -> list[dict[str, Any]]:
        """How every actor is, in the order of their start."""
        now = self._clock.now()
        return [standing(actor, now) for actor in list(self.actors.values())]

    def stats(self) -> dict[str, Any]:
        """Crashes, who was taken out, what is quarantined, and every inbox's account."""
        seats = {name: actor.seat for name, actor in self.actors.items()}
        return {
            "restarts": {name: seat.restarts for name, seat in seats.items() if seat.restarts},
            "taken_out": [name for name, seat in seats.items() if seat.taken_out],
            "quarantines": sum(seat.quarantines for seat in seats.values()),
            "quarantined": [kept.shown() for seat in seats.values() for kept in list(seat.quarantine)],
            "inboxes": {name: seat.inbox.account() for name, seat in seats.items()},
        }


def _bury(actor: LogicActor, remainder: Remainder) -> None:
    """What it had in hand and what waits for it are dead letters; nobody takes its place."""
    actor.seat.halted = True
    for pending in remainder.line:
        actor.inbox.bury(pending.message)
    actor.inbox.close()


def stacks() -> str:
    """What every thread of the process is doing, as text."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = [
        f"thread {names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()
    ]
    return "\n".join(parts)
