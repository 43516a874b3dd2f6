"""What the prompt knows of the engine without asking it at every key: counts, and names.

One thread asks now and then; names are asked for in the completer's thread, and kept for a
moment. An engine that does not answer leaves the last that was known.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from actors.client.client import Client
from actors.commands.kinds import known_names
from actors.errors import Error

COUNT_S = 0.5
"""Time between two looks at the counts."""
NAMES_S = 2.0
"""So long a list of names is taken as it was."""
JOIN_S = 3.0
USUAL = ("0", "1", "2")
"""Priorities that are shown also when nothing waits there."""
AT_WORK = ("running", "stopping", "draining")
AT_REST = ("idle", "drained")


class Live:
    """``changed`` is called with the text for the toolbar, in a thread of its own, when it is another."""

    def __init__(self, engine: Client, changed: Callable[[str], None]) -> None:
        self._engine = engine
        self._changed = changed
        self._names: dict[str, tuple[float, list[str]]] = {}
        self._toolbar = "…"
        self._thread = threading.Thread(target=self._count, name="shell-counts", daemon=True)
        self._thread.start()

    def names(self, kind: str) -> list[str]:
        """What the engine has of a kind, as known a moment ago."""
        at, known = self._names.get(kind, (-NAMES_S, []))
        if time.monotonic() - at >= NAMES_S:
            # If it cannot be asked, the last that was known is better than nothing.
            with contextlib.suppress(Error, OSError):
                known = known_names(self._engine, kind)
            self._names[kind] = (time.monotonic(), known)
        return known

    def close(self) -> None:
        self._engine.interrupt()
        self._thread.join(JOIN_S)

    def _count(self) -> None:
        while True:
            try:
                told = toolbar_of(self._engine.stats())
            except (Error, OSError):
                told = "the engine does not answer"
            if told != self._toolbar:
                self._toolbar = told
                self._changed(told)
            if self._engine.pause_for(COUNT_S):
                return


def toolbar_of(stats: Mapping[str, Any]) -> str:
    """``P0 0 · P1 3 · P2 17 · agents 5/5 · preempted 12``: what waits by priority, who is at work."""
    waiting = {str(level): depth for level, depth in stats["queues"].items()}
    agents: Mapping[str, int] = stats["agents"]
    parts = [f"P{level} {waiting.get(level, 0)}" for level in sorted({*USUAL, *waiting}, key=int)]
    busy, all_ = (sum(agents.get(state, 0) for state in states) for states in (AT_WORK, (*AT_WORK, *AT_REST)))
    return " · ".join([*parts, f"agents {busy}/{all_}", f"preempted {stats['preemptions']}"])
