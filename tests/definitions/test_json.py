"""JSON: read strictly, with the same places and bounds as YAML."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.definitions import load
from actors.errors import Fault
from actors.model import WorkflowId
from actors.reading.json_text import read_json
from actors.reading.nodes import Unreadable
from tests.definitions.conftest import Faults, Write


def found(text: str) -> list[str]:
    """What is wrong with the text, up to where it cannot be read on."""
    faults: list[Fault] = []
    try:
        read_json(text, "f", faults)
    except Unreadable as error:
        return [*map(str, faults), f"f:{error.mark.line}:{error.mark.column}: {error.message}"]
    return [str(fault) for fault in faults]


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, -1, 1.5, 1e300, "", "a", "万科A", '"\\/\b\n\t', "😀", [], {}, [[]], {"a": [{}]}),
        *("000001", "x" * 2000, {"x" * 2000: 1}, [1, "2", None], {"": {"a\tb": 2.5e-7}}),
    ],
)
@pytest.mark.parametrize("style", [{}, {"indent": "\t"}, {"ensure_ascii": False, "separators": (",", ":")}])
def test_what_python_writes_is_read_as_it_was(value: Any, style: dict[str, Any]) -> None:
    node = read_json(json.dumps(value, **style), "f", [])

    assert node is not None
    assert node.plain() == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("000001", "f:1:1: not JSON: '000001' is no number; put text in double quotes"),
        ('{"a": NaN}', "f:1:7: not JSON: 'NaN' is no number; put text in double quotes"),
        ('{"a": -Infinity}', "f:1:7: not JSON: '-Infinity' is no number; put text in double quotes"),
        ('{"a": 1e999}', "f:1:7: JSON knows no such number"),
        ('{"a": ' + "1" * 41 + "}", "f:1:7: a number may have 40 characters; quote it if it is text"),
        ("{'a': 1}", "f:1:2: not JSON: a key in double quotes is expected"),
        ('{"a" 1}', "f:1:6: not JSON: ':' is expected after the key"),
        ('{"a": 1,}', "f:1:9: not JSON: a key in double quotes is expected"),
        ('{"a": 1', "f:1:8: not JSON: ',' or '}' is expected"),
        ("[1 2]", "f:1:4: not JSON: ',' or ']' is expected"),
        ("[1,]", "f:1:4: not JSON: a value is expected, not ']'"),
        ("[", "f:1:2: not JSON: a value is expected, not the end of the file"),
        ('["a', "f:1:2: not JSON: unterminated string starting at"),
        ('["a\nb"]', "f:1:2: not JSON: invalid control character at"),
        ('["\\x"]', "f:1:2: not JSON: invalid \\escape"),
        ('["\\ud800"]', "f:1:2: half of a surrogate pair; write the character itself"),
        ("{} {}", "f:1:4: not JSON: something follows the value"),
        ('// no\n{"a": 1}', "f:1:1: not JSON: a value is expected, not '/'"),
        ('{"a": 1,\n "b": 2,\n "a": 3}', "f:3:2: a: 'a' is given twice; first on line 1"),
        ("[" * 100_000, "f:1:51: nested more than 50 levels deep"),
        ("[" + "1," * 50_000 + "1]", "f:1:100000: more than 50000 values"),
        ("٣", "f:1:1: not JSON: '٣' is no number; put text in double quotes"),
    ],
)
def test_what_is_not_strict_json_is_said_with_its_place(text: str, said: str) -> None:
    faults = found(text)

    assert len(faults) == 1
    assert faults[0].startswith(said)


def test_a_workflow_in_json_is_a_workflow(write: Write) -> None:
    source = {
        "$schema": "../schema.json",
        "id": "w",
        "tasks": [{"id": "t", "run": ["x"], "params": {"code": "000001"}}],
    }

    workflow = load(write({"w.json": json.dumps(source)})).workflows[WorkflowId("w")]

    assert workflow.tasks[0].params == {"code": "000001"}


def test_a_fault_in_json_stands_at_its_line_and_column(faults: Faults) -> None:
    text = '{"id": "w",\n "tasks": [\n  {"id": "t", "run": ["x"],\n   "retry": -1}]}'

    assert faults({"w.json": text}) == ["w.json:4:13: tasks[0].retry: must be 0 or more, not -1"]
