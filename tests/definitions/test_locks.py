"""``lock:`` of a task: a text with what may stand in braces, everything else in braces refused."""

from __future__ import annotations

import re

import pytest

from actors.definitions import json_schema, parse
from actors.errors import DefinitionError
from actors.model import WorkflowId
from tests.definitions.conftest import Faults

KNOWN = "there are {entity.id}, {workflow.id}, {task.id}"
RIGHT = ("{entity.id}", "book of {entity.id} in {workflow.id}/{task.id}", "平安", "a", "{task.id}{task.id}")
UNKNOWN = ("{entity.name}", "{}", "{ entity.id }", "x{stock.id}y", "{ENTITY.ID}")
STRAY = ("{entity.id", "entity.id}", "}{", "{entity.id}}", "{{entity.id}}")


def act(ctx: object) -> None:
    """Nothing to do."""


def read(lock: object) -> str | None:
    source = {"id": "w", "tasks": [{"id": "t", "action": "act", "lock": lock}]}
    return parse(source, actions={"act": act}).workflows[WorkflowId("w")].tasks[0].lock


def refusal(lock: object) -> str:
    with pytest.raises(DefinitionError) as caught:
        read(lock)
    (fault,) = caught.value.faults
    return str(fault)


@pytest.mark.parametrize("text", RIGHT)
def test_a_lock_is_kept_as_it_is_written(text: str) -> None:
    assert read(text) == text


@pytest.mark.parametrize("text", UNKNOWN)
def test_a_placeholder_that_there_is_not_is_named_with_those_there_are(text: str) -> None:
    found = re.search(r"{[^{}]*}", text)
    assert found is not None
    assert refusal(text) == f"tasks[0].lock: has no placeholder '{found[0]}'; {KNOWN}"


@pytest.mark.parametrize("text", STRAY)
def test_a_brace_on_its_own_is_refused(text: str) -> None:
    assert refusal(text) == f"tasks[0].lock: has a brace that belongs to no placeholder; {KNOWN}"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "must not be empty"), ("  ", "must not be empty"), (5, "must be text; put it in quotes"),
        (True, "must be text; put it in quotes"), ("a\nb", "must be one line without control characters"),
        ("x" * 1001, "is longer than 1000 characters"),
    ],
)  # fmt: skip
def test_what_a_lock_cannot_be_is_said_in_one_sentence(value: object, said: str) -> None:
    assert refusal(value) == f"tasks[0].lock: {said}"


def test_a_lock_without_a_value_is_none() -> None:
    assert read(None) is None


def test_the_fault_is_found_by_file_line_and_column(faults: Faults) -> None:
    found = faults(
        {
            "actions.py": "def act(ctx):\n    pass\n",
            "w.yaml": 'id: w\ntasks:\n  - {id: t, action: "actions:act", lock: "{stock.id}"}\n',
        }
    )

    assert found == [f"w.yaml:3:42: tasks[0].lock: has no placeholder '{{stock.id}}'; {KNOWN}"]


def test_the_schema_says_the_same_to_an_editor() -> None:
    pattern = json_schema()["$defs"]["task"]["properties"]["lock"]["pattern"]

    assert all(re.search(pattern, text) for text in RIGHT)
    assert not any(re.search(pattern, text) for text in (*UNKNOWN, *STRAY, ""))
