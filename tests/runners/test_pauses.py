"""A stop that is swallowed comes again: at pauses that no code can be in step with."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator

import pytest

from actors.runners.pauses import pauses

SHORTEST, LONGEST = 0.0005, 0.1
SWALLOWING_MS = (0.5, 1, 2, 3, 3.2, 5, 7, 10.4, 24, 30, 49, 99, 100, 250, 1000)
OPEN_MS = (0.6, 1, 3, 10)


def drawn(seed: int) -> Iterator[float]:
    return pauses(SHORTEST, LONGEST, random.Random(seed).random)


def taken_after(given: Iterable[float], swallowing: float, still_open: float) -> int:
    """How many stops it takes code that swallows so long, is open so long, and so on.

    A stop that is swallowed ends the swallowing, as an exception in a destructor does: the
    pause to the next one begins with the time in which it is open.
    """
    return next(number for number, pause in enumerate(given, 1) if pause % (swallowing + still_open) < still_open)


@pytest.mark.parametrize("swallowing_ms", SWALLOWING_MS)
@pytest.mark.parametrize("open_ms", OPEN_MS)
def test_a_stop_is_taken_soon_whatever_the_rhythm_in_which_it_is_swallowed(
    swallowing_ms: float, open_ms: float
) -> None:
    stops = [taken_after(drawn(seed), swallowing_ms / 1000, open_ms / 1000) for seed in range(100)]

    assert sum(stops) / len(stops) < 40
    assert max(stops) < 200


def test_stops_at_fixed_pauses_can_be_swallowed_for_ever() -> None:
    """Why they are left to chance, and that the test above can fail."""
    fixed = [0.002, 0.004, 0.008, 0.016, 0.032, *[0.05] * 1000]

    with pytest.raises(StopIteration):
        taken_after(fixed, 0.0104, 0.001)


@pytest.mark.parametrize("seed", range(20))
def test_no_pause_is_shorter_or_longer_than_asked_and_the_first_ones_are_short(seed: int) -> None:
    given = list(itertools.islice(drawn(seed), 1000))

    assert all(SHORTEST <= pause <= LONGEST for pause in given)
    assert all(pause <= 4 * SHORTEST * 2**number for number, pause in enumerate(given[:10]))
    assert min(given[500:]) < 2 * SHORTEST
    assert max(given[500:]) > LONGEST / 2


def test_two_attempts_are_not_told_at_the_same_pauses() -> None:
    one, other = (list(itertools.islice(pauses(SHORTEST, LONGEST), 20)) for _ in range(2))

    assert one != other


def test_pauses_of_one_length_are_that_long() -> None:
    assert set(itertools.islice(pauses(0.5, 0.5), 10)) == {0.5}
