"""Where a storm's choices come from. Zero is always the calmest choice, so that shrinking makes stories calm."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol


class Choices(Protocol):
    def step(self) -> None:
        """What is chosen from here on belongs together: shrinking takes it out together."""
        ...

    def pick(self, count: int) -> int:
        """One of ``range(count)``."""
        ...


class Seeded:
    """Choices by a seed, the same on every machine; what was chosen is kept, step by step."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.steps: list[list[int]] = [[]]

    def step(self) -> None:
        self.steps.append([])

    def forget(self) -> None:
        """Nobody will want to know what was chosen so far."""
        self.steps = [[]]

    def pick(self, count: int) -> int:
        chosen = int(self._random.random() * count)
        self.steps[-1].append(chosen)
        return chosen


class Replayed:
    """Choices as they were made before, or what shrinking has left of them; zero when they run out."""

    def __init__(self, steps: Sequence[Sequence[int]]) -> None:
        self._steps = iter([*steps[1:]])
        self._left = iter(steps[0] if steps else ())

    def step(self) -> None:
        self._left = iter(next(self._steps, ()))

    def pick(self, count: int) -> int:
        return min(next(self._left, 0), count - 1)


class Calm:
    """Always the calmest."""

    def step(self) -> None:
        """Nothing to keep apart."""

    def pick(self, count: int) -> int:  # noqa: ARG002
        return 0
