"""From a store's URL to the store."""

from __future__ import annotations

import uuid

from actors.errors import RequestError
from actors.model import Settings
from actors.ports import Store
from actors.stores.memory import MemoryStore


def open_store(url: str | None, settings: Settings) -> Store:
    """``memory`` is the one there is; anything else is refused in a sentence. Raises ``RequestError``."""
    if url in (None, "memory"):
        return MemoryStore(uuid.uuid4().hex[:12], max_finished=settings.max_finished)
    scheme = str(url).split(":", 1)[0][:40]
    raise RequestError(f"no store {scheme!r}; this version knows: memory (state lives as long as the engine)")
