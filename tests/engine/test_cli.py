"""The command line itself: help, validation, exit statuses, and no traceback for a user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import actors
from actors import cli
from actors.commands.tree import COMMANDS, tree
from actors.errors import (
    DefinitionError,
    EngineFailed,
    EngineStopped,
    EngineUnreachable,
    Fault,
    MissingExtra,
    NotFoundError,
    Overloaded,
    RefusedError,
    RequestError,
)
from actors.status import Status, sentence, status_of
from tests.engine.command_line import ROOT, engine, environment, folder

FINE = 'id: w\ntasks: [{id: t, action: "actions:t"}]\n'
FAULTY = 'id: w\ntasks: [{id: t, action: "actions:nope"}, {id: u, acton: x, run: [ls]}]\n'
ACTIONS = "def t(ctx):\n    return 1\n"


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_the_commands_and_the_exit_statuses(option: str) -> None:
    ended = engine(option)

    assert ended.returncode == 0
    assert all(word in ended.stdout for word in ("start", "validate", "schema", "130 interrupted"))


def test_each_command_says_the_same_of_itself_in_the_list_and_in_its_own_help() -> None:
    for name, place in COMMANDS.items():
        command = tree.get_command(click.Context(tree), name)
        assert command is not None
        assert command.name == name
        assert (command.help or "").split("\n\n")[0].replace("\n", " ").startswith(place.summary), name


def test_the_version_is_the_packages() -> None:
    assert engine("--version").stdout == f"engine, version {actors.__version__}\n"


def test_the_version_loads_nothing_heavy() -> None:
    code = (
        "import sys; from actors.cli import run; run(['--version']); run(['--help']);"
        "print({'structlog', 'pykka', 'pydantic', 'yaml', 'asyncio', 'rich', 'prompt_toolkit', 'httpx',"
        " 'actors.commands.start'} & set(sys.modules))"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=ROOT,
        timeout=20,
        check=True,
    )

    assert ended.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["strat"], "did you mean 'start'?"),
        (["start", "--until-idel"], "--until-idle"),
        (["start", "--agents", "0"], "--agents"),
        (["start", "--speed", "0", "--replay", "x"], "--speed"),
        (["start", "--speed", "60"], "--speed goes with --replay"),
        (["start", "--lang", "fr"], "--lang"),
        (["validate"], "PATH"),
    ],
)
def test_wrong_usage_exits_2_and_names_the_cure(arguments: list[str], told: str) -> None:
    ended = engine(*arguments)

    assert ended.returncode == 2
    assert told in ended.stderr
    assert ended.stdout == ""


def test_a_command_to_a_running_engine_loads_no_more_than_it_needs() -> None:
    code = (
        "import sys; from actors.cli import run; run(['inject', 'X', '1', 'a=1', '--data-dir', '/nowhere']);"
        "print({'structlog', 'pykka', 'pydantic', 'asyncio', 'rich', 'prompt_toolkit', 'httpx', 'actors.model'}"
        " & set(sys.modules))"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=ROOT,
        timeout=20,
        check=True,
    )

    assert "no engine runs in /nowhere" in ended.stderr
    assert ended.stdout.splitlines()[-1] == "set()"


def test_a_valid_folder_validates(tmp_path: Path) -> None:
    ended = engine("validate", folder(tmp_path / "d", workflows=FINE, actions=ACTIONS), "definitions/trading")

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "no faults\n", "")


def test_validation_prints_all_faults_of_all_paths_and_exits_4(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", workflows=FAULTY, actions=ACTIONS)
    two = folder(tmp_path / "two", engine_yaml="agnets: 5\n", workflows=FINE, actions=ACTIONS)

    ended = engine("validate", one, two)

    assert ended.returncode == 4
    faults = ended.stdout.splitlines()
    assert [fault.split(":")[0].rsplit("/", 2)[1] for fault in faults] == ["one"] * (len(faults) - 1) + ["two"]
    assert any("nope" in fault for fault in faults)
    assert any("did you mean 'action'" in fault for fault in faults)
    assert "did you mean 'agents'" in faults[-1]


def test_what_is_not_there_exits_5_and_the_rest_is_still_validated(tmp_path: Path) -> None:
    ended = engine("validate", tmp_path / "nowhere", "definitions/trading")
    assert ended.returncode == 5
    assert ended.stderr == f"{tmp_path / 'nowhere'}: no such file or folder\n"

    faulty = folder(tmp_path / "d", workflows=FAULTY, actions=ACTIONS)
    assert engine("validate", tmp_path / "nowhere", faulty).returncode == 4


def test_the_schema_is_json_that_knows_the_fields() -> None:
    schema = json.loads(engine("schema").stdout)

    assert schema["$schema"].startswith("https://json-schema.org/")
    assert "max_preemptions" in json.dumps(schema)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--definitions", "NOWHERE"], 5, "NOWHERE: no such definitions folder"),
        (["--replay", "NOWHERE"], 5, "NOWHERE"),
    ],
)
def test_what_cannot_start_is_one_line(arguments: list[str], status: int, told: str) -> None:
    ended = engine("start", "--until-idle", *arguments)

    assert ended.returncode == status
    assert ended.stdout == ""
    assert told in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_store_that_does_not_exist_is_wrong_usage() -> None:
    ended = engine("start", "--until-idle", "--store", "nosuch://x")

    assert ended.returncode == 2
    assert "nosuch" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_faulty_definitions_do_not_start_and_every_fault_is_told(tmp_path: Path) -> None:
    ended = engine("start", "--definitions", folder(tmp_path / "d", workflows=FAULTY, actions=ACTIONS))

    assert ended.returncode == 4
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) >= 2
    assert all(line.startswith(f"{tmp_path}") for line in ended.stderr.splitlines())


def test_a_missing_extra_is_one_sentence_with_the_command_and_status_3() -> None:
    code = "import sys; sys.modules['click'] = None; from actors.cli import main; sys.argv = ['engine']; main()"

    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=ROOT,
        timeout=20,
        check=False,
    )

    assert ended.returncode == 3
    assert ended.stderr == (
        "The command line needs the extra 'server' ('click' is not installed): "
        f"{sys.executable} -m pip install '{ROOT}[server]'\n"
    )


def test_what_a_terminal_lacks_is_one_sentence_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacking(_: object) -> int:
        raise ModuleNotFoundError("No module named 'rich.table'", name="rich.table")

    monkeypatch.setattr("actors.commands.tree.run_command", lacking)

    assert cli.run(["top"]) == Status.MISSING_EXTRA
    assert capsys.readouterr().err.startswith(
        "'top' at a terminal needs the extra 'server' ('rich.table' is not installed)"
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MissingExtra("x"), 3),
        (DefinitionError([Fault("f", 1, 1, "", "x")]), 4),
        (NotFoundError("x"), 5),
        (FileNotFoundError(2, "No such file", "x"), 5),
        (RefusedError("x"), 7),
        (Overloaded("x", retry_after=1), 7),
        (RequestError("x"), 2),
        (EngineFailed("x"), 70),
        (EngineStopped("x"), 1),
        (EngineUnreachable("x"), 6),
        (TimeoutError("x"), 124),
        (TimeoutError(), 124),
        (PermissionError(13, "Permission denied", "x"), 1),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("x"), 1),
    ],
)
def test_each_kind_of_error_has_its_status_and_one_line(error: BaseException, status: int) -> None:
    assert status_of(error) == status
    assert len(sentence(error).splitlines()) == 1
    assert not sentence(error).startswith("unexpected") or isinstance(error, ZeroDivisionError)


def failing(_: object) -> int:
    raise ZeroDivisionError("by zero")


def test_the_unexpected_is_a_sentence_and_its_traceback_comes_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "invoke", failing)

    assert cli.run(["start"]) == Status.FAILED
    assert capsys.readouterr().err == "unexpected ZeroDivisionError: by zero (--debug shows where)\n"

    assert cli.run(["start", "--debug"]) == Status.FAILED
    assert "Traceback" in capsys.readouterr().err


def test_windows_is_refused_in_one_sentence_that_names_wsl(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")

    assert cli.run(["start"]) == Status.USAGE
    told = capsys.readouterr().err
    assert "WSL" in told
    assert len(told.splitlines()) == 1


def test_an_unreadable_folder_is_a_sentence(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "d").write_bytes(b"\xff\xfe")  # to the superuser everything is readable; this is no definition
    else:
        folder(tmp_path / "d", workflows=FINE, actions=ACTIONS).chmod(0)

    ended = engine("start", "--definitions", tmp_path / "d")

    assert ended.returncode in (1, 4)
    assert "Traceback" not in ended.stderr
