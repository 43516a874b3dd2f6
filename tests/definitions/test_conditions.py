"""Conditions: what they say, what they may not say, and what they cost."""

from __future__ import annotations

import contextlib
import threading
import time
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.conditions import MAX_WALKED, compile
from actors.errors import ConditionError, DefinitionError
from actors.logic.entities import entity_fields, event_fields
from actors.model import Entity, EntityId, EntityStatus, Event
from actors.reading.cel_text import ENTITY_FIELDS, EVENT_FIELDS, MAX_TEXT

ENTITY: dict[str, Any] = {
    "id": "000001",
    "name": "平安银行",
    "phase": "data_ready",
    "status": "pending",
    "priority": 0,
    "last_processed": None,
    "data": {"price": 10.9, "lots": 3, "side": "B", "ticks": [1, 2, 3], "all": 1},
}
EVENT: dict[str, Any] = {
    "id": "e1",
    "type": "DATA_READY",
    "entity_id": "000001",
    "priority": 1,
    "timestamp": 1.5,
    "data": {"price": 11.0},
}


def refused(text: str) -> list[str]:
    """The faults of a text, each with its line and column."""
    with pytest.raises(DefinitionError) as caught:
        compile(text)
    return [f"{fault.line}:{fault.column}: {fault.message}" for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("entity.priority <= 0", True),
        ("entity.priority > 0", False),
        ("entity.id == '000001' && entity.status == 'pending'", True),
        ("entity.data.price > 10", True),
        ("entity.data.lots * 2 == 6 || false", True),
        ("has(entity.data.volume)", False),
        ("entity.data.ticks.exists(t, t > 2)", True),
        ("entity.data.ticks.all(t, t > 2)", False),
        ("entity.data.ticks.exists_one(t, t == 2) && 2 in entity.data.ticks", True),
        ("entity.data.all == 1", True),
        ("entity.id.matches('^0{5}[0-9]$')", True),
        ("entity.id.startsWith('00') && entity.id.size() == 6", True),
        ("entity['data']['side'] == \"B\" // a comment: unknown.names(here)", True),
        ("entity.last_processed == null", True),
        ("event == null || event.data.price > 10.0", True),
        ("event.type == 'DATA_READY' && event.priority == 1", True),
        ("timestamp('2024-01-02T09:30:00Z').getFullYear() == 2024", True),
        ("r'exists(x, y)' == entity.id", False),
        ("type(entity.id) == string", True),
        ("true", True),
    ],
)
def test_a_condition_is_true_or_false_of_an_entity_and_an_event(text: str, holds: bool) -> None:
    assert compile(text)(ENTITY, EVENT) is holds


def test_the_event_is_null_when_the_table_starts_the_workflow() -> None:
    assert compile("event == null")(ENTITY, None) is True
    with pytest.raises(ConditionError, match="event is null when the state table starts a workflow"):
        compile("event.data.price > 10.0")(ENTITY, None)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("entity.priority <= 0", False),
        ("event != null", True),
        ("entity.id == 'event'", False),
        ("has(event.data)", True),
    ],
)
def test_a_condition_knows_whether_it_reads_the_event(text: str, reads: bool) -> None:
    assert compile(text).reads_event is reads


def test_the_fields_that_may_be_named_are_those_the_keeper_gives() -> None:
    assert set(entity_fields(Entity(EntityId("000001")))) == set(ENTITY_FIELDS) == set(ENTITY)
    assert set(event_fields(Event("DATA_READY", "000001"))) == set(EVENT_FIELDS) == set(EVENT)


def test_statuses_of_the_model_are_text() -> None:
    class Odd(StrEnum):
        WORD = "pending"

    condition = compile("entity.status == 'pending'")

    assert condition({**ENTITY, "status": EntityStatus.PENDING}, None)
    assert condition({**ENTITY, "status": Odd.WORD}, None)


def test_conditions_of_the_same_text_are_equal_and_show_it() -> None:
    one, other = compile("entity.priority <= 0"), compile("entity.priority <= 0")

    assert one == other
    assert hash(one) == hash(other)
    assert one != compile("entity.priority < 0")
    assert one.text == "entity.priority <= 0"
    assert "entity.priority <= 0" in repr(one)


