"""What is printed: data on standard output in the form asked for, messages beside it, in any encoding."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from actors import cli
from actors.commands.output import Format, Output, Style
from tests.commands.conftest import CommandLine
from tests.engine.command_line import COMMAND, ROOT, environment

ITEMS: list[dict[str, Any]] = [
    {"id": "000001", "name": "平安银行", "status": "completed", "n": None},
    {"id": "2", "name": "\x1b[31mred\n", "status": "failed", "n": 1.5},
]


class Said:
    def __init__(self, form: str, *, plain: bool = False, quiet: bool = False) -> None:
        self.data: list[str] = []
        self.messages: list[str] = []
        style = Style(Format(form), plain=plain, quiet=quiet)
        self.out = Output(self.data.append, self.messages.append, style)


def test_a_table_has_aligned_columns_and_no_control_characters() -> None:
    said = Said("table")

    said.out.rows(ITEMS)

    assert said.data == [
        "id      name       status     n",
        "000001  平安银行   completed  -",
        "2       �[31mred�  failed     1.5",
    ]


def test_each_form_says_the_same_and_can_be_read_back() -> None:
    as_json, as_lines, as_yaml, as_names = Said("json"), Said("jsonl"), Said("yaml"), Said("name")
    for said in (as_json, as_lines, as_yaml, as_names):
        said.out.rows(ITEMS)

    assert json.loads("\n".join(as_json.data)) == ITEMS
    assert [json.loads(line) for line in as_lines.data] == ITEMS
    assert yaml.safe_load("\n".join(as_yaml.data)) == ITEMS
    assert as_names.data == ["000001", "2"]


def test_what_was_done_is_a_message_to_people_and_data_to_programs() -> None:
    for form, data, messages in (
        ("table", [], ["a is cancelled"]),
        ("jsonl", ['{"id": "a"}'], []),
        ("name", ["a"], []),
    ):
        said = Said(form)
        said.out.done({"id": "a"}, "a is cancelled")
        assert (said.data, said.messages) == (data, messages)


def test_quiet_leaves_out_messages_and_no_data() -> None:
    said = Said("table", quiet=True)

    said.out.done({"id": "a"}, "a is cancelled")
    said.out.rows([], empty="nothing waits")
    said.out.rows([{"id": "a"}])

    assert said.messages == []
    assert said.data == ["id", "a"]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("plain", "variables", "coloured"),
    [(False, {}, True), (True, {}, False), (False, {"NO_COLOR": "1"}, False), (False, {"TERM": "dumb"}, False)],
)
def test_colours_are_for_a_terminal_that_wants_them(
    monkeypatch: pytest.MonkeyPatch, plain: bool, variables: Mapping[str, str], coloured: bool
) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said = Said("table", plain=plain)

    said.out.rows(ITEMS)

    text = "\n".join(said.data)
    assert ("\x1b[" in text) is coloured
    assert "\x1b[31m" not in text.replace("\x1b[31mfailed", "")
    assert "平安银行" in text


class Narrow(io.StringIO):
    encoding = "gbk"


def test_json_and_yaml_stay_what_they_are_in_an_encoding_that_lacks_a_character(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", Narrow())
    for value, kept in (("平安", True), ("é😀", False)):
        for form, read in (("json", json.loads), ("jsonl", json.loads), ("yaml", yaml.safe_load)):
            said = Said(form)
            said.out.one({"name": value})
            text = "\n".join(said.data)
            text.encode("gbk")
            assert read(text) == {"name": value}
            assert (value in text) is kept


@pytest.mark.parametrize(("form", "read"), [("table", None), ("json", json.loads), ("yaml", yaml.safe_load)])
def test_a_command_prints_what_can_be_read_in_another_encoding(run: CommandLine, form: str, read: Any) -> None:
    run("put", "A", "name=招商银行é😀", "phase=idle")

    ended = subprocess.run(
        [*COMMAND, "entities", "-o", form, "--data-dir", str(run.data)],
        capture_output=True,
        env=environment({"PYTHONIOENCODING": "gbk"}),
        timeout=20,
        check=True,
        cwd=ROOT,
    )

    text = ended.stdout.decode("gbk")
    assert ended.stderr == b""
    assert "招商银行" in text if read is None else read(text)[0]["name"] == "招商银行é😀"


def test_a_reader_that_has_enough_is_no_error_to_tell_of() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    ended = subprocess.run(
        [*COMMAND, "help"], stdout=writing, stderr=subprocess.PIPE, env=environment(), timeout=20, check=False, cwd=ROOT
    )

    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_no_engine_to_speak_to_is_status_6_and_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["ps", "--data-dir", str(tmp_path)]) == 6

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "engine start" in told.err
