"""Shells as processes: what a script does, how it ends, and with which status."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.command_line import Running, engine, folder

WORKFLOW = """
id: w
tasks:
  - {id: t, action: "actions:t", isolation: thread}
  - {id: last, action: "actions:t", isolation: thread, depends_on: [t]}
"""
ACTION = "def t(ctx):\n    ctx.sleep(0.1)\n"
SCRIPT = """
# what a script may hold
inject DATA_READY 000003 priority=0
injekt
{last}
"""


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    return folder(tmp_path / "d", workflows=WORKFLOW, actions=ACTION)


def complaints(ended: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in ended.stderr.splitlines() if line.startswith("line ")]


def test_a_script_stops_at_its_first_error_with_its_line_and_status(definitions: Path) -> None:
    script = SCRIPT.format(last="inject DATA_READY 000004")
    ended = engine("start", "--no-http", "--shell", "--definitions", definitions, stdin=script)

    assert ended.returncode == 2
    assert complaints(ended) == ["line 4: no command 'injekt'; did you mean 'inject'?; 'help' lists them"]
    # The end of a script waits for what it began.
    assert ended.stdout.splitlines()[-1].startswith("workflow engine stopped: completed 1, ")


def test_a_script_that_keeps_going_does_the_rest_and_tells_by_its_status(definitions: Path) -> None:
    script = SCRIPT.format(last="inject DATA_READY 000004")
    ended = engine("start", "--no-http", "--shell", "--keep-going", "--definitions", definitions, stdin=script)

    assert ended.returncode == 2
    assert len(complaints(ended)) == 1
    assert ended.stdout.splitlines()[-1].startswith("workflow engine stopped: completed 2, ")


def test_quit_in_a_script_does_not_wait(definitions: Path) -> None:
    ended = engine(
        "start",
        "--no-http",
        "--shell",
        "--grace",
        "0",
        "--definitions",
        definitions,
        stdin="inject DATA_READY 1\nquit\ninjekt\n",
    )

    assert ended.returncode == 0
    assert "injekt" not in ended.stderr
    assert "unfinished 1" in ended.stdout.splitlines()[-1]


def test_a_script_in_another_encoding_is_told_and_harmless(definitions: Path) -> None:
    script = "put 1 name=万科\n".encode("gbk") + b"inject DATA_READY 1\n"
    ended = engine("start", "--no-http", "--shell", "--definitions", definitions, stdin=script)

    assert ended.returncode == 2
    assert complaints(ended) == ["line 1: the line is not UTF-8 (byte 12); write it in UTF-8"]
    assert "completed 0" in ended.stdout.splitlines()[-1]


# --- attached to an engine of another process ----------------------------------------------------


@pytest.fixture
def attached(definitions: Path) -> Iterator[tuple[Running, Path]]:
    with Running("start", "--no-http", "--lang", "en", "--definitions", definitions) as running:
        running.wait_for("control API:")
        yield running, definitions
        running.signal(signal.SIGTERM)
        assert running.end() == 0


def test_a_script_on_a_running_engine_does_its_lines_and_leaves_it_running(attached: tuple[Running, Path]) -> None:
    _, definitions = attached
    script = "# a comment\ninject DATA_READY 000003 id=e1; wait 10\nruns -o name\n"

    ended = engine("shell", "--definitions", definitions, stdin=script)

    assert ended.returncode == 0
    assert ended.stdout.splitlines()[0].startswith("accepted e1: w_000003_")
    assert ended.stdout.splitlines()[1].startswith("w_000003_")
    assert ended.stderr == "idle\n"
    assert engine("shell", "-c", "show 000003; quit; injekt", "--definitions", definitions).returncode == 0
    assert engine("stats", "--definitions", definitions).returncode == 0


@pytest.mark.parametrize(
    ("script", "status", "line"),
    [
        ("injekt", 2, 1),
        ("\nshow nobody\ninjekt", 5, 2),
        ("put A phase=x\npause nothing", 5, 2),
        ("put A phase=x; retry nothing", 5, 1),
        ("inject TASK_COMPLETED A", 2, 1),
        ("run w A\nwait 0.01", 124, 2),
        ("run w A --timeout 0.01", 124, 1),
    ],
)
def test_a_script_ends_with_the_status_of_its_first_error(
    attached: tuple[Running, Path], script: str, status: int, line: int
) -> None:
    _, definitions = attached

    ended = engine("shell", "--definitions", definitions, stdin=script)
    given = engine("shell", "-c", script, "--definitions", definitions)

    for each in (ended, given):
        assert each.returncode == status
        assert [told.split(":")[0] for told in complaints(each)] == [f"line {line}"]


def test_what_is_no_text_or_far_too_long_is_told_in_one_line(attached: tuple[Running, Path]) -> None:
    _, definitions = attached
    script = b"put 1 name=\xcd\xf2\nshow \x00\x1b[2J\n" + b"x" * 10_000_000 + b"\nput A phase=x\n"

    ended = engine("shell", "--keep-going", "--definitions", definitions, stdin=script)

    assert ended.returncode == 2
    told = complaints(ended)
    assert [line.split(":")[0] for line in told] == ["line 1", "line 2", "line 3"]
    assert all(line.isprintable() and len(line) < 300 for line in told)
    assert "A" in engine("entities", "-o", "name", "--definitions", definitions).stdout


def test_every_command_of_the_shell_is_one_of_the_command_line(attached: tuple[Running, Path]) -> None:
    _, definitions = attached
    for command, status in (("inject DATA_READY B id=e2", 0), ("wait 10", 0), ("wait 0", 0), ("show nobody", 5)):
        assert engine(*command.split(), "--definitions", definitions).returncode == status
    found = engine("runs", "-o", "name", "--definitions", definitions)
    assert found.stdout.startswith("w_B_")


def test_an_engine_that_is_not_there_is_status_6_and_one_line_with_the_cure(definitions: Path) -> None:
    for arguments in (["shell"], ["shell", "-c", "stats"], ["stats"], ["inject", "X", "1"], ["top"]):
        ended = engine(*arguments, "--definitions", definitions)

        assert ended.returncode == 6
        assert ended.stdout == ""
        assert len(ended.stderr.splitlines()) == 1
        assert "engine start" in ended.stderr
