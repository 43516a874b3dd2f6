"""An attempt as an action sees it, without an engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from actors.model import Entity, EntityId, Event, Json


class Stopped(BaseException):
    """What a checkpoint raises when the attempt is told to stop there."""


class FakeContext(SimpleNamespace):
    """What actions use of ``ctx``; keeps the checkpoints, and stops at one of them if told to."""

    checkpoints: list[Json]
    stop_at: int

    def checkpoint(self, value: Json) -> None:
        self.checkpoints.append(value)
        if len(self.checkpoints) == self.stop_at:
            raise Stopped


def context(entity: str, data: Json = None, *, params: dict[str, Json] | None = None, **more: Any) -> FakeContext:
    """An attempt for that entity and event; ``more`` overrides what is said here."""
    stamp = more.pop("timestamp", None)
    return FakeContext(
        **{
            "entity": Entity(EntityId(entity), data=data),
            "event": Event("DATA_READY", entity, data=data, timestamp=stamp),
            "params": params or {},
            "inputs": {},
            "restored": None,
            "idempotency_key": "store-1",
            "merged": 1,
            "checkpoints": [],
            "stop_at": 0,
            **more,
        }
    )
