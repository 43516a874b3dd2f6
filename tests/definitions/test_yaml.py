"""YAML: which scalars stay text, where faults stand, what is not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from actors.definitions import load
from actors.errors import DefinitionError, Fault
from actors.model import WorkflowId
from actors.reading.nodes import Unreadable
from actors.reading.yaml_text import read_yaml
from tests.definitions.conftest import Faults, Write


def value(text: str) -> Any:
    """What the text says, without faults."""
    faults: list[Fault] = []
    node = read_yaml(text, "f", faults)
    assert not faults
    return node.plain() if node is not None else None


def found(text: str) -> list[str]:
    """What is wrong with the text, up to where it cannot be read on."""
    faults: list[Fault] = []
    try:
        read_yaml(text, "f", faults)
    except Unreadable as error:
        return [*map(str, faults), f"f:{error.mark.line}:{error.mark.column}: {error.message}"]
    return [str(fault) for fault in faults]


@pytest.fixture(params=["libyaml", "pure Python"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule holds with both of PyYAML's parsers: not every machine has libyaml."""
    if request.param == "pure Python":
        monkeypatch.setattr(yaml, "CSafeLoader", yaml.SafeLoader)
    elif not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")


@pytest.mark.parametrize(
    "text",
    [
        *("000001", "007", "-007", "00.5", "0x1F", "0o17", "0b1", "1_000", "600000.SH", "+", "-", ".", "1.2.3", "1e"),
        *("on", "off", "yes", "no", "y", "N", "On", "9:30:00", "2024-01-02", "2024-01-02T09:30:00Z", "tRue", "nil"),
    ],
)
def test_what_only_looks_like_a_number_a_time_or_a_switch_is_text(text: str) -> None:
    assert value(f"[{text}]") == [text]
    assert value(f"{text}: 1") == {text: 1}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        *(
            ("0", 0),
            ("-1", -1),
            ("+7", 7),
            ("600000", 600000),
            ("1.5", 1.5),
            (".5", 0.5),
            ("0.5", 0.5),
            ("1e3", 1000.0),
        ),
        *(("true", True), ("False", False), ("null", None), ("~", None), ("", None), ("'1'", "1"), ('"true"', "true")),
        *(("|\n  1\n  2\n", "1\n2\n"), (">\n  a\n  b\n", "a b\n"), ("'~'", "~"), ("0.0", 0.0), ("1.", 1.0)),
    ],
)
def test_the_core_schema_of_yaml_1_2_decides_what_is_not_text(text: str, meant: Any) -> None:
    read = value(f"a: {text}")["a"]

    assert read == meant
    assert type(read) is type(meant)


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan", "1e999", "1" * 41, "9" * 30 + ".5" + "1" * 20])
def test_a_number_that_json_cannot_carry_is_refused_and_quoted_is_text(text: str) -> None:
    assert found(f"a: {text}")[0].startswith("f:1:4: a: ")
    assert value(f"a: '{text}'") == {"a": text}


def test_a_leading_zero_stays_in_ids_keys_params_and_dependencies(write: Write) -> None:
    text = """
    workflows:
      000001:
        tasks:
          - {id: 007, run: [x]}
          - {id: b, run: [x], depends_on: [007], params: {stock: 000001, more: [000002], 000003: "000004"}}
    """
    workflow = load(write({"w.yaml": text})).workflows[WorkflowId("000001")]

    assert workflow.tasks[0].id == "007"
    assert workflow.tasks[1].depends_on == (0,)
    assert workflow.tasks[1].params == {"stock": "000001", "more": ["000002"], "000003": "000004"}


def test_a_whole_number_as_an_id_is_its_digits(write: Write) -> None:
    text = "{id: 600000, tasks: [{id: 1, run: [x]}, {id: 2, run: [x], depends_on: [1]}]}"

    workflow = load(write({"w.yaml": text})).workflows[WorkflowId("600000")]

    assert [task.id for task in workflow.tasks] == ["1", "2"]
    assert workflow.tasks[1].depends_on == (0,)


def test_a_key_given_twice_is_refused_also_when_one_is_quoted() -> None:
    assert found("a: 1\nb: {x: 1,\n  'x': 2}\n'a': 2") == [
        "f:3:3: b.x: 'x' is given twice; first on line 2",
        "f:4:1: a: 'a' is given twice; first on line 1",
    ]


