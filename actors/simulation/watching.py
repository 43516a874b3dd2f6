"""What a storm shows to who watches it: every message, batch and action, as it happens."""

from __future__ import annotations

from typing import Any

from actors.effects import Effect
from actors.model import Outcome
from actors.simulation.runner import Action


class Watcher:
    """Does nothing with what it sees; subclasses look at what they want to."""

    def sent(self, sender: str, to: str, message: Any) -> None:
        """A message is on its way."""

    def repeated(self, message: Any) -> None:
        """A message that has just been read will come once more."""

    def crashed(self, name: str, in_hand: str) -> None:
        """An actor's logic has crashed, and a fresh one is about to begin."""

    def quarantined(self, name: str, message: Any) -> None:
        """This message has crashed its receiver twice and is given up."""

    def lost(self, name: str, messages: list[tuple[str, Any]]) -> None:
        """Messages that were on their way to an actor are gone with its inbox."""

    def took(self, sender: str, name: str, message: Any, effects: list[Effect]) -> None:
        """An actor's logic has received one message of a batch that has gone through."""

    def settled(self, name: str, effects: list[Effect]) -> None:
        """The batch is at its end, and this was decided; nothing of it has been performed yet."""

    def effect(self, name: str, effect: Effect) -> None:
        """An effect that is no message is about to be performed."""

    def started(self, action: Action) -> None:
        """An action runs."""

    def ended(self, action: Action, outcome: Outcome) -> None:
        """Nothing of an action runs any more."""
