"""What is to happen at which instant: one heap, whose cleared entries are dropped when they come up."""

from __future__ import annotations

import heapq
from collections.abc import Hashable

from actors.model import Instant

Item = tuple[str | None, object]
"""Whom to tell what; None: the runner, that this attempt's time has come."""


class Agenda:
    """Entries by key; setting a key again replaces its entry. Equal instants come in the order they were set."""

    def __init__(self) -> None:
        self._heap: list[tuple[Instant, int, Hashable, Item]] = []
        self._live: dict[Hashable, int] = {}
        self._serial = 0
        self.matters = 0
        """Entries that something waits for."""
        self._idle: set[Hashable] = set()

    def set(self, key: Hashable, at: Instant, item: Item, *, matters: bool = True) -> None:
        """``matters`` false: nothing waits for it; it does not keep the simulation going."""
        if key in self._live:
            self.clear(key)
        self._serial += 1
        self._live[key] = self._serial
        if matters:
            self.matters += 1
        else:
            self._idle.add(key)
        heapq.heappush(self._heap, (at, self._serial, key, item))

    def clear(self, key: Hashable) -> None:
        if self._live.pop(key, None) is not None:
            if key in self._idle:
                self._idle.remove(key)
            else:
                self.matters -= 1
            if len(self._heap) > 64 + 4 * len(self._live):
                self._heap = [entry for entry in self._heap if self._live.get(entry[2]) == entry[1]]
                heapq.heapify(self._heap)

    def next_at(self) -> Instant | None:
        heap, live = self._heap, self._live
        while heap:
            entry = heap[0]
            if live.get(entry[2]) == entry[1]:
                return entry[0]
            heapq.heappop(heap)
        return None

    def rings_for(self, name: str) -> bool:
        """Whether the first entry is for this one; ``next_at`` must just have said that there is one."""
        return self._heap[0][3][0] == name

    def pop(self) -> Item:
        """The first entry; ``next_at`` must just have said that there is one."""
        _, _, key, item = heapq.heappop(self._heap)
        del self._live[key]
        if key in self._idle:
            self._idle.remove(key)
        else:
            self.matters -= 1
        return item