def test_the_first_of_two_values_is_the_one_that_is_checked_further() -> None:
    faults: list[Fault] = []
    node = read_yaml("a: 1\na: 2", "f", faults)

    assert node is not None
    assert (node.plain(), len(faults)) == ({"a": 1}, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: !!str 5", "f:1:4: a: tags ('tag:yaml.org,2002:str') are not read; quote the value if it is text"),
        ("!!python/object:os.system x", "f:1:1: tags ('tag:yaml.org,2002:python/object:os.system') are not read;"),
        ("[!!set {a}]", "f:1:2: [0]: tags ('tag:yaml.org,2002:set') are not read;"),
        ("b: {<<: {a: 1}}", "f:1:5: b: merge keys ('<<') are not read; write the fields out"),
        ("a: 1\n---\nb: 2", "f:2:1: a second document; put it into a file of its own"),
        ("? [a]\n: 1", "f:1:3: a key must be text"),
        ("? \n: 1", "f:1:2: a key is missing before ':'"),
        ("a: *b", "f:1:4: the alias '*b' repeats nothing that came before"),
        ("&a [*a]", "f:1:5: the alias '*a' stands inside what it repeats"),
        ("a: b: c", "f:1:5: not YAML: mapping values are not allowed"),
        ("a:\n\t- b", "f:2:1: not YAML: a tab; indent with spaces"),
        ("a: 'x", "f:1:6: not YAML: found unexpected end of stream"),
        ("a: [1", "f:"),
        ("a: @b", "f:1:4: not YAML: '@' cannot begin a value; put the text in quotes"),
        ("a: \x00", "f:1:4: not YAML: it holds a control character"),
        ('a: "\\U00110000"', "f:1:"),
        ('a: "\\ud800"', "f:1:"),
        ("%YAML 9999999999999999.1\n--- a", "f:1:"),
    ],
)
def test_what_is_not_read_is_said_with_its_place(text: str, said: str) -> None:
    faults = found(text)

    assert len(faults) == 1
    assert faults[0].startswith(said)


def test_an_alias_repeats_a_value_and_its_faults_stand_where_it_was_written(write: Write, faults: Faults) -> None:
    text = """
    - {id: a, tasks: &steps [{id: t, run: [x], params: &p {n: 1}}]}
    - {id: b, tasks: *steps}
    """
    definitions = load(write({"w.yaml": text}))

    assert definitions.workflows[WorkflowId("a")].tasks == definitions.workflows[WorkflowId("b")].tasks
    assert faults("- {id: a, tasks: &s [{id: t, rum: [x]}]}\n- {id: b, tasks: *s}") == [
        "w.yaml:1:22: [0].tasks[0]: needs 'action' or 'run'",
        "w.yaml:1:22: [1].tasks[0]: needs 'action' or 'run'",
        "w.yaml:1:30: [0].tasks[0].rum: unknown field 'rum'; did you mean 'run'?",
        "w.yaml:1:30: [1].tasks[0].rum: unknown field 'rum'; did you mean 'run'?",
    ]


def test_nesting_is_read_to_fifty_levels_also_through_aliases() -> None:
    assert value("[" * 50 + "]" * 50) is not None
    assert found("[" * 51 + "]" * 51) == ["f:1:51: nested more than 50 levels deep"]
    assert found(f"- &a {'[' * 30}{']' * 30}\n- {'[' * 30}*a{']' * 30}") == ["f:2:33: nested more than 50 levels deep"]


def test_values_are_counted_as_often_as_aliases_repeat_them() -> None:
    row = "[" + "x," * 99 + "]"

    assert len(value(f"- &a {row}\n" + "- *a\n" * 498)) == 499
    assert found(f"- &a {row}\n" + "- *a\n" * 499) == ["f:500:3: more than 50000 values, aliases written out"]


def test_text_is_counted_as_often_as_aliases_repeat_it() -> None:
    text = f"- &a {'x' * 500_000}\n- *a\n- *a\n"

    assert found(text) == ["f:3:3: more than 1048576 characters, aliases written out"]


def test_a_file_is_read_up_to_a_mebibyte(tmp_path: Path) -> None:
    file = tmp_path / "w.yaml"
    file.write_text("id: w\ntasks: [{id: t, run: [x]}]\n".ljust(1_048_576, "#"))
    load(file)

    file.write_text("id: w\ntasks: [{id: t, run: [x]}]\n".ljust(1_048_577, "#"))
    with pytest.raises(DefinitionError, match="larger than 1048576 bytes"):
        load(file)
