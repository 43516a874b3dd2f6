"""Messages that take no time: all that happens at one instant is applied before anything is decided."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from actors.effects import SCHEDULER, Effect
from actors.model import Instant


class Receivers(Protocol):
    """Whom messages are for."""

    logics: dict[str, Any]

    @property
    def now(self) -> Instant: ...

    def perform(self, name: str, effects: list[Effect]) -> None: ...


class CalmMail:
    """Inboxes in the order of their first message; the scheduler decides when all others are done."""

    def __init__(self) -> None:
        self._inboxes: dict[str, list[Any]] = {}
        self._turn: deque[str] = deque()
        self._undecided = False
        self.delivered = 0

    def post(self, sender: str, to: str, message: Any) -> None:  # noqa: ARG002 - storms have use for it
        inbox = self._inboxes.get(to)
        if inbox is None:
            inbox = self._inboxes[to] = []
        if not inbox:
            self._turn.append(to)
        inbox.append(message)

    def deliver(self, parts: Receivers) -> bool:
        """Let everybody read what is there, until nobody has mail; the scheduler has not decided yet.

        True if it has something to decide about.
        """
        turn, inboxes, logics = self._turn, self._inboxes, parts.logics
        while turn:
            name = turn.popleft()
            batch, inboxes[name] = inboxes[name], []
            logic, now = logics[name], parts.now
            self.delivered += len(batch)
            effects: list[Effect] = []
            for message in batch:
                effects += logic.receive(message, now)
            if name == SCHEDULER:
                self._undecided = True
            else:
                effects += logic.settle(now)
            if effects:
                parts.perform(name, effects)
        return self._undecided

    def decide(self, parts: Receivers) -> None:
        """Let the scheduler decide."""
        self._undecided = False
        parts.perform(SCHEDULER, parts.logics[SCHEDULER].settle(parts.now))
