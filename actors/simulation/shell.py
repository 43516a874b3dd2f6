"""What a shell does around its logic, crashes included, as ``actors.actor`` does it.

Messages taken together are a batch: nothing of it is performed before all of it was received
and settled. If the logic crashes meanwhile, a fresh one begins, is given the open asks again,
and then the batch, message by message. What crashes it twice is quarantined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from actors.asks import ASKING, OpenAsks
from actors.effects import Effect, Reply, Send
from actors.errors import EngineError
from actors.logic.reaping import Death
from actors.model import NOBODY, ErrorInfo, Instant
from actors.simulation.ledger import AgentLedger
from actors.simulation.watching import Watcher

Taken = tuple[str, Any]
"""A message and who sent it."""
AGAIN = "again"
"""The sender of what was taken in before a crash and is fed again."""


@dataclass(frozen=True, slots=True)
class Crash:
    """A crash that is to happen to a batch."""

    at: int
    """The place of the message that it happens at."""
    after: bool = False
    """When the logic has received it, not before."""
    twice: bool = False
    """And again when it is given once more."""
    final: bool = False
    """It is an agent, and is taken out: this crash is one too many, the second if it happens twice."""


class Crashed(Exception):
    """The logic crashes, because the simulation wants it to."""


ERROR = ErrorInfo("Crashed", "the simulation wants it so")
Make = Callable[[int, AgentLedger, Death | None], Any]
"""A fresh logic: takes how many crashed before it, and for an agent its ledger and what it died of."""


class Shell:
    def __init__(self, name: str, make: Make, perform: Callable[[str, list[Effect]], None], watcher: Watcher) -> None:
        self.name = name
        self.crashes = 0
        self.quarantined: list[Any] = []
        self._make = make
        self._perform = perform
        self._watcher = watcher
        self._asks = OpenAsks(lambda _number: True)
        self._ledger = AgentLedger()
        self.logic = make(0, self._ledger, None)

    def begin(self, now: Instant) -> None:
        begin = getattr(self.logic, "begin", None)
        if begin is not None:
            self._do(begin(now))

    def feed(self, batch: list[Taken], now: Instant, crash: Crash | None = None) -> None:
        """Take a batch; performed when it is through."""
        try:
            self._batch(batch, now, crash)
        except Crashed:
            assert crash is not None
            self._recover(batch, now, crash)

    def _batch(self, batch: list[Taken], now: Instant, crash: Crash | None) -> None:
        logic = self.logic
        led_to: list[list[Effect]] = []
        for place, (_, message) in enumerate(batch):
            if crash is not None and crash.at == place and not crash.after:
                raise Crashed
            led_to.append(logic.receive(message, now))
            if crash is not None and crash.at == place:
                raise Crashed
        decided = logic.settle(now)
        effects: list[Effect] = []
        for (sender, message), some in zip(batch, led_to, strict=True):
            if type(message) in ASKING:
                self._asks.took(message)
            self._ledger.took(message)
            self._watcher.took(sender, self.name, message, some)
            effects += some
        self._watcher.settled(self.name, decided)
        self._do(effects + decided)

    def _recover(self, batch: list[Taken], now: Instant, crash: Crash) -> None:
        in_hand = type(batch[crash.at][1]).__name__
        self._rebuild(in_hand, now, final=crash.final and not crash.twice)
        for place, taken in enumerate(batch):
            if not crash.twice or place != crash.at:
                self._batch([taken], now, None)
                continue
            self._rebuild(in_hand, now, final=crash.final)
            self._quarantine(taken[1], now)

    def _rebuild(self, in_hand: str, now: Instant, *, final: bool) -> None:
        """Nothing of what the crashed logic held is trusted; its neighbours and the open asks tell the fresh one."""
        self.crashes += 1
        self._ledger.incarnation += 1
        state = getattr(self.logic, "state", None)
        if state is not None:
            state.roll_back()
        self.logic = self._make(self.crashes, self._ledger, Death(ERROR, in_hand, final))
        self._watcher.crashed(self.name, in_hand)
        self._do(self.logic.begin(now))
        if state is None:
            for ask in self._asks.all():
                self._batch([(AGAIN, ask)], now, None)

    def _quarantine(self, message: Any, now: Instant) -> None:
        self.quarantined.append(message)
        self._watcher.quarantined(self.name, message)
        reply = getattr(message, "reply", NOBODY)
        if reply != NOBODY:
            self._do([Reply(reply, EngineError("the message crashed twice"))])
        self._do(self.logic.quarantined(message, ERROR, now))
        self._do(self.logic.settle(now))

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Reply):
                self._asks.answered(effect.to)
            elif isinstance(effect, Send) and type(effect.message) in ASKING:
                self._asks.handed_on(effect.message)
            self._ledger.performed(effect)
        self._perform(self.name, effects)
