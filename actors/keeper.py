"""The keeper actor: its logic is ``logic.keeping``; it alone writes to the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.actor import LogicActor, Surroundings
from actors.effects import KEEPER, Save
from actors.logic.keeping import Keeping
from actors.ports import Store


class KeeperActor(LogicActor):
    """What a batch saves is one commit, and comes before everything that follows from the batch."""

    def __init__(self, logic: Keeping, around: Surroundings, store: Store) -> None:
        self._store = store
        super().__init__(KEEPER, logic, around)

    def performs(self, table: dict[type, Callable[[Any], None]]) -> None:
        table[Save] = self._save

    def _save(self, effect: Save) -> None:
        self._store.commit(effect.finished)
