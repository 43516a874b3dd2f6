"""Messages as JSON: nothing is lost on the way there and back, and what does not fit is refused in a sentence."""

from __future__ import annotations

import json
import typing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.codec import decode, encode
from actors.conditions import compile
from actors.errors import RequestError
from actors.messages import (
    ActionNoted,
    AttemptEnded,
    Cancel,
    Message,
    Note,
    Publish,
    PutEntity,
    ReadInstances,
    RunWorkflow,
    SetPriority,
    Watch,
    WorkReport,
)
from actors.model import (
    AgentName,
    AttemptId,
    EntityId,
    EntitySeed,
    Event,
    Level,
    Outcome,
    OutcomeKind,
    TaskKey,
    Workflow,
)
from actors.views import ChangeType
from tests.protocol.strategies import JSON, of

MESSAGES: list[type] = sorted(typing.get_args(Message), key=lambda kind: str(kind.__name__))


@pytest.mark.parametrize("kind", MESSAGES, ids=[kind.__name__ for kind in MESSAGES])
def test_every_message_comes_back_from_json_as_it_was(kind: type) -> None:
    @settings(max_examples=20, deadline=None)
    @given(of(kind))
    def there_and_back(message: Any) -> None:
        text = json.dumps(encode(message), allow_nan=False)

        assert decode(kind, json.loads(text)) == message

    there_and_back()


@pytest.mark.parametrize("kind", MESSAGES, ids=[kind.__name__ for kind in MESSAGES])
def test_whatever_json_is_given_for_a_message_it_is_taken_or_refused_in_one_line(kind: type) -> None:
    names = list(typing.get_type_hints(kind))
    keys = st.sampled_from(names) | st.text(max_size=4) if names else st.text(max_size=4)

    @settings(max_examples=20, deadline=None)
    @given(JSON | st.dictionaries(keys, JSON, max_size=4))
    def take(fields: Any) -> None:
        said = ""
        try:
            assert type(decode(kind, fields)) is kind
        except RequestError as error:
            said = str(error)
        assert not said or said.startswith(kind.__name__)
        assert "\n" not in said
        assert len(said) < 1000

    take()


REFUSED: list[tuple[type, Any, str]] = [
    (SetPriority, {"id": "x", "priority": "1"}, "SetPriority: priority must be a whole number, not '1'"),
    (SetPriority, {"id": "x", "priority": True}, "SetPriority: priority must be a whole number, not true"),
    (SetPriority, {"id": "x", "priority": 1.0}, "SetPriority: priority must be a whole number, not 1.0"),
    (SetPriority, {"id": "x", "priority": 2**63}, "SetPriority: priority is a number of more than 63 bits"),
    (SetPriority, {"id": "x"}, "SetPriority needs 'priority', a whole number"),
    (SetPriority, {"id": "x", "prio": 1}, "SetPriority has no field 'prio'; did you mean 'priority'?"),
    (SetPriority, {"zzz": 1}, "SetPriority has no field 'zzz'; it takes id, priority, reply"),
    (SetPriority, ["x", 1], "SetPriority must be an object (SetPriority), not a list of 2"),
    (Cancel, {"id": "\ud800"}, "Cancel: id is text with half a surrogate pair, which has no UTF-8 form"),
    (
        ReadInstances,
        {"status": "runing"},
        "ReadInstances: status must be one of running, completed, failed, cancelled, expired or null, not 'runing'"
        "; did you mean 'running'?",
    ),
    (Publish, {"events": {}}, "Publish: events must be a list, each an object (Event), not an object"),
    (
        Publish,
        {"events": [{"type": "A", "entity_id": "x", "priority": "0"}]},
        "Publish: events[0].priority must be a whole number or null, not '0'",
    ),
    (Publish, {"events": [{"typ": "A"}]}, "Publish: events[0] has no field 'typ'; did you mean 'type'?"),
    (Publish, {"events": [{"type": "A"}]}, "Publish: events[0] needs 'entity_id', text"),
    (PutEntity, {"seed": {"id": "x", "data": {"a": float("inf")}}}, "PutEntity: seed.data ['a'] is inf, which JSON"),
    (RunWorkflow, {"workflow": "w", "entity": "x", "params": [1]}, "RunWorkflow: params must be an object or null"),
    (
        ActionNoted,
        {"attempt": {"task": 1, "number": 1}, "note": {"progress": [0.5]}},
        "ActionNoted: note.progress must be a list of 2: a number, then text, not a list of 1",
    ),
    (
        WorkReport,
        {"agent": "a", "generation": 1, "incarnation": 1, "last": {"type": "AttemptEnd"}},
        "WorkReport: last.type must be one of AttemptEnded, AttemptSuspended, not 'AttemptEnd'"
        "; did you mean 'AttemptEnded'?",
    ),
    (Watch, {"watched": 1}, "Watch: watched must be true or false, not 1"),
]


@pytest.mark.parametrize(("kind", "fields", "said"), REFUSED, ids=[said[:50] for _, _, said in REFUSED])
def test_what_does_not_fit_is_refused_in_a_sentence_that_names_the_field(kind: type, fields: Any, said: str) -> None:
    with pytest.raises(RequestError) as refusal:
        decode(kind, fields)

    assert str(refusal.value).startswith(said)


def test_words_stand_for_enumerations_and_objects_for_attempts() -> None:
    attempt = AttemptId(TaskKey(7), 2)
    note = Note(progress=(0.5, "half"), lines=((Level.WARNING, "late"),))

    assert encode(ActionNoted(attempt, note)) == {
        "attempt": {"task": 7, "number": 2},
        "note": {"checkpoint": None, "progress": [0.5, "half"], "lines": [["warning", "late"]], "lost_lines": 0},
    }
    assert encode(Watch(True, frozenset({ChangeType.TASK_READY, ChangeType.GAP}))) == {
        "watched": True,
        "types": ["gap", "task_ready"],
    }


def test_where_one_of_several_objects_may_stand_its_type_says_which() -> None:
    ended = AttemptEnded(AgentName("a"), 1, AttemptId(TaskKey(7), 2), Outcome(OutcomeKind.LOST))
    report = WorkReport(AgentName("a"), 1, 1, last=ended)

    coded = encode(report)

    assert coded["last"]["type"] == "AttemptEnded"
    assert decode(WorkReport, coded) == report


def test_fields_with_a_default_may_be_left_out() -> None:
    assert decode(PutEntity, {"seed": {"id": "x"}}) == PutEntity(EntitySeed(EntityId("x")))
    assert decode(Publish, {"events": [{"type": "A", "entity_id": "x"}]}) == Publish((Event("A", "x"),))


def test_a_condition_cannot_be_given_and_cannot_be_shown_as_json() -> None:
    fields = {"id": "w", "tasks": [], "dependants": [], "when": "entity.priority == 0"}
    workflow = decode(Workflow, {**fields, "when": None})

    with pytest.raises(RequestError, match="Workflow: when is a Condition, which cannot be given as JSON"):
        decode(Workflow, fields)
    with pytest.raises(RequestError, match="has no JSON form"):
        encode(Workflow(workflow.id, (), (), when=compile("entity.priority == 0")))


def test_deep_and_large_json_is_refused() -> None:
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]

    with pytest.raises(RequestError, match="nested deeper than 100"):
        decode(PutEntity, {"seed": {"id": "x", "data": deep}})
    with pytest.raises(RequestError, match="takes 2,000,002 bytes"):
        decode(PutEntity, {"seed": {"id": "x", "data": "x" * 2_000_000}})
