"""Messages that take no time, but overtake one another wherever they may, as a seed says."""

from __future__ import annotations

from typing import Any

from actors.effects import Effect
from actors.simulation.calm import Receivers
from actors.simulation.channels import Channels
from actors.simulation.choices import Seeded


class ShuffledMail:
    """Every batch is decided at its end, as by the shells: no waiting for what else there is."""

    def __init__(self, seed: int) -> None:
        self._channels = Channels()
        self._choices = Seeded(seed)

    @property
    def delivered(self) -> int:
        return self._channels.delivered

    def post(self, sender: str, to: str, message: Any) -> None:
        self._channels.post(sender, to, message)

    def deliver(self, parts: Receivers) -> bool:
        """Let everybody read until there is nothing left; nothing is undecided then."""
        channels, choices = self._channels, self._choices
        while len(channels):
            choices.forget()
            name, batch = channels.take(choices)
            logic, now = parts.logics[name], parts.now
            effects: list[Effect] = []
            for _, message in batch:
                effects += logic.receive(message, now)
            parts.perform(name, effects + logic.settle(now))
        return False

    def decide(self, parts: Receivers) -> None:
        """Nothing is left to decide."""
