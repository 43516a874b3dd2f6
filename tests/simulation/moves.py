"""What the scheduler decides, move by move: some moves send no message, so they are listened to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from actors.logic.floor import Floor
from actors.model import AgentName, TaskKey


@dataclass(frozen=True, slots=True)
class Move:
    kind: str
    """``assign``, ``take_over`` or ``preempt``."""
    task: TaskKey
    agent: AgentName
    since: int
    until: int
    """Which effects of the decision are this move's."""


class Moves:
    """Listens to one floor; what it was told about an older one is forgotten."""

    def __init__(self) -> None:
        self._floor: Floor | None = None
        self._made: list[Move] = []

    def listen(self, floor: Floor) -> None:
        if floor is not self._floor:
            self._floor, self._made = floor, []
            for kind in ("assign", "take_over", "preempt"):
                setattr(floor, kind, self._noting(floor, kind, getattr(floor, kind)))

    def taken(self) -> list[Move]:
        made, self._made = self._made, []
        return made

    def _noting(self, floor: Floor, kind: str, move: Callable[..., None]) -> Callable[..., None]:
        def noted(waiting: Any, other: Any, now: int) -> None:
            since, task = len(floor.effects), waiting.job.attempt.task
            agent = other.agent.name if kind == "preempt" else other.name
            move(waiting, other, now)
            if floor is self._floor:
                self._made.append(Move(kind, task, agent, since, len(floor.effects)))

        return noted
