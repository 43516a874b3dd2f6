"""A logic that crashes: replaced in its actor, nothing lost, nothing done twice, nobody left waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pykka
import pytest

from actors.errors import EngineError
from actors.messages import AwaitIdle, ReadStats
from actors.seat import QUARANTINED, Intensity
from tests.actors.conftest import BOUND_S, FAILURES, Add, Company, Enter

Start = Callable[..., Company]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("at", [Add(2), "settle"])
def test_a_crash_loses_nothing_of_its_batch_and_does_nothing_twice(
    company: Start, failure: type[BaseException], at: object
) -> None:
    works = company("a")
    works.plans["a"].crash[at] = [failure]

    works.tell_together("a", Add(1), Add(2), Add(3))

    assert works.book("a") == [1, 2, 3]
    assert works.seats["a"].restarts == 1
    assert works.failures == []


@pytest.mark.parametrize("failure", FAILURES)
def test_a_crash_is_repaired_within_a_second_in_the_same_thread(company: Start, failure: type[BaseException]) -> None:
    works = company("a")
    thread = works.actor("a").thread
    works.plans["a"].crash[Add(1)] = [failure]
    began = time.monotonic()

    works.tell("a", Add(1))

    assert works.book("a") == [1]
    assert time.monotonic() - began < 1.0
    assert works.actor("a").thread is thread
    assert works.ask("a") == 1, "the logic is of the next generation"


@pytest.mark.parametrize("failure", FAILURES)
def test_a_message_that_crashes_twice_is_set_apart_and_those_around_it_are_dealt_with(
    company: Start, failure: type[BaseException]
) -> None:
    works = company("a")
    works.plans["a"].crash[Add(2)] = [failure] * 9

    works.tell_together("a", Add(1), Add(2), Add(3))

    assert works.book("a") == [1, -2, 3], "-2 is what the logic makes of its quarantine"
    kept = works.supervisor.stats()["quarantined"]
    assert [(one["actor"], one["message"]) for one in kept] == [("a", "Add(number=2)")]
    assert failure.__name__ in kept[0]["error"]
    assert "planned at" in kept[0]["traceback"]
    assert len(works.plans["a"].crash[Add(2)]) == 7, "it was tried twice"


def test_who_waits_for_an_answer_that_crashes_its_logic_is_told(company: Start) -> None:
    works = company("a")
    number, answer = works.desk.open()
    works.plans["a"].crash[ReadStats(number)] = [ValueError] * 2

    works.tell("a", ReadStats(number))

    assert isinstance(answer.get(timeout=BOUND_S), EngineError)
    assert isinstance(works.ask("a"), int)


def test_where_even_the_quarantine_crashes_the_logic_goes_on_without_the_message(company: Start) -> None:
    works = company("a")
    works.plans["a"].crash = {Add(2): [ValueError] * 9, "quarantined": [ValueError] * 9}

    works.tell_together("a", Add(1), Add(2), Add(3))

    assert works.book("a") == [1, 3]
    assert works.supervisor.stats()["quarantines"] == 1


def test_the_quarantine_keeps_the_newest_and_counts_all(company: Start) -> None:
    works = company("a")
    for number in range(1, QUARANTINED + 3):
        works.plans["a"].crash[Add(number)] = [ValueError] * 2
        works.tell("a", Add(number))

    works.book("a")

    stats = works.supervisor.stats()
    assert stats["quarantines"] == QUARANTINED + 2
    assert [kept["message"] for kept in stats["quarantined"]][:1] == ["Add(number=3)"]


def test_an_ask_that_was_taken_in_before_the_crash_is_fed_again(company: Start) -> None:
    works = company("a")
    number, answer = works.desk.open()
    works.tell("a", AwaitIdle(number))
    works.ask("a")
    works.plans["a"].crash[Add(5)] = [ValueError]

    works.tell("a", Add(5), Add(0))

    assert answer.get(timeout=BOUND_S) == 1
    assert len(works.seats["a"].asks) == 0


def test_an_ask_of_a_caller_who_gave_up_is_not_fed_again(company: Start) -> None:
    works = company("a")
    number, _ = works.desk.open()
    works.tell("a", AwaitIdle(number))
    works.ask("a")
    works.desk.forget(number)

    assert works.seats["a"].asks.all() == []


def test_an_open_ask_that_crashes_every_logic_is_answered_with_an_error(company: Start) -> None:
    works = company("a")
    number, answer = works.desk.open()
    works.tell("a", AwaitIdle(number))
    works.ask("a")
    works.plans["a"].crash = {Add(5): [ValueError], AwaitIdle(number): [ValueError] * 9}

    works.tell("a", Add(5))

    assert isinstance(answer.get(timeout=BOUND_S), EngineError)
    assert works.book("a") == [5]


def test_an_effect_that_fails_is_tried_again_and_those_after_it_are_performed(company: Start) -> None:
    works = company("a")
    works.effect_plans["a"].crash = {Enter(1): [MemoryError], Enter(2): [SystemExit] * 2}

    works.tell_together("a", Add(1), Add(2), Add(3))

    assert works.book("a") == [1, 3], "once for 1, given up for 2"
    assert works.seats["a"].restarts == 0


def test_a_logic_whose_beginning_crashes_is_made_again(company: Start) -> None:
    works = company("a")
    works.plans["a"].crash = {Add(1): [ValueError], "begin": [SystemExit, KeyboardInterrupt]}

    works.tell("a", Add(1))

    assert works.book("a") == [1]
    assert works.seats["a"].restarts == 3


def test_too_many_crashes_in_too_short_a_time_fail_the_engine_and_answer_everybody(company: Start) -> None:
    works = company("a", "b", intensity=Intensity(3, 60.0))
    works.plans["a"].crash["begin"] = [ValueError] * 9
    works.plans["a"].crash[Add(1)] = [ValueError]

    works.tell("a", Add(1))

    assert isinstance(works.ask("a"), EngineError)
    assert [name for name, _ in works.failures] == ["a"]
    assert "planned at begin" in works.failures[0][1]
    assert works.seats["a"].restarts == 3
    works.tell("b", Add(7))
    works.stop()
    assert works.books["b"] == [], "nobody decides anything any more"
    assert works.seats["b"].inbox.account() == {"processed": 0, "refused": 0, "dead": 1, "waiting": 0}


def test_crashes_that_are_far_apart_are_not_too_many(company: Start) -> None:
    works = company("a", intensity=Intensity(3, 0.0))
    for number in range(1, 8):
        works.plans["a"].crash[Add(number)] = [ValueError]
        works.tell("a", Add(number))

    assert works.book("a") == list(range(1, 8))
    assert works.failures == []


def test_500_restarts_leave_no_thread_and_no_actor(company: Start) -> None:
    works = company("a")
    before = threading.active_count(), len(pykka.ActorRegistry.get_all())
    for number in range(1, 501):
        works.plans["a"].crash[Add(number)] = [FAILURES[number % len(FAILURES)]]
        works.tell("a", Add(number))

    assert works.book("a") == list(range(1, 501))
    assert works.seats["a"].restarts >= 500
    assert (threading.active_count(), len(pykka.ActorRegistry.get_all())) == before
