"""Starting by handshake, stopping in reverse, and an actor that hangs or whose thread is gone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pykka
import pytest

from actors.errors import EngineError, EngineFailed
from actors.messages import AwaitIdle, TasksReady
from actors.model import AttemptId, TaskKey
from actors.seat import Intensity
from actors.supervisor import Bounds
from tests.actors.conftest import BOUND_S, Add, Company, Enter

Start = Callable[..., Company]
SECOND = 1_000_000_000


class Watched:
    """A company whose watchdog looks when the test says so, at instants that the test names."""

    def __init__(self, works: Company) -> None:
        self.works = works
        self.now = works.clock.now()

    def look(self, seconds: float = 0.2, times: int = 1) -> None:
        for _ in range(times):
            self.now += int(seconds * SECOND)
            self.works.supervisor.look(self.now)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hangs waits for it; it opens at the end."""
    opened = threading.Event()
    yield opened
    opened.set()


def hang(works: Company, name: str, work: object, gate: threading.Event) -> None:
    """Have the actor hang at this message."""
    works.plans[name].hang[work] = gate
    works.tell(name, work)
    assert works.plans[name].hanging.wait(BOUND_S)


# --- starting and stopping -----------------------------------------------------------------------


def test_an_actor_that_does_not_come_up_is_an_error_that_names_it_and_the_others_are_stopped() -> None:
    works = Company("a", "b", "c")
    works.plans["b"].crash["begin"] = [SystemExit]

    with pytest.raises(EngineFailed, match=r"the b did not come up: SystemExit\('planned at begin'\)"):
        works.start()

    assert works.stop() == []
    assert works.failures == [], "that it did not start is told by start alone"


def test_an_actor_that_hangs_in_its_beginning_is_an_error_within_the_bound(gate: threading.Event) -> None:
    works = Company("a", "b", bounds=Bounds(start_s=0.05, join_s=0.05))
    works.plans["b"].hang["begin"] = gate

    with pytest.raises(EngineFailed, match=r"the b did not come up within 0.05 s"):
        works.start()

    assert works.stop() == ["b"]


def test_the_later_are_stopped_first(company: Start) -> None:
    works = company("a", "b", "c")
    ended: list[str] = []
    for name in works.seats:
        actor = works.actor(name)
        actor.on_stop = partial(ended.append, name)  # type: ignore[method-assign]

    works.stop()

    assert ended == ["c", "b", "a"]


def test_who_does_not_end_in_time_is_named_and_does_nothing_any_more(company: Start, gate: threading.Event) -> None:
    works = company("a", "b", bounds=Bounds(look_s=60.0, join_s=0.05))
    hang(works, "b", Add(1), gate)
    works.tell("b", Add(2))
    late = works.actor("b")

    assert works.stop() == ["b"]

    gate.set()
    assert late.gone(BOUND_S)
    assert works.books["b"] == []
    assert works.seats["b"].inbox.account() == {"processed": 0, "refused": 0, "dead": 2, "waiting": 0}


def test_the_users_own_actors_are_never_touched(company: Start) -> None:
    class Users(pykka.ThreadingActor):
        use_daemon_thread = True

        def on_receive(self, message: object) -> object:
            return message

    users = Users.start()
    try:
        works = company("a", "b", intensity=Intensity(3, 60.0))
        for failure in (SystemExit, KeyboardInterrupt, SystemExit):
            works.plans["a"].crash[Add(1)] = [failure]
            works.tell("a", Add(1))
        works.ask("a")
        works.stop()

        assert users.ask("still there", timeout=BOUND_S) == "still there"
    finally:
        users.stop()


# --- hanging -------------------------------------------------------------------------------------