def test_a_condition_may_be_evaluated_on_another_thread() -> None:
    condition = compile("entity.priority <= 0")
    results: list[bool] = []

    thread = threading.Thread(target=lambda: results.append(condition(ENTITY, None)))
    thread.start()
    thread.join(5)

    assert results == [True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("entity.data.volume > 1", "cannot be evaluated: there is no key 'volume'; has(…) asks for it"),
        ("entity.data.side > 1", "cannot be evaluated: No such overload"),
        ("entity.data.price * 2 > 1.0", "cannot be evaluated: Unsupported operation: float * int"),
        ("1 / (entity.priority) == 1", "cannot be evaluated: "),
        ("entity.data.ticks[7] == 1", "cannot be evaluated: "),
        ("entity.id.matches('(')", "cannot be evaluated: "),
        ("int(entity.data.side) == 1", "cannot be evaluated: "),
        ("entity.priority", "gave a number, not true or false"),
        ("entity.data.side", "gave str, not true or false"),
        ("entity.data", "gave dict, not true or false"),
        ("entity.last_processed", "gave NoneType, not true or false"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error_that_names_the_condition(text: str, said: str) -> None:
    with pytest.raises(ConditionError) as caught:
        compile(text)(ENTITY, None)

    assert str(caught.value).startswith(f"when '{text}' {said}")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1: not a condition in CEL: at character 1: the expression ends too early"),
        ("entity.priority <=", "1:19: not a condition in CEL: at character 19: the expression ends too early"),
        ("entity.priority <=\n  0 && && x", "2:8: not a condition in CEL: at character 8: '&&' is not expected here"),
        ("entity.priority = 0", "1:17: not a condition in CEL: at character 17: '= ' is not expected here"),
        ("entity.id == 'x", "1:14: not a condition in CEL: at character 14: ''x' is not expected here"),
        ("(" * 200 + "true" + ")" * 200, "1:97: not a condition in CEL: at character 97: nested too deeply"),
        ("entty.priority == 0", "1:1: no variable 'entty'; did you mean 'entity'? (at character 1)"),
        ("priority == 0", "1:1: no variable 'priority'; there are entity and event (at character 1)"),
        ("entity.prio == 0", "1:8: no field of entity 'prio'; did you mean 'priority'? (at character 8)"),
        ("event.entityid == ''", "1:7: no field of event 'entityid'; did you mean 'entity_id'? (at character 7)"),
        ("entity.id.startWith('0')", "1:11: no function 'startWith'; did you mean 'startsWith'? (at character 11)"),
        ("siz(entity.id) == 1", "1:1: no function 'siz'; did you mean 'size'? (at character 1)"),
        ("true ||\n entity.prio == 0", "2:9: no field of entity 'prio'; did you mean 'priority'? (at character 9)"),
        ("[1].map(x, x) == [1]", "1:5: 'map' is not available in conditions; use exists, all or exists_one"),
        ("[1].exists(event, true)", "1:12: 'event' has a meaning already; call the item otherwise"),
        ("[1].exists(x, [2].all(y, y > x))", "1:19: 'all' inside another of its kind is not available in conditions"),
        ("[[1].exists(x, x > 0)].exists(y, y) && x", "1:40: no variable 'x'; there are entity and event"),
        ("entity.id.matches(entity.name)", "1:19: a pattern must be one text in quotes"),
        ("entity.id.matches('a' + 'b')", "1:19: a pattern must be one text in quotes"),
        ("entity.id.matches('(a{30}){30}')", "1:19: the pattern's counts multiply to more than 100"),
        (r"entity.id.matches('a\x7b1000}')", "1:19: the pattern's counts multiply to more than 100"),
        (
            "[''].exists(x, x.matches('a'))",
            "1:18: 'matches' for every item is not available in conditions; use startsWith",
        ),
        ("||".join(["entity.id.matches('a')"] * 5), "1:107: more than 4 patterns in one condition"),
        (f"entity.id.matches('{'a' * 201}')", "1:19: a pattern may have 200 characters"),
        ("+".join(["entity.id"] * 18) + " == ''", "1:170: more than 16 sums in one condition"),
        ("x" * (MAX_TEXT + 1), f"1:1: a condition may have {MAX_TEXT} characters"),
    ],
)
def test_what_a_condition_may_not_say_is_said_with_its_place(text: str, said: str) -> None:
    assert any(fault.startswith(said) for fault in refused(text)), refused(text)


def test_all_names_that_mean_nothing_are_found_at_once() -> None:
    assert [fault.partition(": ")[0] for fault in refused("entity.prio > 0 && evnt.priority > foo(1)")] == [
        "1:8",
        "1:20",
        "1:36",
    ]


