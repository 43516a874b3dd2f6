"""The newest so many ids and what they led to, forgotten by the thousand.

Ids are kept in generations, a dict each; when the newest is full, the oldest goes as a whole.
One dict that loses its oldest key with every new one would be rebuilt again and again.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

GENERATIONS = 10

T = TypeVar("T")


class Remembered(Generic[T]):
    """At least the newest ``count`` ids, and at most a generation more."""

    def __init__(self, count: int) -> None:
        self._size = max(1, -(-count // GENERATIONS))
        self._newest: dict[str, T] = {}
        self._older: deque[dict[str, T]] = deque(maxlen=-(-count // self._size))
        self.marked = False
        """Whether ``roll_back`` knows what to go back to; False when a batch begins: nothing is changed yet."""
        self._before = (self._newest, 0, tuple(self._older))
        self._replaced: list[tuple[dict[str, T], str, T]] = []

    def __len__(self) -> int:
        return len(self._newest) + sum(map(len, self._older))

    def get(self, identity: str) -> T | None:
        """What it led to; None if it is not known, or no more."""
        found = self._newest.get(identity)
        if found is None:
            for generation in self._older:
                found = generation.get(identity)
                if found is not None:
                    break
        return found

    def add(self, identity: str, led_to: T) -> None:
        if not self.marked:
            self._mark()
        if len(self._newest) >= self._size:
            self._older.appendleft(self._newest)
            self._newest = {}
        known = self._newest.setdefault(identity, led_to)
        if known is not led_to:
            self._replaced.append((self._newest, identity, known))
            self._newest[identity] = led_to

    def _mark(self) -> None:
        self._before = (self._newest, len(self._newest), tuple(self._older))
        self._replaced.clear()
        self.marked = True

    def roll_back(self) -> None:
        """Forget what was added since it was last set to be unmarked, know again what was forgotten."""
        if not self.marked:
            return
        newest, count, older = self._before
        for generation, identity, known in reversed(self._replaced):
            generation[identity] = known
        while len(newest) > count:  # What is new came last.
            newest.popitem()
        self._newest, self._older = newest, deque(older, self._older.maxlen)
