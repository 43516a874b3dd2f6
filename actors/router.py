"""The router actor: its logic is ``logic.routing``; it also hands state changes to the subscribers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.actor import LogicActor
from actors.effects import Broadcast
from actors.repair import Logic
from actors.seat import Seat, Surroundings
from actors.subscribers import Subscribers


class RouterActor(LogicActor):
    def __init__(
        self, seat: Seat, build: Callable[[int], Logic], around: Surroundings, subscribers: Subscribers
    ) -> None:
        self._subscribers = subscribers
        super().__init__(seat, build, around)

    def performs(self, table: dict[type, Callable[[Any], None]]) -> None:
        table[Broadcast] = self._broadcast

    def _broadcast(self, effect: Broadcast) -> None:
        self._subscribers.put(effect.changes)