def test_a_condition_that_walks_lists_refuses_more_data_than_it_may_walk() -> None:
    condition = compile("entity.data.exists(x, x == 'z')")

    assert condition({**ENTITY, "data": ["a"] * (MAX_WALKED // 2)}, None) is False
    for data in (["a"] * (MAX_WALKED // 2 + 1), ["a" * MAX_WALKED], [["a"] * 100] * 50):
        with pytest.raises(ConditionError, match="walks lists, and the data has more than 2500 values and characters"):
            condition({**ENTITY, "data": data}, None)
    assert compile("entity.data.size() == 20001")({**ENTITY, "data": ["a"] * 20_001}, None) is True


def test_the_more_a_condition_says_of_each_item_the_less_data_it_may_walk() -> None:
    condition = compile("entity.data.exists(x, " + " || ".join(["x == 1"] * 90) + ")")

    assert condition({**ENTITY, "data": [0] * 108}, None) is False
    with pytest.raises(ConditionError, match="the data has more than 108 values and characters"):
        condition({**ENTITY, "data": [0] * 109}, None)


def test_a_condition_with_patterns_refuses_texts_longer_than_it_may_match() -> None:
    condition = compile("entity.data.matches('b$')")

    assert condition({**ENTITY, "data": "a" * 100_000}, None) is False
    with pytest.raises(ConditionError, match="the data a text of more than 100000 characters"):
        condition({**ENTITY, "data": "a" * 100_001}, None)


@pytest.mark.parametrize("levels", [200, 20_000, 200_000])
def test_data_nested_deeper_than_the_library_can_bear_is_refused(levels: int) -> None:
    data: Any = 1
    for _ in range(levels):
        data = [data]

    with pytest.raises(ConditionError, match="nested more than 100 levels deep"):
        compile("entity.data != null")({**ENTITY, "data": data}, None)
    # Taken apart step by step: Python itself would recurse to free it.
    while isinstance(data, list):
        data = data.pop()


@pytest.mark.parametrize("value", [2**70, float("nan"), "\ud800", b"x", object(), {1: 2}, {None: 1}])
def test_data_that_is_not_json_never_raises_anything_else(value: Any) -> None:
    with contextlib.suppress(ConditionError):
        assert compile("entity.data == 1")({**ENTITY, "data": value}, None) is False


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("entity.data.matches('" + "(a?){9}" * 2 + "a*b$')", "a" * 100_000),
        (r" || ".join([r"entity.data.matches(r'(\w{10}){10}$')"] * 4), "a" * 100_000),
        ("entity.data.matches('" + "(" * 60 + "a" + ")*" * 60 + "b')", "a" * 100_000),
        ("+".join(["entity.data"] * 16) + " == 'x'", "a" * 1_000_000),
        ("||".join(["entity.data == 'x'"] * 90), "a" * 1_000_000),
        ("entity.data.exists(x, -x in entity.data)", list(range(1, 2_500))),
        ("entity.data.exists(x, entity.data != entity.data)", [1] * 2_000),
        ("entity.data.exists(x, " + "||".join(["-x in entity.data"] * 90) + ")", list(range(1, 100))),
        ("[''].exists(x, " + "+".join(["entity.data"] * 16) + "== x)", ["a" * 500]),
    ],
)
def test_no_condition_costs_more_than_a_second(text: str, data: Any) -> None:
    condition = compile(text)
    began = time.process_time()

    with contextlib.suppress(ConditionError):
        condition({**ENTITY, "data": data}, None)

    assert time.process_time() - began < 1


WORDS = st.sampled_from(
    [
        *("entity", "event", "x", "data", "id", "price", "exists", "all", "map", "filter", "matches", "size", "has"),
        *(".", "(", ")", "[", "]", "{", "}", ",", ":", "?", "+", "-", "*", "/", "%", "&&", "||", "==", "!", "<", " "),
        *(
            "1",
            "0.5",
            "2u",
            "'a'",
            '"',
            "'",
            '"""',
            "r'",
            "b'",
            "\\",
            "\n",
            "//",
            "null",
            "in",
            "`",
            "é",
            "\x00",
            "1.e",
        ),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=25).map("".join))
def test_any_text_is_either_refused_or_evaluated(text: str) -> None:
    try:
        condition = compile(text)
    except DefinitionError as error:
        refusal = error
    else:
        with contextlib.suppress(ConditionError):
            assert condition(ENTITY, EVENT) in (True, False)
        return
    assert refusal.faults
    assert all(fault.line >= 1 and fault.column >= 1 for fault in refusal.faults)
