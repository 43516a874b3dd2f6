"""Shells as processes: a script's end and status, and a person at a terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.command_line import COMMAND, engine, environment, folder

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


class Terminal:
    """A person at a terminal: types, and reads the screen."""

    def __init__(self, *arguments: str | Path) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env=environment({"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}),
        )  # fmt: skip
        os.close(theirs)
        self._screen = ""
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 65_536)
            except OSError:  # the other end is closed
                return
            with self._changed:
                self._screen += data.decode("utf-8", "replace")
                self._changed.notify_all()

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait_for(self, text: str) -> None:
        """Wait until it is on the screen, after what was waited for before."""
        with self._changed:
            found = self._changed.wait_for(lambda: text in self._screen, timeout=20)
            assert found, f"{text!r} is not on the screen:\n{self._screen}"
            self._screen = self._screen.split(text, 1)[1]

    def end(self) -> int:
        status = self.process.wait(20)
        self._reader.join(5)
        return status

    def close(self) -> None:
        self.process.kill()
        self.process.wait(5)
        self._reader.join(5)
        os.close(self._ours)


@pytest.fixture
def terminal(definitions: Path) -> Iterator[Terminal]:
    terminal = Terminal("start", "--no-http", "--shell", "--lang", "en", "--definitions", definitions)
    yield terminal
    terminal.close()


def test_at_a_terminal_tab_completes_ctrl_c_drops_the_line_and_ctrl_d_leaves(terminal: Terminal) -> None:
    terminal.wait_for("engine>")
    terminal.type("inj\t")
    terminal.wait_for("ect")
    terminal.type(" DATA_R\t")
    terminal.wait_for("EADY")
    terminal.type(" 000003 priority=0\r")
    terminal.wait_for("accepted ")
    terminal.wait_for("task completed: last_000003")
    terminal.type("injekt\x03")
    terminal.type("injekt\r")
    terminal.wait_for("no command 'injekt'")
    terminal.wait_for("engine>")
    terminal.type("\x04")
    terminal.wait_for("workflow engine stopped: completed 1")

    assert terminal.end() == 0


def test_a_signal_ends_the_prompt_too(terminal: Terminal) -> None:
    terminal.wait_for("engine>")
    terminal.process.send_signal(signal.SIGTERM)
    terminal.wait_for("workflow engine stopped: completed 0")

    assert terminal.end() == 0
