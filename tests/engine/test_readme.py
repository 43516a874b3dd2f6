"""The README is true: its code runs, its definitions load, its commands parse, its tables say what the code says."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
import pytest

from actors import Context, Engine
from actors.commands.tree import COMMANDS, tree
from actors.definitions import load, validate
from actors.reading.engine_shapes import SettingsShape
from actors.reading.shapes import Shape, TaskShape, WorkflowShape
from actors.status import Status
from tests.engine.command_line import COMMAND, ROOT, engine, environment, without_seconds

README = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE, ENGLISH, REFERENCE = re.split("\n## (?:English|Reference 参考)\n", README)
MANY = re.MULTILINE | re.DOTALL
LANGUAGES = pytest.mark.parametrize("text", [CHINESE, ENGLISH], ids=["zh", "en"])


def blocks(text: str, kind: str) -> list[str]:
    """The fenced blocks of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, flags=MANY)


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=MANY)


def files(text: str) -> dict[str, str]:
    """The blocks that are files: their first line names them."""
    found = {}
    for block in [*blocks(text, "yaml"), *blocks(text, "python")]:
        if name := re.match(r"# ([\w.]+)\n", block):
            assert name[1] not in found
            found[name[1]] = block
    return found


def write(folder: Path, text: str) -> Path:
    folder.mkdir()
    for name, content in files(text).items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the table below this heading of the reference, without its head."""
    part = REFERENCE.split(f"\n### {heading}\n")[1].split("\n### ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# --- what is shown first -------------------------------------------------------------------------


@LANGUAGES
def test_both_commands_are_the_first_thing_in_each_language(text: str) -> None:
    first = text.split("```sh\n")[1].splitlines()

    assert re.match(r"bin/engine start +# ", first[0])
    assert re.match(r"bin/test +# ", first[1])
    assert len(text.split("```sh\n", maxsplit=1)[0].splitlines()) <= 7


def test_the_languages_are_linked_on_top_and_every_link_leads_somewhere() -> None:
    assert README.splitlines()[2] == "[中文](#中文) | [English](#english)"
    headings = re.findall(r"^#+ (.*)$", without_blocks(README), flags=re.MULTILINE)

    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= {anchor(heading) for heading in headings}
    assert not re.findall(r"\]\((?!#)", README)


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    kept = [c for c in heading.lower() if c in " -_" or unicodedata.category(c)[0] in "LN"]
    return "".join(kept).replace(" ", "-")


# --- code and definitions ------------------------------------------------------------------------


@LANGUAGES
def test_every_script_runs_and_prints_what_it_says(text: str, tmp_path: Path) -> None:
    scripts = [block for block in blocks(text, "python") if block not in files(text).values()]
    assert len(scripts) == 1
    for number, script in enumerate(scripts):
        path = tmp_path / f"script_{number}.py"
        path.write_text(script, encoding="utf-8")
        command = [sys.executable, str(path)]

        ended = subprocess.run(
            command, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
        )

        assert (ended.stdout, ended.stderr) == (script.rstrip().rpartition("# ")[2] + "\n", "")


@LANGUAGES
def test_the_definitions_are_a_folder_that_runs(text: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "folder", text)

    assert validate(folder) == []
    with Engine(folder) as running:
        running.wait_idle(20)
        ended = running.instances()
        dead = running.dead_letters()

    assert sorted((run.workflow, run.entity_id, run.status.value) for run in ended) == [
        ("collect", "000001", "completed"),
        ("collect", "000002", "completed"),
        ("report", "000002", "completed"),
        ("study", "000002", "completed"),
        ("trades", "000001", "completed"),
        ("trades", "000001", "completed"),
    ]
    results = {task.task: task.result for run in ended for task in run.tasks}
    assert results["report"] == "万科A studied"
    assert results["score"] == {"score": pytest.approx(8.1), "bytes": results["count"]}
    assert isinstance(results["count"], int)
    assert sorted(task.result["shares"] for run in ended for task in run.tasks if task.task == "book") == [100, 300]
    assert dead == ()


def test_both_languages_show_the_same_code(tmp_path: Path) -> None:
    chinese, english = load(write(tmp_path / "zh", CHINESE)), load(write(tmp_path / "en", ENGLISH))

    assert chinese.workflows == english.workflows
    assert chinese.settings == english.settings
    for one, other in zip(blocks(CHINESE, "python"), blocks(ENGLISH, "python"), strict=True):
        assert ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    headings = [re.findall(r"^#+ ", text.split("```sh", 1)[1], flags=re.MULTILINE) for text in (CHINESE, ENGLISH)]
    assert headings[0] == headings[1]
    for line in (r"^\|.*", r"^(?:-|\d\.) .*"):  # rows of tables, items of lists
        counts = [len(re.findall(line, without_blocks(text), flags=re.MULTILINE)) for text in (CHINESE, ENGLISH)]
        assert counts[0] == counts[1]


@LANGUAGES
def test_faults_read_as_shown(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = next(block for block in blocks(text, "console") if "validate my_folder" in block).splitlines()[1:]
    (tmp_path / "my_folder").mkdir()
    (tmp_path / "my_folder" / "actions.py").write_text(files(text)["actions.py"], encoding="utf-8")
    (tmp_path / "my_folder" / "quotes.yaml").write_text(
        "id: quotes\nprioritty: 0\ntasks:\n  - id: collect\n    action: collect\n"
        "  - id: study\n    action: collect\n    depends_on: [collct]\n"
    )
    monkeypatch.chdir(tmp_path)

    assert [str(fault) for fault in validate("my_folder")] == shown


# --- commands ------------------------------------------------------------------------------------


def command_named(name: str) -> click.Command:
    found = tree.get_command(click.Context(tree), name)
    assert found is not None
    return found


def test_every_command_shown_parses_and_names_folders_that_are_there() -> None:
    shown = re.findall(r"bin/engine ([^\n|#`>]+)", README)
    assert len(shown) >= 16
    for line in shown:
        name, *arguments = shlex.split(line)
        context = command_named(name).make_context(name, arguments)
        definitions = context.params.get("definitions")
        assert definitions is None or (ROOT / definitions / "engine.yaml").exists()


@LANGUAGES
def test_every_option_status_and_shell_command_is_named(text: str) -> None:
    names = set(quoted(without_blocks(text)))
    for parameter in command_named("start").params:
        long = next(option for option in parameter.opts if option.startswith("--"))
        assert any(name.split()[0] == long for name in names), long
    line = re.search(r"^(?:退出状态：|Exit statuses: )(.*?)^$", text, flags=MANY)
    assert line is not None
    assert set(map(int, re.findall(r"\d+", line[1]))) == set(Status)
    listed = re.search(r"^(?:命令有|The commands are) (.*?)(?:。|\.)", text, flags=MANY)
    assert listed is not None
    in_shell = [name for name, place in COMMANDS.items() if place.in_shell]
    assert quoted(listed[1].replace("\n", " ")) == [*in_shell, "quit"]


def test_every_path_in_it_is_there() -> None:
    named = re.findall(r"(?<![\w./])((?:actors|definitions|bin)/[\w./]+)", README)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_trading_demo_prints_what_is_shown(tmp_path: Path) -> None:
    copy = tmp_path / "trading"
    shutil.copytree(ROOT / "definitions" / "trading", copy)
    for path in copy.glob("*.yaml"):  # timeouts of 50 ms are too short for a busy machine
        path.write_text(re.sub(r"timeout: (\d+)", r"timeout: \g<1>00", path.read_text(encoding="utf-8")))
    command, *lines = blocks(CHINESE, "console")[0].splitlines()

    ended = engine(*shlex.split(command)[2:], "--definitions", copy)

    printed, shown = (without_seconds(some) for some in (ended.stdout.splitlines(), lines))
    assert ended.returncode == 0
    assert [line for line in shown if line != "..." and line not in printed] == []
    for stock in ("_000001", "_000002"):
        assert [line for line in shown if stock in line] == [line for line in printed if stock in line]


def test_the_preemption_demo_prints_what_is_shown() -> None:
    command, *lines = blocks(ENGLISH, "console")[1].splitlines()

    ended = engine(*shlex.split(command)[2:])

    printed, shown = (without_ids(some) for some in (ended.stdout.splitlines(), lines))
    rest = iter(printed)
    assert ended.returncode == 0
    assert [line for line in shown if line != "..." and line not in rest] == []


@LANGUAGES
def test_the_session_with_a_running_engine_is_as_shown(text: str, tmp_path: Path) -> None:
    session = next(block for block in blocks(text, "console") if "bin/engine shell" in block)
    copy = tmp_path / "ashare"
    shutil.copytree(ROOT / "definitions" / "ashare", copy, ignore=shutil.ignore_patterns(".engine", "__pycache__"))
    ids: dict[str, str] = {}

    with Served(copy):
        for part in session.split("$ bin/engine ")[1:]:
            command, *shown = part.splitlines()
            for name, ours in ids.items():
                command = command.replace(name, ours)
            ended = engine(*shlex.split(command.replace("definitions/ashare", str(copy))))
            assert ended.returncode == 0, ended.stderr
            printed = ended.stdout.splitlines()
            said = [line for line in shown if line not in ended.stderr.splitlines()]
            ids |= {one: other for line, answer in zip(said, printed, strict=False)
                    for one, other in zip(instances_in(line), instances_in(answer), strict=False)}  # fmt: skip
            rest = iter([same(line, {}) for line in printed])
            assert [line for line in said if line != "..." and same(line, ids) not in rest] == []


def same(line: str, ids: Mapping[str, str]) -> str:
    """The line with this run's ids, and without what differs from run to run."""
    for name, ours in ids.items():
        line = line.replace(name, ours)
    return re.sub(r"\w+-1:", "ID:", line)


