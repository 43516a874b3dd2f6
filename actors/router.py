"""The router actor: its logic is ``logic.routing``; it also hands state changes to the subscribers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.actor import LogicActor, Surroundings
from actors.effects import ROUTER, Broadcast
from actors.logic.routing import Routing
from actors.subscribers import Subscribers


class RouterActor(LogicActor):
    def __init__(self, logic: Routing, around: Surroundings, subscribers: Subscribers) -> None:
        self._subscribers = subscribers
        super().__init__(ROUTER, logic, around)

    def performs(self, table: dict[type, Callable[[Any], None]]) -> None:
        table[Broadcast] = self._broadcast

    def _broadcast(self, effect: Broadcast) -> None:
        self._subscribers.put(effect.changes)
