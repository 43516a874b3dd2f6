"""Dead letters: each has a number, a kind and a reason; a person has its event acted on again, or drops it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from actors.effects import KEEPER
from actors.errors import NotFoundError, RefusedError
from actors.messages import DropDeadLetter, EventBatch, ForwardedEvent, ReadDeadLetters, RetryDeadLetter
from actors.model import Coalesce, ErrorInfo, Event, OnUnknownEntity
from actors.views import Receipt
from tests.logic.crashing import RebuiltWorld
from tests.logic.worlds import World, on_data


def letters(world: World) -> tuple[Mapping[str, Any], ...]:
    shown: tuple[Mapping[str, Any], ...] = world.ask(KEEPER, ReadDeadLetters())
    return shown


def retry(world: World, number: int) -> Receipt:
    receipt: Receipt = world.ask(KEEPER, RetryDeadLetter(number))
    return receipt


def picky(**settings: Any) -> World:
    """A world that knows no entity, and refuses what comes for others."""
    return World(on_data("quotes"), on_unknown_entity=OnUnknownEntity.REJECT, **settings)


def test_a_letter_says_what_it_was_when_and_why() -> None:
    world = picky()
    world.pass_ms(1500)
    world.refusal(Event("DATA_READY", "a", 3, {"price": 1}, 17.0, 60_000, "mine"))

    (letter,) = letters(world)

    event = {
        "id": "mine", "type": "DATA_READY", "entity_id": "a", "priority": 3, "data": {"price": 1},
        "timestamp": 17.0, "valid_for_ms": 60_000,
    }  # fmt: skip
    assert (letter["id"], letter["kind"], letter["retryable"], letter["event"]) == (1, "rejected", True, event)
    assert letter["at"] == 1_630_000_001.5
    assert "put it first" in letter["why"]


def test_letters_keep_their_numbers_when_others_go() -> None:
    world = picky(max_dead_letters=3)
    for number in range(4):
        world.refusal(Event("DATA_READY", f"e{number}"))
    world.ask(KEEPER, DropDeadLetter(3))

    assert [(one["id"], one["entity_id"]) for one in letters(world)] == [(2, "e1"), (4, "e3")]
    world.refusal(Event("DATA_READY", "e4"))
    assert [one["id"] for one in letters(world)] == [2, 4, 5]


def test_a_retried_letter_is_acted_on_as_a_new_event_and_goes() -> None:
    world = picky()
    world.refusal(Event("DATA_READY", "a", 0, {"price": 1}, id="mine"))
    world.put("a", phase="closed")

    receipt = retry(world, 1)

    assert letters(world) == ()
    assert receipt.event_id == "store-letter-1"
    (one,) = world.instances("a")
    assert receipt.instances == (one.id,)
    assert one.event == Event("DATA_READY", "a", 0, {"price": 1}, id="store-letter-1")
    assert world.entity("a").data == {"price": 1}


def test_a_letter_that_is_refused_again_stays_the_letter_that_it_was() -> None:
    world = picky()
    world.refusal(Event("DATA_READY", "a", id="mine"))
    before = letters(world)[0]
    world.pass_ms(1000)

    with pytest.raises(RefusedError, match="put it first"):
        retry(world, 1)

    (letter,) = letters(world)
    assert letter == {**before, "at": before["at"] + 1}
    assert world.stats(KEEPER)["events"]["rejected"] == 2
    assert world.stats(KEEPER)["events"]["dead_letters"] == 1


def test_a_letter_of_a_full_line_is_taken_when_there_is_room() -> None:
    world = World(on_data("each", coalesce=Coalesce.ALL), agents=1, max_lined_up=1)
    for number in range(3):
        world.answers(Event("DATA_READY", "a", data=number))
    with pytest.raises(RefusedError, match="1 events of a wait for each already"):
        retry(world, 1)
    world.end("each@a")

    retry(world, 1)
    world.finish_all()

    assert [one.event.data for one in world.instances("a") if one.event is not None] == [0, 1, 2]


def test_the_time_for_which_an_event_is_valid_begins_anew_with_its_retry() -> None:
    world = picky()
    world.refusal(Event("DATA_READY", "a", valid_for_ms=50))
    world.put("a", phase="closed")
    world.pass_ms(1000)

    retry(world, 1)

    assert world.running() == ["quotes@a"]


def test_a_letter_can_be_retried_once_and_dropped_once() -> None:
    world = picky()
    world.refusal(Event("DATA_READY", "a"))
    world.refusal(Event("DATA_READY", "b"))
    world.put("a", phase="closed")
    retry(world, 1)
    world.ask(KEEPER, DropDeadLetter(2))

    for message in (RetryDeadLetter(1), DropDeadLetter(2), RetryDeadLetter(99)):
        with pytest.raises(NotFoundError, match=f"no dead letter {message.number} "):
            world.ask(KEEPER, message)


def test_what_crashed_the_engine_is_kept_and_is_not_acted_on_again() -> None:
    world = RebuiltWorld(on_data("quotes"))
    forwarded = ForwardedEvent(Event("DATA_READY", "a", id="bad"), 2, world.now, ("bad",))
    world.keeping.state.in_hand = forwarded
    world.keeping.quarantined(EventBatch(1, (forwarded,)), ErrorInfo("Boom", "again"), world.now)

    (letter,) = letters(world)
    assert (letter["kind"], letter["retryable"]) == ("quarantined", False)
    with pytest.raises(RefusedError, match="Boom: again; it would be so again"):
        retry(world, 1)
    world.ask(KEEPER, DropDeadLetter(1))
    assert letters(world) == ()


def test_subscribers_are_told_the_letters_number() -> None:
    world = picky()
    world.refusal(Event("DATA_READY", "a", id="mine"))

    (change,) = [change for change in world.changes if change.type == "event_rejected"]

    assert (change.detail["event"], change.detail["letter"]) == ("mine", 1)
