"""Which idle worker serves what: one is never given to work it is too nice for, nor used twice with limits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors.model import Limits
from actors.runners.hand import Hand
from actors.runners.idle import SPARES, Idle


@pytest.fixture
def hands() -> Iterator[list[Hand]]:
    hands = [Hand(number, 100) for number in range(5)]
    yield hands
    for hand in hands:
        hand.close()


def used(hand: Hand, nice: int, limits: Limits | None = None) -> Hand:
    hand.turn, hand.nice, hand.limits = 1, nice, limits
    return hand


def test_one_that_served_a_level_serves_it_again(hands: list[Hand]) -> None:
    idle = Idle()
    assert idle.put(used(hands[0], 10))
    idle.add(hands[1])

    assert idle.take(10, None) is hands[0]


def test_one_that_is_nicer_is_never_taken(hands: list[Hand]) -> None:
    idle = Idle()
    idle.put(used(hands[0], 10))

    assert idle.take(0, None) is None
    assert idle.take(5, None) is None


def test_a_fresh_one_becomes_anything_but_the_last_is_kept_for_what_is_urgent(hands: list[Hand]) -> None:
    idle = Idle()
    idle.add(hands[0])
    idle.add(hands[1])

    assert idle.take(10, None) in hands
    assert idle.take(10, None) is None
    assert idle.take(0, None) in hands


def test_one_that_was_used_does_not_become_anything_else(hands: list[Hand]) -> None:
    idle = Idle()
    idle.put(used(hands[0], 0))
    idle.put(used(hands[1], 0))

    assert idle.take(10, None) is None
    assert idle.take(0, Limits(files=1)) is None


def test_limits_need_a_fresh_one_and_it_is_not_kept(hands: list[Hand]) -> None:
    idle = Idle()
    idle.put(used(hands[0], 10))
    idle.add(hands[1])

    assert idle.take(10, Limits(files=1)) is None
    assert idle.take(0, Limits(files=1)) is hands[1]
    assert not idle.put(used(hands[1], 0, Limits(files=1)))


def test_as_many_are_kept_as_were_ever_busy_and_the_spares(hands: list[Hand]) -> None:
    idle = Idle()
    assert idle.put(used(hands[0], 10))
    assert not idle.put(used(hands[1], 10))
    idle.saw_busy(2)
    assert idle.put(hands[1])
    for hand in hands[2:]:
        assert idle.put(used(hand, 0))
    assert idle.spares == 3
    assert len(idle) == 5
    assert SPARES == 2
