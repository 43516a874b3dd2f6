"""Messages under way: first in first out from one sender to one receiver, and in no other order."""

from __future__ import annotations

from collections import deque
from typing import Any

from actors.model import NOBODY
from actors.simulation.choices import Choices

MAX_BATCH = 4
ECHO = "echo of "
"""How the sender of a message begins that comes twice: what was sent after it may overtake it."""
LATE = 4
"""Of so many times that an echo could come, it comes once; else somebody is picked anew."""
KEPT = frozenset({"runner", "timer", "user", "other"})
"""Senders whose messages are not lost with an inbox."""


class Channels:
    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], deque[Any]] = {}
        """Those with messages, in the order in which they got their first."""
        self.delivered = 0

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def post(self, sender: str, to: str, message: Any) -> None:
        waiting = self._waiting.get((sender, to))
        if waiting is None:
            waiting = self._waiting[sender, to] = deque()
        waiting.append(message)

    def take(self, choices: Choices) -> tuple[str, list[tuple[str, Any]]]:
        """Some receiver's next batch: senders and messages. At least one message must wait."""
        keys = list(self._waiting)
        first = keys[choices.pick(len(keys))]
        if first[0].startswith(ECHO) and choices.pick(LATE):
            # What is said again may come when its task has long been given out once more.
            first = keys[choices.pick(len(keys))]
        to = first[1]
        batch = self._some(first, choices)
        others = [key for key in keys if key[1] == to and key is not first and not key[0].startswith(ECHO)]
        for other in others:
            if len(batch) < MAX_BATCH and choices.pick(3) == 1:
                batch += self._some(other, choices)
        self.delivered += len(batch)
        return to, batch

    def _some(self, key: tuple[str, str], choices: Choices) -> list[tuple[str, Any]]:
        waiting = self._waiting[key]
        most = min(len(waiting), MAX_BATCH)
        count = 1 + choices.pick(most)
        batch = [(key[0], waiting.popleft()) for _ in range(count)]
        if not waiting:
            del self._waiting[key]
        return batch

    def lose(self, to: str) -> list[tuple[str, Any]]:
        """An inbox goes with its actor: what other actors sent is gone. Asks and reports of runners are not."""
        lost: list[tuple[str, Any]] = []
        for key in [key for key in self._waiting if key[1] == to and key[0] not in KEPT]:
            waiting = self._waiting.pop(key)
            lost += [(key[0], message) for message in waiting if not _asks(message)]
            kept = deque(message for message in waiting if _asks(message))
            if kept:
                self._waiting[key] = kept
        return lost


def _asks(message: Any) -> bool:
    return getattr(message, "reply", NOBODY) != NOBODY
