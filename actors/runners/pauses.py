"""How long to wait before a stop is sent once more.

Code that swallows stops may have a rhythm: a destructor, then a moment where the stop can be
raised, then the destructor again. Stops that come at a fixed pause fall into step with it: each
one ends the destructor early, so that the next comes at the same place of the rhythm, and none
is ever taken. Pauses that are left to chance are in step with nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import SystemRandom

# The system's own: what an action seeds or draws is not touched by it.
_CHANCE = SystemRandom().random


def pauses(shortest: float, longest: float, chance: Callable[[], float] = _CHANCE) -> Iterator[float]:
    """Pauses without end, in seconds from ``shortest`` to ``longest``; the first ones are short.

    Each is drawn with its length's logarithm, so that short ones go on coming: right after a
    stop was swallowed the code is often open to the next one, but not for long. ``chance``
    gives numbers from 0 to 1.
    """
    most = min(4 * shortest, longest)
    while True:
        yield shortest * (most / shortest) ** chance()
        most = min(2 * most, longest)
