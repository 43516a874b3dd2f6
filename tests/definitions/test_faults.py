"""What a fault says: file, line, column, path, sentence; all of them in one run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actors.definitions import load, validate
from actors.errors import DefinitionError
from tests.definitions.conftest import Faults, Write


def test_all_faults_of_all_files_come_in_one_run_each_with_its_place(faults: Faults) -> None:
    files = {
        "engine.yaml": """
            agents: many
            langage: zh
            """,
        "a.yaml": """
            id: a
            prioritty: 1
            tasks:
              - id: collect
                run: [x]
              - id: signal
                action: sgnal
                depends_on: [collct]
                timeout: -1
            """,
        "b.json": '{"id": "b",\n "tasks": [{"id": "t"}]}',
        "c.yaml": "a: [",
        "actions.py": """
            from actors import action
            @action("signal")
            def signal(ctx): ...
            """,
        "broken.py": "def f(:\n",
    }

    assert faults(files) == [
        "a.yaml:2:1: prioritty: unknown field 'prioritty'; did you mean 'priority'?",
        "a.yaml:7:13: tasks[1].action: no action 'sgnal'; did you mean 'signal'?",
        "a.yaml:8:18: tasks[1].depends_on: no task 'collct'; did you mean 'collect'?",
        "a.yaml:9:14: tasks[1].timeout: must be 1 or more, not -1",
        "b.json:2:12: tasks[0]: needs 'action' or 'run'",
        "broken.py:1:7: not Python: invalid syntax",
        "c.yaml:2:1: not YAML: did not find expected node content while parsing a flow node",
        "engine.yaml:1:9: agents: must be a number from 1 to 10000, or groups by name",
        "engine.yaml:2:1: langage: unknown field 'langage'; did you mean 'language'?",
    ]


def test_a_fault_in_a_mapping_names_the_workflow(faults: Faults) -> None:
    text = """
    workflows:
      trend:
        tasks:
          - {id: a, run: [x]}
          - {id: a, run: [x], retry: no}
    """

    assert faults(text) == [
        "w.yaml:5:14: workflows.trend.tasks[1].id: a second task 'a'; the first is tasks[0]",
        "w.yaml:5:34: workflows.trend.tasks[1].retry: must be a whole number, not 'no'",
    ]


def test_a_fault_in_a_list_names_the_place(faults: Faults) -> None:
    assert faults("- {id: a, tasks: [{id: t, run: [x]}]}\n- {id: b}") == ["w.yaml:2:3: [1]: needs 'tasks'"]


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("entity.prio > 0", "w.yaml:2:14: when: no field of entity 'prio'; did you mean 'priority'?"),
        ('"entity.prio > 0"', "w.yaml:2:15: when: no field of entity 'prio'; did you mean 'priority'?"),
        (
            "entity.priority >",
            "w.yaml:2:24: when: not a condition in CEL: at character 18: the expression ends too early",
        ),
        (
            "|\n  entity.id == '1' &&\n  entty.id == '2'",
            "w.yaml:2:7: when: no variable 'entty'; did you mean 'entity'?",
        ),
    ],
)
def test_a_fault_in_a_condition_stands_at_its_character_where_the_text_is_written_as_it_is(
    faults: Faults, when: str, said: str
) -> None:
    found = faults({"w.yaml": f"id: w\nwhen: {when}\ntasks: [{{id: t, run: [x]}}]\n"})

    assert len(found) == 1
    assert found[0].startswith(said)


def test_an_id_is_one_workflows_in_all_files(faults: Faults) -> None:
    workflow = "tasks: [{id: t, run: [x]}]}"
    files = {"a.yaml": f"{{id: w, {workflow}", "b.yaml": f"[{{id: v, {workflow}, {{id: w, {workflow}]"}

    found = faults(files)

    assert len(found) == 1
    assert found[0].startswith("b.yaml:1:")
    assert "[1].id: a second workflow 'w'; the first is at" in found[0]
    assert found[0].endswith("a.yaml:1")


def test_files_are_named_as_the_user_named_their_folder(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write({"w.yaml": "id: w"})
    monkeypatch.chdir(folder.parent)

    assert str(validate("folder")[0]) == "folder/w.yaml:1:1: needs 'tasks'"
    assert str(validate("./folder/")[0]) == "./folder/w.yaml:1:1: needs 'tasks'"
    assert str(validate("folder/w.yaml")[0]) == "folder/w.yaml:1:1: needs 'tasks'"
    monkeypatch.chdir(folder)
    assert str(validate(".")[0]) == "./w.yaml:1:1: needs 'tasks'"
    assert str(validate("w.yaml")[0]) == "w.yaml:1:1: needs 'tasks'"
    assert str(validate(Path("w.yaml"))[0]) == "w.yaml:1:1: needs 'tasks'"


def test_several_paths_are_checked_in_one_call(write: Write) -> None:
    folder = write({"a.yaml": "id: a", "b.yaml": "id: b"})

    assert len(validate([folder / "a.yaml", folder / "b.yaml", folder / "c.yaml"])) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "1:1: the file is empty"),
        (b"# nothing but words\n", "1:1: the file is empty"),
        (b"---\n", "1:1: the file is empty"),
        (b"\xef\xbb\xbfid: w", "1:1: begins with a byte order mark; save it as UTF-8 without one"),
        ("id: w".encode("utf-16"), "1:1: not UTF-8; save the file as UTF-8"),
        ("id: w\nname: 平安银行".encode("gbk"), "2:8: not UTF-8; save the file as UTF-8"),
        (b"just words", "1:1: must be a workflow, a list of workflows, or a mapping 'workflows:' by id"),
        (b"[]", "1:1: the list holds no workflow"),
        (b"workflows: {}", "1:12: workflows: must be a mapping of workflows by id, or a list of them"),
        (b"agents: 5\nworkflows: [{id: w}]", "1:1: agents: unknown field 'agents' beside 'workflows'"),
        (b"trend: {tasks: []}", "1:1: workflows by id stand under 'workflows:'"),
    ],
)
def test_a_file_without_a_workflow_is_one_clear_fault(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "w.yaml"
    file.write_bytes(content)

    assert str(validate(file)[0]) == f"{file}:{said}"


@pytest.mark.parametrize(("name", "said"), [("nowhere", "no such file or directory"), ("nowhere.yaml", "no such file")])
def test_a_path_that_is_not_there_is_one_clear_fault(tmp_path: Path, name: str, said: str) -> None:
    found = validate(tmp_path / name)

    assert len(found) == 1
    assert str(found[0]).startswith(f"{tmp_path / name}:1:1: {said}")


def test_a_path_no_file_can_have_is_one_clear_fault() -> None:
    assert [fault.message for fault in validate("a\0b")] == ["no such file or directory"]
    assert [fault.message for fault in validate("x" * 5000)] == ["no such file or directory"]


def test_a_folder_without_workflows_is_one_clear_fault(write: Write) -> None:
    folder = write({"engine.yaml": "agents: 5", "actions.py": "", "below/w.yaml": "id: w"})

    assert [str(fault) for fault in validate(folder)] == [f"{folder}:1:1: holds no workflows (*.yaml, *.yml, *.json)"]


def test_a_folder_of_definitions_folders_names_them(write: Write) -> None:
    folder = write({"schema.json": "{}", "b/engine.yaml": "{}", "a/engine.yml": "{}", "c/notes.txt": ""})

    assert [fault.message for fault in validate(folder)] == [
        "holds no workflows (*.yaml, *.yml, *.json); name a folder below it: a, b"
    ]


def test_a_file_of_another_kind_is_refused_by_its_ending(tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text("id = 1")

    assert [fault.message for fault in validate(tmp_path / "w.toml")] == ["definitions end in .yaml, .yml, .json"]


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.yaml")

    assert [fault.message for fault in validate(tmp_path)] == ["not a regular file"]


def test_a_file_that_may_not_be_read_is_one_clear_fault(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").symlink_to("w.yaml")

    assert [fault.message for fault in validate(tmp_path)] == ["cannot be read: too many levels of symbolic links"]


def test_faults_beyond_a_thousand_are_a_number(faults: Faults) -> None:
    found = faults("\n".join(f"k{number}: 1" for number in range(1_500)))

    assert len(found) == 1_001
    assert found[-1].endswith("and 502 more faults")


def test_an_error_carries_all_faults_and_says_them(write: Write) -> None:
    folder = write({"w.yaml": "id: w\nprio: 1"})

    with pytest.raises(DefinitionError) as caught:
        load(folder)

    assert [fault.path for fault in caught.value.faults] == ["", "prio"]
    assert str(caught.value).splitlines() == [
        f"{folder}/w.yaml:1:1: needs 'tasks'",
        f"{folder}/w.yaml:2:1: prio: unknown field 'prio'",
    ]


def test_what_a_file_says_reaches_no_terminal_as_control_characters(faults: Faults) -> None:
    found = faults('{id: w, "\\e[31m": 1, tasks: [{id: "\\r", run: [x], depends_on: ["\\e]0;x\\a"]}]}')

    assert found
    assert all(fault.isprintable() for fault in found)