def test_one_that_hangs_is_noticed_within_two_seconds_and_replaced(
    company: Start, gate: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    works = company("a")
    watched = Watched(works)
    hang(works, "a", Add(1), gate)
    works.tell("a", Add(2))
    old = works.actor("a")

    watched.look(times=10)

    assert works.actor("a") is not old
    assert works.book("a") == [1, 2], "it was tried once more, by a fresh logic in a new thread"
    assert "test_supervisor.py" in caplog.text, "the stacks say where it hung"
    gate.set()
    assert old.gone(BOUND_S)
    works.tell("a", Add(3))
    assert works.book("a") == [1, 2, 3], "the old one has neither done nor taken anything since"


def test_one_that_was_replaced_and_still_hangs_is_named_when_the_engine_stops(
    company: Start, gate: threading.Event
) -> None:
    works = company("a")
    hang(works, "a", Add(1), gate)
    old = works.actor("a")
    Watched(works).look(times=10)
    assert works.book("a") == [1]

    assert works.stop() == ["a"]

    gate.set()
    assert old.gone(BOUND_S)


def test_one_that_comes_back_while_it_is_being_replaced_takes_nothing_more(
    company: Start, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = company("a")
    old = works.actor("a")
    hang(works, "a", Add(1), gate)
    unregister = pykka.ActorRegistry.unregister

    def come_back_just_now(ref: pykka.ActorRef[Any]) -> None:
        gate.set()
        assert old.gone(BOUND_S), "it waits for messages that are not its own any more"
        unregister(ref)

    monkeypatch.setattr(pykka.ActorRegistry, "unregister", come_back_just_now)
    Watched(works).look(times=10)
    monkeypatch.undo()

    assert works.book("a") == [1]


def test_one_that_hangs_at_the_same_message_again_has_it_set_apart(company: Start, gate: threading.Event) -> None:
    works = company("a")
    watched = Watched(works)
    hang(works, "a", Add(1), gate)
    works.plans["a"].hanging.clear()
    works.plans["a"].hang[Add(1)] = gate

    watched.look(times=10)
    assert works.plans["a"].hanging.wait(BOUND_S)
    watched.look(times=10)

    assert works.book("a") == [-1]
    assert "Hung" in works.supervisor.stats()["quarantined"][0]["error"]


def test_one_that_hangs_in_an_effect_has_the_others_performed_once(company: Start, gate: threading.Event) -> None:
    works = company("a")
    watched = Watched(works)
    plan = works.effect_plans["a"]
    plan.hang[Enter(2)] = gate
    works.tell_together("a", Add(1), Add(2), Add(3))
    assert plan.hanging.wait(BOUND_S)
    old = works.actor("a")

    watched.look(times=10)

    assert works.book("a") == [1, 3]
    gate.set()
    assert old.gone(BOUND_S)
    assert works.book("a") == [1, 3, 2], "what it was at is all that it finishes"


def test_an_ask_is_answered_though_the_actor_that_took_it_hangs(company: Start, gate: threading.Event) -> None:
    works = company("a")
    number, answer = works.desk.open()
    works.tell("a", AwaitIdle(number))
    works.ask("a")
    hang(works, "a", Add(1), gate)

    Watched(works).look(times=10)
    works.tell("a", Add(0))

    assert answer.get(timeout=BOUND_S) == 1


def test_one_that_is_slow_but_goes_on_does_not_hang(company: Start) -> None:
    works = company("a")
    watched = Watched(works)
    gates = [threading.Event() for _ in range(5)]
    old = works.actor("a")
    for number, each in enumerate(gates):
        works.plans["a"].hang[Add(number)] = each
    works.tell("a", *[Add(number) for number in range(5)])
    for each in gates:
        assert works.plans["a"].hanging.wait(BOUND_S)
        works.plans["a"].hanging.clear()
        watched.look(times=6)
        each.set()

    assert works.book("a") == [0, 1, 2, 3, 4]
    assert works.actor("a") is old


def test_what_has_much_in_hand_may_take_longer(company: Start, gate: threading.Event) -> None:
    works = company("a")
    watched = Watched(works)
    old = works.actor("a")
    heavy = TasksReady((), tuple(AttemptId(TaskKey(number), 1) for number in range(50_000)))
    hang(works, "a", heavy, gate)

    watched.look(times=50)
    assert works.actor("a") is old

    watched.look(times=10)
    assert works.actor("a") is not old


def test_a_watchdog_that_woke_late_starts_over(company: Start, gate: threading.Event) -> None:
    works = company("a")
    watched = Watched(works)
    hang(works, "a", Add(1), gate)
    old = works.actor("a")
    watched.look(times=4)

    watched.look(seconds=100.0)
    watched.look(times=4)
    assert works.actor("a") is old

    watched.look(times=6)
    assert works.actor("a") is not old


def test_one_that_may_not_be_replaced_fails_the_engine_and_does_nothing_when_it_comes_back(
    company: Start, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = company("a")
    old = works.actor("a")
    monkeypatch.setattr(type(old), "replaceable", False)
    hang(works, "a", Add(1), gate)
    number, answer = works.desk.open()
    works.tell("a", AwaitIdle(number))

    Watched(works).look(times=10)

    assert [name for name, _ in works.failures] == ["a"]
    assert isinstance(answer.get(timeout=BOUND_S), EngineError)
    gate.set()
    assert old.gone(BOUND_S)
    assert works.books["a"] == []
    assert works.seats["a"].inbox.account() == {"processed": 0, "refused": 0, "dead": 2, "waiting": 0}


def test_hanging_counts_as_crashing(company: Start, gate: threading.Event) -> None:
    works = company("a", intensity=Intensity(2, 60.0))
    works.plans["a"].crash[Add(7)] = [ValueError]
    works.tell("a", Add(7))
    works.ask("a")
    hang(works, "a", Add(1), gate)

    Watched(works).look(times=10)

    assert works.actor("a").up.wait(BOUND_S)
    assert [name for name, _ in works.failures] == ["a"]


# --- a thread that is gone -----------------------------------------------------------------------


def test_one_that_a_stranger_stopped_is_replaced_and_loses_nothing(company: Start) -> None:
    works = company("a")
    old = works.actor("a")
    old.actor_ref.stop()
    assert old.gone(BOUND_S)
    works.tell("a", Add(1), Add(2))

    Watched(works).look()

    assert works.actor("a") is not old
    assert works.book("a") == [1, 2]


def test_one_whose_thread_died_over_a_batch_leaves_it_to_the_next(
    company: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = company("a")
    old = works.actor("a")

    def die(*_: object) -> None:
        raise SystemExit  # As where no handler of ours would catch it.

    monkeypatch.setattr("actors.actor.feed_again", die)
    monkeypatch.setattr(old, "_give_up", die)
    monkeypatch.setattr(old, "_stop", die)
    works.plans["a"].crash[Add(2)] = [ValueError]
    works.tell_together("a", Add(1), Add(2), Add(3))
    assert old.gone(BOUND_S)
    monkeypatch.undo()

    Watched(works).look()

    assert works.book("a") == [1, 2, 3]


def test_the_watchdog_looks_by_itself(company: Start, gate: threading.Event, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="actors")
    works = company("a", bounds=Bounds(look_s=0.01, hang_s=0.05))
    hang(works, "a", Add(1), gate)

    assert works.book("a") == [1]
