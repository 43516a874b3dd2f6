"""What follows from messages that crash the keeper each time they are tried.

The conditions here crash as a defect would: with an error that nobody expects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from actors.effects import KEEPER, ROUTER, Send
from actors.logic.attempts import Attempts
from actors.messages import (
    AwaitInstance,
    Bootstrap,
    ForwardedEvent,
    Publish,
    ReadDeadLetters,
    RouterRestarted,
    RouterRestored,
    SchedulerRestarted,
    SchedulerRestored,
)
from actors.model import NOBODY, Delivery, EntityId, EntitySeed, ErrorInfo, Event, Json, Trigger
from tests.logic.crashing import RebuiltWorld, digest
from tests.logic.flows import When, on_data, task, workflow


def crashes_on_bad(entity: Mapping[str, Json], event: Mapping[str, Json] | None) -> bool:
    if entity["data"] == "bad":
        raise ZeroDivisionError("a defect")
    return True


def world_with_a_defect(**settings: Any) -> RebuiltWorld:
    return RebuiltWorld(on_data("quote", when=When(crashes_on_bad, reads_event=True)), agents=3, **settings)


def letters(world: RebuiltWorld) -> list[str]:
    return [f"{letter['entity_id']}: {letter['why']}" for letter in world.ask(KEEPER, ReadDeadLetters())]


def break_on(report: str, patch: pytest.MonkeyPatch) -> None:
    """From now on the keeper crashes on this report."""

    def crash(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    patch.setattr(Attempts, report, crash)


def test_of_several_events_those_that_crash_the_keeper_are_refused_and_the_others_acted_on() -> None:
    world = world_with_a_defect()

    answers = world.answers(
        *[Event("DATA_READY", name, data=data) for name, data in zip("abcd", ["", "bad"] * 2, strict=True)]
    )

    assert [answer.refusal[:12] for answer in answers] == ["", "quarantined:", "", "quarantined:"]
    assert world.running() == ["quote@a", "quote@c"]
    assert [letter[:15] for letter in letters(world)] == ["b: quarantined:", "d: quarantined:"]


def test_of_the_initial_entities_and_events_only_what_crashes_the_keeper_is_left_out() -> None:
    world = world_with_a_defect()
    seeds = tuple(EntitySeed(EntityId(name), data=data) for name, data in zip("abc", ["", "bad", ""], strict=True))
    event = ForwardedEvent(Event("DATA_READY", "d", data="bad"), 2, world.now, ("one",))

    world.tell(KEEPER, Bootstrap(seeds, (event,)))

    assert world.running() == ["quote@a", "quote@c"]
    assert {letter[:15] for letter in letters(world)} == {"b: quarantined:", "d: quarantined:"}
    assert world.entity("b").data == "bad"


def test_a_row_that_crashes_the_keeper_is_not_looked_at_again_until_it_changes() -> None:
    world = RebuiltWorld(workflow("quote", trigger=Trigger.STATE, when=When(crashes_on_bad)), agents=3)
    world.put("a", data="bad")
    world.put("b")

    world.pass_ms(1_000)

    assert world.running() == ["quote@b"]
    assert len(letters(world)) == 1
    world.put("a", data="good")
    world.pass_ms(1_000)
    assert world.running() == ["quote@a", "quote@b"]


def world_where_a_report_crashes(report: str, delivery: Delivery, patch: pytest.MonkeyPatch) -> RebuiltWorld:
    """Of a task's first attempt; the report is as good as any after that."""
    world = RebuiltWorld(workflow("job", task("job", delivery=delivery)), agents=1)
    with patch.context() as broken:
        if report == "assigned":
            break_on(report, broken)
        world.run("job", "a")
        break_on(report, broken)
        if report == "closed":
            world.end("job@a")
        elif report == "noted":
            world.checkpoint("job@a", 1)
    return world


@pytest.mark.parametrize("report", ["assigned", "closed", "noted"])
def test_a_report_that_crashes_the_keeper_fails_its_task_as_poison_and_holds_no_agent(
    report: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_where_a_report_crashes(report, Delivery.AT_LEAST_ONCE, monkeypatch)

    (shown,) = world.instance("a").tasks
    assert (str(shown.status), shown.error.type if shown.error else "") == ("failed", "Poison")
    assert world.running() == []
    world.run("job", "b")
    assert world.running() == ["job@b"]


@pytest.mark.parametrize("report", ["closed", "noted"])
def test_what_may_not_run_twice_is_unknown_when_its_report_crashes_the_keeper(
    report: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_where_a_report_crashes(report, Delivery.AT_MOST_ONCE, monkeypatch)

    assert str(world.task("job@a").status) == "unknown"
    world.resolve("job@a", "completed")
    world.run("job", "b")
    assert world.running() == ["job@b"]


def test_what_was_never_released_has_not_begun_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_where_a_report_crashes("assigned", Delivery.AT_MOST_ONCE, monkeypatch)

    assert str(world.task("job@a").status) == "failed"
    assert world.told.started == []


def test_who_waited_before_a_crash_is_answered_once_after_it() -> None:
    world = world_with_a_defect()
    world.publish("a")
    waits = world.promise(KEEPER, AwaitInstance(world.instance("a").id, NOBODY))
    world.settle()

    world.promise(ROUTER, Publish((Event("DATA_READY", "b", data="bad"),)))
    world.settle()
    assert not waits.kept
    world.end("quote@a")

    assert waits.kept


def test_nothing_is_undone_of_a_batch_that_is_over() -> None:
    world = world_with_a_defect()
    world.publish("a")
    before = digest(world.keeping.state)

    world.keeping.state.roll_back()

    assert digest(world.keeping.state) == before


@pytest.mark.parametrize(
    ("question", "answer"), [(SchedulerRestarted, SchedulerRestored), (RouterRestarted, RouterRestored)]
)
def test_a_rebuilt_neighbour_is_answered_even_if_its_question_crashed_the_keeper(
    question: type[Any], answer: type[Any]
) -> None:
    world = RebuiltWorld(on_data("quote"), agents=1)

    effects = world.keeping.quarantined(question(3), ErrorInfo("ZeroDivisionError", "a defect"), world.now)

    assert [e.message.generation for e in effects if isinstance(e, Send) and isinstance(e.message, answer)] == [3]
