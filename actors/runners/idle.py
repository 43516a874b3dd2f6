"""Workers that have nothing to do, kept because the next attempt starts faster on one.

A worker can become nicer and never less nice, so each serves one level; one that was not used
yet can still become anything.
"""

from __future__ import annotations

from actors.model import Limits
from actors.runners.hand import Hand

SPARES = 2
"""Kept at the level of what is urgent: one to be used, one until the next is forked."""
_MOST = 32


class Idle:
    """Idle workers by level of ``nice``: at most as many for each as were ever busy together, and the spares."""

    def __init__(self) -> None:
        self._by_nice: dict[int, list[Hand]] = {}
        self._most = 1

    def __len__(self) -> int:
        return sum(map(len, self._by_nice.values()))

    @property
    def spares(self) -> int:
        return len(self._by_nice.get(0, ()))

    def saw_busy(self, count: int) -> None:
        """So many are busy at the same time; that many will be worth keeping."""
        self._most = min(max(self._most, count), _MOST)

    def take(self, nice: int, limits: Limits | None) -> Hand | None:
        """One that serves that level, else one that can become it; limits need a fresh one."""
        level, spares = self._by_nice.get(nice), self._by_nice.get(0)
        if level and limits is None:
            return level.pop()
        # The last spare is kept for what is urgent; who is not can wait for a fork.
        if spares and (nice == 0 or len(spares) > 1):
            for place, hand in enumerate(spares):
                if hand.turn == 0:
                    return spares.pop(place)
        return None

    def put(self, hand: Hand) -> bool:
        """Keep it, unless it had limits or there are enough; whether it is kept."""
        level = self._by_nice.setdefault(hand.nice, [])
        if hand.limits is not None or len(level) >= self._most + (SPARES if hand.nice == 0 else 0):
            return False
        level.append(hand)
        return True

    def add(self, hand: Hand) -> None:
        """Keep a fresh one, in any case; those that were used before are used first."""
        self._by_nice.setdefault(hand.nice, []).insert(0, hand)

    def remove(self, hand: Hand) -> None:
        """No-op for one that is not idle."""
        level = self._by_nice.get(hand.nice, [])
        if hand in level:
            level.remove(hand)

    def clear(self) -> None:
        self._by_nice.clear()
