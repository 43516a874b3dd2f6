"""Listening in on an actor: live, bounded in rate and room, and at no cost to the actor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.errors import RefusedError
from actors.taps import MOST_TAPS, ROOM, Taps
from tests.actors.conftest import BOUND_S, Add, Company

SECOND = 1_000_000_000


class Heard:
    """What a listener was told; it can be held up."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.open = threading.Event()
        self.open.set()
        self._more = threading.Condition()

    def __call__(self, told: dict[str, Any]) -> None:
        assert self.open.wait(BOUND_S)
        with self._more:
            self.told.append(told)
            self._more.notify_all()

    def until(self, enough: Callable[[], bool]) -> None:
        with self._more:
            assert self._more.wait_for(enough, BOUND_S), f"told {len(self.told)}"

    @property
    def numbers(self) -> list[int]:
        return [told["fields"]["number"] for told in self.told if told["message"] == "Add"]

    @property
    def skipped(self) -> int:
        return sum(told["skipped"] for told in self.told)


@pytest.fixture
def taps() -> Iterator[Taps]:
    made = Taps("engine", lambda ns: ns / SECOND)
    yield made
    assert made.stop(BOUND_S)


def test_a_listener_is_shown_each_message_with_its_fields_and_when(company: Callable[..., Company], taps: Taps) -> None:
    works, heard = company("a", "b"), Heard()
    taps.add(works.seats["a"], heard, 100)
    before = works.clock.now() / SECOND

    works.tell("a", Add(1), Add(2))
    works.tell("b", Add(3))

    heard.until(lambda: len(heard.told) == 2)
    first = heard.told[0]
    assert before <= first.pop("at") <= works.clock.now() / SECOND
    assert first == {"actor": "a", "message": "Add", "fields": {"number": 1}, "skipped": 0}


def test_several_listen_at_once_and_each_ends_by_itself(company: Callable[..., Company], taps: Taps) -> None:
    works, one, other = company("a"), Heard(), Heard()
    end = taps.add(works.seats["a"], one, 100)
    taps.add(works.seats["a"], other, 100)
    works.tell("a", Add(1))
    one.until(lambda: one.numbers == [1])

    end()
    end()
    works.tell("a", Add(2))

    other.until(lambda: other.numbers == [1, 2])
    assert one.numbers == [1]
    assert len(works.seats["a"].taps) == 1


def test_what_is_over_the_rate_is_counted_and_told_of(company: Callable[..., Company], taps: Taps) -> None:
    works, heard = company("a"), Heard()
    taps.add(works.seats["a"], heard, 5)

    works.tell_together("a", *[Add(number) for number in range(100)])
    works.book("a")

    # The one that held the actor, the hundred, and the question of the book; one of them may have come a bit later.
    heard.until(lambda: len(heard.told) >= 5 and heard.skipped + len(heard.numbers) >= 100)
    assert len(heard.numbers) <= 7
    assert heard.skipped >= 94


def test_the_rate_comes_back_with_time(company: Callable[..., Company], taps: Taps) -> None:
    works, heard = company("a"), Heard()
    taps.add(works.seats["a"], heard, 5)
    (offer,) = works.seats["a"].taps

    offer([Add(number) for number in range(10)], 1 * SECOND)
    offer([Add(number) for number in range(10, 20)], 1 * SECOND + SECOND // 5)
    offer([Add(number) for number in range(20, 30)], 9 * SECOND)

    heard.until(lambda: len(heard.told) == 11)
    assert heard.numbers == [0, 1, 2, 3, 4, 10, 20, 21, 22, 23, 24]
    heard.until(lambda: heard.skipped == 19)


def test_a_listener_that_does_not_come_back_costs_the_actor_nothing_but_a_bounded_line(
    company: Callable[..., Company], taps: Taps
) -> None:
    works, heard = company("a"), Heard()
    heard.open.clear()
    taps.add(works.seats["a"], heard, 10_000)

    works.tell("a", *[Add(number) for number in range(5_000)])

    assert len(works.book("a")) == 5_000
    heard.open.set()
    heard.until(lambda: heard.skipped + len(heard.told) >= 5_000)
    assert len(heard.told) <= ROOM + 2


def test_a_tap_survives_the_crash_of_its_actor_and_a_listener_that_raises(
    company: Callable[..., Company], taps: Taps
) -> None:
    works, heard = company("a"), Heard()

    def fails(told: dict[str, Any]) -> None:
        heard(told)
        raise ValueError("of its own")

    taps.add(works.seats["a"], fails, 100)
    works.plans["a"].crash[Add(1)] = [ValueError]

    works.tell("a", Add(1))
    works.book("a")
    works.tell("a", Add(2))

    heard.until(lambda: heard.numbers[-1:] == [2])
    assert works.seats["a"].restarts == 1


def test_a_listener_may_end_its_own_tap(company: Callable[..., Company], taps: Taps) -> None:
    works, heard = company("a"), Heard()
    ends: list[Callable[[], None]] = []

    def once(told: dict[str, Any]) -> None:
        heard(told)
        ends[0]()

    ends.append(taps.add(works.seats["a"], once, 100))
    works.tell("a", Add(1), Add(2))

    assert works.book("a") == [1, 2]
    heard.until(lambda: bool(heard.told))
    assert works.seats["a"].taps == ()


def test_there_is_a_bound_on_taps_and_none_after_the_end(company: Callable[..., Company]) -> None:
    works, taps = company("a"), Taps("engine", float)
    for _ in range(MOST_TAPS):
        taps.add(works.seats["a"], Heard(), 1)

    with pytest.raises(RefusedError, match="64 taps are open already"):
        taps.add(works.seats["a"], Heard(), 1)
    assert taps.stop(BOUND_S)
    with pytest.raises(RefusedError, match="stopping"):
        taps.add(works.seats["a"], Heard(), 1)
    assert works.seats["a"].taps == ()


def test_a_listener_that_keeps_its_thread_is_said_at_the_end(company: Callable[..., Company]) -> None:
    works, taps = company("a"), Taps("engine", float)
    called, opened = threading.Event(), threading.Event()

    def keeps(_: dict[str, Any]) -> None:
        called.set()
        assert opened.wait(BOUND_S)

    taps.add(works.seats["a"], keeps, 10)
    works.tell("a", Add(1))
    assert called.wait(BOUND_S)

    assert not taps.stop(0.05)
    opened.set()
