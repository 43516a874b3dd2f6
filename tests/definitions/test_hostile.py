"""Whatever is given to the loader, it answers with definitions or with faults, soon, in little memory."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.definitions import load, parse, validate
from actors.errors import DefinitionError, Fault

MERGE_BOMB = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], k: 1}}\n" for n in range(1, 15))
LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)
TASKS = "id: w\ntasks:\n"

BOMBS: dict[str, str] = {
    "brackets.yaml": "[" * 100_000,
    "braces.yaml": "{" * 100_000,
    "dashes.yaml": "- " * 100_000,
    "questions.yaml": "? " * 100_000,
    "brackets.json": "[" * 100_000,
    "objects.json": '{"a":' * 100_000,
    "merge.yaml": MERGE_BOMB,
    "laughs.yaml": LAUGHS,
    "texts.yaml": f"a: &a {'x' * 500_000}\nb: [{'*a,' * 20_000}]",
    "anchors.yaml": "- &a x\n" * 20_000,
    "unknown.yaml": "\n".join(f"key{n}: 1" for n in range(20_000)),
    "twice.yaml": "key: 1\n" * 20_000,
    "fields.yaml": TASKS + "".join(f"- {{id: t{n}, run: [x], timeot: 1, retri: 2}}\n" for n in range(4_000)),
    "names.yaml": TASKS
    + "".join(f"- {{id: {'n' * 40}{n}, run: [x], depends_on: [{'n' * 39}{n}]}}\n" for n in range(4_000)),
    "close.yaml": TASKS
    + "".join(f"- {{id: {'n' * 40}{n:03}, run: [x], depends_on: [{n:03}{'n' * 40}]}}\n" for n in range(900)),
    "cycles.yaml": TASKS + "".join(f"- {{id: t{n}, run: [x], depends_on: [t{n ^ 1}]}}\n" for n in range(4_096)),
    "ring.yaml": TASKS + "".join(f"- {{id: t{n}, run: [x], depends_on: [t{(n + 1) % 4096}]}}\n" for n in range(4_096)),
    "whens.yaml": "workflows:\n"
    + "".join(f"  w{n}: {{when: '{'a + ' * 450}a', tasks: [{{id: t, run: [x]}}]}}\n" for n in range(400)),
    "number.yaml": "a: " + "1" * 1_000_000,
    "word.json": "a" * 1_000_000,
    "keys.json": "{" + ",".join(f'"k{n}":1' for n in range(60_000)) + "}",
    "tags.yaml": "- !!python/object:os.system x\n" * 20_000,
    "documents.yaml": "---\na: 1\n" * 50_000,
    "spaces.yaml": " " * 1_000_000 + "\t",
    "sequence.yaml": "a:\n" + "- b\n" * 200_000,
    "quote.yaml": '"' + "\\" * 1_000_000,
    "block.yaml": "a: |\n" + " x\n" * 300_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_within_a_second(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(BOMBS[name])
    validate(file.with_name("warm"))
    began = time.process_time()

    assert validate(file)

    assert time.process_time() - began < 1


def test_no_bomb_takes_a_hundred_mebibytes(tmp_path: Path, root: Path) -> None:
    for name, text in BOMBS.items():
        (tmp_path / name).write_text(text)
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from actors.definitions import validate\n"
        "validate('.')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for file in Path(sys.argv[1]).iterdir(): validate(file)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )

    kibibytes = int(ran.stdout) * (1 if sys.platform == "linux" else resource.getpagesize() // 1024)
    assert kibibytes < 100 * 1024


def test_a_dict_that_contains_itself_is_refused() -> None:
    source: dict[str, Any] = {"id": "w"}
    source["tasks"] = [source]

    with pytest.raises(DefinitionError, match="nested more than 50 levels deep"):
        parse(source)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "must be a workflow, a list of workflows, or a mapping 'workflows:' by id"),
        ("id: w", "must be a workflow, a list of workflows, or a mapping 'workflows:' by id"),
        (b"id: w", "a bytes is nothing that JSON can carry"),
        ({1.5: "x"}, "a key must be text, not float"),
        ({"id": object()}, "id: a object is nothing that JSON can carry"),
        ({"id": float("nan")}, "id: JSON knows no such number"),
        ({"id": 2**200}, "id: the number is too large"),
        ({"id": "\ud800"}, "id: half of a surrogate pair"),
        ({1: "a", "1": "b"}, "1: '1' is given twice"),
        ({"a": [0] * 50_001}, "more than 50000 values"),
        ({"a": ["x" * 1_000_000] * 2}, "more than 1048576 characters of text"),
    ],
)
def test_a_value_that_is_no_definition_is_a_fault(source: Any, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(source)

    assert any(str(fault).startswith(said) for fault in caught.value.faults)


# Words that definitions are made of, so that chance gets beyond the first fault.
WORDS = st.sampled_from(
    [
        *("id", "tasks", "action", "run", "depends_on", "workflows", "when", "timeout", "retry", "params", "limits"),
        *("trigger", "phase", "priority", "settings", "agents", "entities", "events", "type", "backoff", "isolation"),
        *("a", "b", "000001", "1", "-1", "1.5", "true", "null", "process", "suspend", "DATA_READY", "entity.id == '1'"),
    ]
)
SCALARS = WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), below, max_size=5),
    max_leaves=20,
)
TASK = st.fixed_dictionaries({"id": SCALARS}, optional=dict.fromkeys(("action", "run", "depends_on", "limits"), VALUES))
SOURCES = VALUES | st.fixed_dictionaries(
    {"id": SCALARS, "tasks": st.lists(TASK | VALUES, max_size=4)}, optional={"settings": VALUES, "when": SCALARS}
)
SIGNS = st.sampled_from(
    [
        *"[]{},:-?&*!|>'\"%@`#\\ \n\t~.",
        "- ",
        ": ",
        "\n  ",
        "<<",
        "&a ",
        "*a",
        "!!x ",
        "---",
        "...",
        "\ufeff",
        "\x00",
        "é",
    ]
)


def faults_of(read: Callable[[], object]) -> tuple[Fault, ...]:
    """What reading finds wrong; nothing else may be raised."""
    try:
        read()
    except DefinitionError as error:
        assert error.faults  # noqa: PT017 - most of what chance makes is wrong, some of it is not
        return error.faults
    return ()


@settings(max_examples=300, deadline=None)
@given(SOURCES)
def test_any_value_is_definitions_or_faults(source: Any) -> None:
    found = faults_of(lambda: parse(source, actions={"a": print}))

    assert all(fault.message and "cannot be used here" not in fault.message for fault in found)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WORDS | SIGNS, max_size=40).map("".join), st.sampled_from(["w.yaml", "w.json", "engine.yaml"]))
def test_any_text_is_definitions_or_faults(tmp_path: Path, text: str, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(text.encode("utf-8", "surrogatepass"))

    found = faults_of(lambda: load(file))

    file.unlink()
    assert all(fault.line >= 1 and fault.column >= 1 and str(fault).isprintable() for fault in found)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.sampled_from(["w.yaml", "w.json", "acts.py"]))
def test_any_bytes_are_definitions_or_faults(tmp_path: Path, content: bytes, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)

    found = validate(tmp_path)

    file.unlink()
    assert found
    assert all(str(fault).isprintable() for fault in found)


def test_a_file_whose_name_steers_terminals_is_named_without_doing_so(tmp_path: Path) -> None:
    (tmp_path / "\x1b[31mred.yaml").write_text("id: w")

    assert [fault.file for fault in validate(tmp_path)] == [f"{tmp_path}/�[31mred.yaml"]
