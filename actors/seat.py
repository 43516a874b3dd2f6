"""What of an actor outlives its logic and its thread, and what all actors of an engine act on.

A logic that crashes is replaced in its actor, an actor that hangs is replaced in its seat: the
name, the inbox, the asks not yet answered, the quarantine and the count of crashes stay.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pykka._envelope import Envelope

from actors.ages import Ages
from actors.asks import ASKING, OpenAsks
from actors.brief import brief
from actors.desk import Desk, Promised
from actors.effects import Effect
from actors.errors import EngineError, EngineStopped, RequestError
from actors.inbox import Inbox
from actors.model import NOBODY, Instant
from actors.ports import Clock, Timers

QUARANTINED = 100
"""So many quarantined messages are kept for each actor; older ones are only counted."""
TRIES = 2
"""A message that has crashed its logic so often is quarantined."""

Offer = Callable[[Sequence[Any], Instant], None]
"""Takes what an actor has just taken in, and when; never waits, never raises."""


@dataclass(frozen=True, slots=True)
class Intensity:
    """So many crashes within so many seconds are too many."""

    crashes: int
    within_s: float


@dataclass(slots=True)
class Pending:
    """A message that is to be fed again, and how often it has crashed its logic."""

    message: Any
    tries: int = 0
    error: BaseException | None = None
    trace: str = ""
    told: bool = False


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message that crashed its logic twice and will not be fed again."""

    actor: str
    message: str
    error: str
    traceback: str

    def shown(self) -> dict[str, str]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Remainder:
    """What an actor that is replaced had in hand: messages not taken in yet, effects not yet performed."""

    line: Sequence[Pending]
    effects: Sequence[Effect]
    error: BaseException


class Surroundings:
    """What every shell of one engine acts on: the others' inboxes by name, time, callers, failure."""

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        desk: Desk,
        *,
        fail: Callable[[str, str], None],
        check: Callable[[str, object], None],
    ) -> None:
        self.clock = clock
        self.timers = timers
        self.desk = desk
        self.fail = fail
        """Takes the actor's name and the traceback."""
        self.check = check
        """Takes an actor's name and a message from outside; raises ``RequestError`` if it does not take such."""
        self.inboxes: dict[str, Inbox] = {}


class Seat:
    """One actor's place in its engine."""

    def __init__(self, name: str, around: Surroundings, intensity: Intensity) -> None:
        self.name = name
        self._desk = around.desk
        self._check = around.check
        self.inbox = Inbox(self._enter, self._bury)
        around.inboxes[name] = self.inbox
        self.ages = Ages()
        self.taps: tuple[Offer, ...] = ()
        """Who listens in."""
        self.asks = OpenAsks(around.desk.waits)
        self.generation = 0
        self.restarts = 0
        self.quarantine: deque[Quarantined] = deque(maxlen=QUARANTINED)
        self.quarantines = 0
        self._within = int(intensity.within_s * 1e9)
        self._crashes: deque[Instant] = deque(maxlen=intensity.crashes)
        self.leaving = False
        """The engine has told it to end: nobody takes its place."""
        self.halted = False
        """Nothing is decided here any more; what comes is a dead letter."""
        self.taken_out = False
        """It crashed too often, and the engine goes on without it."""
        self.remainder: Remainder | None = None

    def crashed(self, now: Instant) -> bool:
        """Count a crash; whether there are too many now."""
        self._crashes.append(now)
        return len(self._crashes) == self._crashes.maxlen and now - self._crashes[0] <= self._within

    def set_apart(self, pending: Pending) -> None:
        """Quarantine a message: keep it with its traceback, and tell who waits for its answer."""
        pending.told = True
        self.quarantines += 1
        text = repr(pending.error)[:500]
        self.quarantine.append(Quarantined(self.name, brief(pending.message), text, pending.trace[-8000:]))
        error = EngineError(f"the {self.name} could not handle {type(pending.message).__name__}: {text}")
        self._answer(pending.message, error)

    def _bury(self, message: object) -> None:
        self._answer(message, EngineStopped("the engine is stopped"))

    def _answer(self, message: object, error: EngineError) -> None:
        number = getattr(message, "reply", NOBODY)
        if number != NOBODY:
            self.asks.answered(number)
            self._desk.answer(number, error)

    def _enter(self, envelope: Envelope[Any]) -> object:
        """The way in for who found Pykka's ``ActorRef``: protocol messages alone, and no attribute of the actor."""
        message = envelope.message
        self._check(self.name, message)
        if envelope.reply_to is None:
            return message
        if type(message) not in ASKING:
            raise RequestError(f"{type(message).__name__} has no answer; tell it instead")
        return dataclasses.replace(message, reply=self._desk.expect(Promised(envelope.reply_to)))