def instances_in(line: str) -> list[str]:
    return re.findall(r"600036_\d{10}", line)


class Served:
    """An engine of these definitions, in a process of its own, while the block lasts."""

    def __init__(self, definitions: Path) -> None:
        self._definitions = definitions

    def __enter__(self) -> None:
        command = [*COMMAND, "start", "--no-http", "--definitions", str(self._definitions)]
        self._process = subprocess.Popen(
            command, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        # Its last line before it serves tells where.
        assert any("control.sock" in line for line in self._process.stdout)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=20)


def without_ids(lines: list[str]) -> list[str]:
    return [re.sub(r"_[06]\d{5}_\d{10}", "", line) for line in lines]


@pytest.mark.parametrize("demo", [0, 1])
def test_both_languages_show_the_same_run(demo: int) -> None:
    words = [[re.findall(r"\w+_\d{6}(?=_)|^\.+", line, flags=re.ASCII) for line in shown(text, demo)]
             for text in (CHINESE, ENGLISH)]  # fmt: skip

    assert words[0] == words[1]


def shown(text: str, demo: int) -> list[str]:
    return blocks(text, "console")[demo].splitlines()[1:-1]


# --- tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "shape"),
    [
        ("工作流的字段 fields of a workflow", WorkflowShape),
        ("任务的字段 fields of a task", TaskShape),
        ("engine.yaml 的字段 fields of engine.yaml", SettingsShape),
    ],
    ids=["workflow", "task", "engine"],
)
def test_every_field_is_there_with_its_default(heading: str, shape: type[Shape]) -> None:
    told: dict[str, str] = {}
    for names, defaults, *meanings in rows(heading):
        fields, values = quoted(names), quoted(defaults)
        assert all(meanings)
        told |= dict(zip(fields, [*values, *[""] * (len(fields) - len(values))], strict=True))
    defaults_of = {name: field.get_default(call_default_factory=True) for name, field in shape.model_fields.items()}
    ours = {name: default_text(value) for name, value in defaults_of.items()}

    for filled in {"tasks"} & set(ours):  # must be given
        ours[filled] = ""
    if shape is SettingsShape:
        ours["store"] = "memory"
    assert told == ours


def default_text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case StrEnum():
            return value.value
        case _:
            return str(value)


def test_every_attribute_of_ctx_and_every_method_of_the_engine_is_there() -> None:
    for heading, kind in (("ctx", Context), ("Engine 的方法 methods of Engine", Engine)):
        named = {re.split(r"\W", name)[0] for first, *_ in rows(heading) for name in quoted(first)} - {"Engine"}
        public = {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")} - {"start", "stop"}

        assert named == public
