"""The keeper actor: its logic is ``logic.keeping``; it alone writes to the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.actor import LogicActor
from actors.effects import Effect, Save
from actors.messages import (
    Bootstrap,
    ReadEntities,
    ReadInstances,
    ReconcileDue,
    RouterRestarted,
    SchedulerRestarted,
)
from actors.ports import Store
from actors.repair import Fatal, Logic
from actors.seat import Seat, Surroundings

COMMIT_S = 30.0
"""A commit may take so long before it counts as hanging: a disk that is busy is not a fault of ours."""
WHOLE_S = 60.0
"""So much longer may take what looks at everything there is, with a million entities."""
LOOKS_AT_ALL = (SchedulerRestarted, RouterRestarted, ReconcileDue, ReadEntities, ReadInstances, Bootstrap)


class KeeperActor(LogicActor):
    """What a batch saves is one commit, and comes before everything that follows from the batch."""

    replaceable = False

    def __init__(self, seat: Seat, build: Callable[[int], Logic], around: Surroundings, store: Store) -> None:
        self._store = store
        self._saving = False
        super().__init__(seat, build, around)
        self.noted = frozenset()  # Who waits is part of the state, and asked only once.

    def performs(self, table: dict[type, Callable[[Any], None]]) -> None:
        table[Save] = self._save

    def passed_over(self, effect: Effect, error: BaseException) -> None:
        """What could not be saved must not be acted on either: the engine stops."""
        super().passed_over(effect, error)
        if isinstance(effect, Save):
            raise Fatal(f"the store could not save: {error!r}") from error

    def _save(self, effect: Save) -> None:
        self._saving = True
        try:
            self._store.commit(effect.finished, effect.retried)
        finally:
            self._saving = False

    def patience(self) -> float:
        if self._saving:
            return COMMIT_S
        whole = any(isinstance(message, LOOKS_AT_ALL) for message in self.in_hand())
        return super().patience() + (WHOLE_S if whole else 0.0)
