"""How long the oldest message has waited, known from looks now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from actors.ages import MOST_LOOKS, Ages
from tests.actors.conftest import BOUND_S, Add, Company

LOOK = 200


def test_the_oldest_has_waited_since_the_first_look_that_counted_it() -> None:
    ages = Ages()

    ages.look(3, 0, 100)
    ages.look(5, 0, 300)

    assert ages.oldest_ns(0, 400) == 300
    assert ages.oldest_ns(2, 400) == 300
    assert ages.oldest_ns(3, 400) == 100
    assert ages.oldest_ns(5, 400) == 0


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=60))
def test_no_wait_is_overstated_and_none_understated_by_more_than_a_look(steps: list[tuple[int, int]]) -> None:
    """In each step so many messages come and so many are dealt with, then the watchdog looks."""
    ages = Ages()
    came: list[int] = []
    done = now = 0
    for coming, going in steps:
        now += LOOK
        came += [now - LOOK // 2] * coming
        done = min(len(came), done + going)
        ages.look(len(came), done, now)

        said = ages.oldest_ns(done, now)

        waited = now - came[done] if done < len(came) else 0
        assert waited - LOOK <= said <= waited


def test_a_line_that_stays_long_for_ever_takes_no_more_room() -> None:
    ages = Ages()

    for number in range(1, 100_000):
        ages.look(number, 0, number * LOOK)

    assert len(ages._looks) <= MOST_LOOKS
    assert ages.oldest_ns(0, 100_000 * LOOK) > 50_000 * LOOK


def test_an_actor_that_hangs_shows_how_long_what_it_has_not_dealt_with_has_waited(
    company: Callable[..., Company],
) -> None:
    works = company("a")
    gate = works.plans["a"].hang[Add(1)] = threading.Event()
    for number in range(3):
        works.tell("a", Add(number))
    assert works.plans["a"].hanging.wait(BOUND_S)
    works.supervisor.look(works.clock.now())
    began = time.perf_counter()

    (shown,) = works.supervisor.standings()
    while shown["oldest_waiting_ms"] < 20 and time.perf_counter() < began + BOUND_S:
        (shown,) = works.supervisor.standings()

    assert (shown["name"], shown["state"], shown["restarts"], shown["generation"]) == ("a", "busy", 0, 0)
    assert 20 <= shown["oldest_waiting_ms"] <= (time.perf_counter() - began) * 1000 + 200
    gate.set()
    assert works.book("a")[-1] == 2
    # It is idle a moment after it has answered.
    assert _becomes_idle(works)
    (after,) = works.supervisor.standings()
    assert (after["oldest_waiting_ms"], after["inbox_depth"], after["handled"]) == (0, 0, 4)


def _becomes_idle(works: Company) -> bool:
    deadline = time.monotonic() + BOUND_S
    while works.actor("a").progress() is not None and time.monotonic() < deadline:
        pass
    return works.actor("a").progress() is None
