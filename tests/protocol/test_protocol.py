"""What of each actor's protocol is open to whoever uses the engine, and how it is described."""

from __future__ import annotations

import json
import typing
from typing import Any

import pytest

from actors import messages
from actors.errors import NotFoundError, RefusedError, RequestError
from actors.messages import AwaitInstance, Cancel, EventsDerived, ReadQueues
from actors.model import NOBODY
from actors.protocol import CLOSED, OPEN, message_from, protocol_of

UNIONS = {
    "router": messages.ToRouter,
    "keeper": messages.ToKeeper,
    "scheduler": messages.ToScheduler,
    "agent": messages.ToAgent,
}


@pytest.mark.parametrize("actor", UNIONS)
def test_every_message_of_an_actor_is_either_open_or_closed_to_the_outside(actor: str) -> None:
    assert OPEN[actor] | CLOSED[actor] == set(typing.get_args(UNIONS[actor]))
    assert not OPEN[actor] & CLOSED[actor]


@pytest.mark.parametrize(
    ("actor", "name"),
    [("keeper", "AttemptClosed"), ("scheduler", "AttemptEnded"), ("agent", "ActionEnded"), ("router", "EventsDerived")],
)
def test_what_could_forge_an_outcome_is_unsafe(actor: str, name: str) -> None:
    assert {each["name"]: each["unsafe"] for each in protocol_of(actor)}[name] is True
    with pytest.raises(RefusedError, match=f"^{name} is told by the engine's own parts"):
        message_from(actor, name, {}, may_be_unsafe=False)


@pytest.mark.parametrize("actor", [*UNIONS, "agent_0"])
def test_the_description_is_json_and_every_message_says_what_it_is_for(actor: str) -> None:
    described = protocol_of(actor)

    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert all(each["doc"].endswith((".", ":")) or len(each["doc"]) > 20 for each in described)


def test_a_field_is_described_with_its_type_in_words_and_its_default() -> None:
    (read,) = [each for each in protocol_of("keeper") if each["name"] == "ReadInstances"]
    (publish,) = [each for each in protocol_of("router") if each["name"] == "Publish"]

    status, _, limit = read["fields"]
    assert read["answers"] is True
    assert read["doc"] == "Answer with a tuple of ``InstanceView``, newest first."
    assert status["choices"] == ["running", "completed", "failed", "cancelled", "expired"]
    assert limit == {
        "name": "limit", "type": "a whole number", "required": False, "default": 1000, "choices": [], "fields": [],
    }  # fmt: skip
    (events,) = publish["fields"]
    assert events["type"] == "a list, each an object (Event)"
    assert [field["name"] for field in events["fields"]][:2] == ["type", "entity_id"]


def test_a_message_is_made_from_its_name_and_fields() -> None:
    assert message_from("keeper", "Cancel", {"id": "x"}, may_be_unsafe=False) == Cancel("x")
    assert message_from("scheduler", "ReadQueues", None, may_be_unsafe=False) == ReadQueues(NOBODY)
    assert message_from("keeper", "AwaitInstance", {"id": "x"}, may_be_unsafe=False) == AwaitInstance("x", NOBODY)
    assert message_from("router", "EventsDerived", {"events": []}, may_be_unsafe=True) == EventsDerived(())


@pytest.mark.parametrize(
    ("actor", "name", "fields", "error", "said"),
    [
        ("keeper", "cancel", {}, NotFoundError, "the keeper takes no message 'cancel'; did you mean 'Cancel'?"),
        ("router", "PutEntity", {}, NotFoundError, "the router takes no message 'PutEntity', which is the keeper's"),
        ("keeper", 7, {}, NotFoundError, "the keeper takes no message 7"),
        ("keeper", "Cancel", {"id": "x", "reply": 3}, RequestError, "Cancel: 'reply' says who waits for the answer"),
        ("keeper", "Cancel", "x", RequestError, "Cancel must be an object"),
    ],
)
def test_what_is_no_message_of_the_actors_is_refused_in_a_sentence(
    actor: str, name: Any, fields: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as refusal:
        message_from(actor, name, fields, may_be_unsafe=False)

    assert str(refusal.value).startswith(said)
