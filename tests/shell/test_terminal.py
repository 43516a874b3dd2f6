"""A person at a real terminal: completion, history, the toolbar, Ctrl-C and Ctrl-D."""

from __future__ import annotations

import os
import signal
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

from tests.engine.command_line import COMMAND, ROOT, Running, engine, environment, folder

WORKFLOWS = """
id: w
tasks:
  - {id: t, action: "actions:t", isolation: thread}
  - {id: last, action: "actions:t", isolation: thread, depends_on: [t]}
---
id: long
trigger: manual
tasks: [{id: held, action: "actions:held", isolation: thread, timeout: 600000}]
"""
ACTIONS = "def t(ctx):\n    ctx.sleep(0.1)\n\n\ndef held(ctx):\n    ctx.sleep(600)\n"
PROMPT = "engine>"
TAB, CTRL_C, CTRL_D, UP = "\t", "\x03", "\x04", "\x1b[A"


class Terminal:
    """What is typed, and what comes to be on the screen."""

    def __init__(self, *arguments: str | Path) -> None:
        self.child = pexpect.spawn(
            COMMAND[0],
            [*COMMAND[1:], *map(str, arguments)],
            env=environment({"TERM": "xterm"}),
            cwd=str(ROOT),
            dimensions=(40, 160),
            encoding="utf-8",
            timeout=20,
        )
        self.screen = pyte.Screen(160, 40)
        # A terminal says where its cursor is when it is asked; without that there is no toolbar.
        self.screen.write_process_input = self.child.send  # type: ignore[assignment, method-assign]
        self._painter = pyte.Stream(self.screen)
        self.child.logfile_read = self
        self.child.delaybeforesend = None

    def type(self, keys: str) -> None:
        self.child.send(keys)

    def wait_for(self, *texts: str) -> None:
        """Wait until these are on the screen, one after the other, after what was waited for before."""
        for text in texts:
            self.child.expect_exact(text)

    def write(self, text: str) -> None:
        """What the program has written comes here, as pexpect reads it."""
        self._painter.feed(text)

    def flush(self) -> None:
        pass

    def show(self, text: str) -> None:
        """Wait until it stands on the screen."""
        give_up = time.monotonic() + 20
        while not any(text in line for line in self.screen.display):
            assert time.monotonic() < give_up, f"{text!r} is not shown:\n" + "\n".join(self.screen.display)
            self.child.expect(pexpect.TIMEOUT, timeout=0.05)

    def busy(self) -> None:
        """Wait until a command is under way: then Ctrl-C is a signal again, no longer a key."""
        give_up = time.monotonic() + 20
        while not termios.tcgetattr(self.child.child_fd)[3] & termios.ISIG:
            assert time.monotonic() < give_up
            os.sched_yield()

    def leave(self) -> int:
        """Type Ctrl-D; return the exit status."""
        # One that is typed while a line is printed above the prompt is lost: the terminal takes it for itself.
        self.type(CTRL_D)
        while self.child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=2):
            assert self.child.isalive()
            self.type(CTRL_D)
        return self.end()

    def end(self) -> int:
        self.child.expect(pexpect.EOF)
        self.child.close()
        assert self.child.exitstatus is not None
        return int(self.child.exitstatus)

    def close(self) -> None:
        self.child.close(force=True)


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    one, two = WORKFLOWS.split("---\n")
    made = folder(tmp_path / "d", workflows=one, actions=ACTIONS)
    (made / "long.yaml").write_text(two, encoding="utf-8")
    return made


@pytest.fixture
def own(definitions: Path) -> Iterator[Terminal]:
    terminal = Terminal("start", "--no-http", "--shell", "--lang", "en", "--definitions", definitions)
    try:
        terminal.wait_for(PROMPT)
        yield terminal
    finally:
        terminal.close()


@pytest.fixture
def running(definitions: Path) -> Iterator[Running]:
    with Running("start", "--no-http", "--lang", "en", "--definitions", definitions) as running:
        running.wait_for("control API:")
        yield running
        running.signal(signal.SIGTERM)
        assert running.end() == 0


@pytest.fixture
def attached(running: Running, definitions: Path) -> Iterator[Terminal]:
    terminal = Terminal("shell", "--lang", "en", "--definitions", definitions)
    try:
        terminal.wait_for(PROMPT)
        yield terminal
    finally:
        terminal.close()


def test_on_its_own_engine_tab_completes_ctrl_c_drops_the_line_and_ctrl_d_stops_it(own: Terminal) -> None:
    own.type(f"inj{TAB}")
    own.wait_for("ect")
    own.type(f" DATA_R{TAB}")
    own.wait_for("EADY")
    own.type(" 000003 priority=0\r")
    own.wait_for("accepted ", "task completed: last_000003")
    own.type(f"injekt{CTRL_C}")
    own.type("injekt\r")
    own.wait_for("no command 'injekt'", PROMPT)
    own.type(CTRL_D)
    own.wait_for("workflow engine stopped: completed 1")

    assert own.end() == 0


def test_a_signal_ends_the_prompt_too(own: Terminal) -> None:
    own.child.kill(signal.SIGTERM)
    own.wait_for("workflow engine stopped: completed 0")

    assert own.end() == 0


def test_ctrl_c_ends_a_command_under_way_and_not_the_engine(own: Terminal) -> None:
    own.type("put A phase=idle\r")
    own.wait_for("phase")
    own.type("run long A\r")
    own.wait_for("task started: held_A_")
    for command in ("wait", "events -f", "watch 60 queues"):
        own.type(f"{command}\r")
        own.wait_for(command, "\n")
        own.busy()
        own.type(CTRL_C)
        while own.child.expect_exact([PROMPT, pexpect.TIMEOUT], timeout=2):
            own.type(CTRL_C)  # It came before the command had begun.
    own.type("stats\r")
    own.wait_for("instances", '"running": 1')
    own.type("quit\r")
    own.wait_for("workflow engine stopped")
    own.end()


def test_attached_it_shows_counts_below_and_changes_above_and_leaves_the_engine_running(
    attached: Terminal, running: Running, definitions: Path
) -> None:
    attached.show("P0 0 · P1 0 · P2 0 · agents 0/2 · preempted 0")
    attached.type("show hel")

    engine("run", "long", "B", "--definitions", definitions)

    attached.show("task started: held_B_")
    attached.show("P0 0 · P1 0 · P2 0 · agents 1/2 · preempted 0")
    # What was typed is still there, below what was told meanwhile.
    attached.show("engine> show hel")
    attached.type(f"d_{TAB}")
    attached.show("engine> show held_B_")
    attached.type("\r")
    attached.show("running")
    attached.type("events -f --type task_cancelled\r")
    attached.show("events -f --type task_cancelled")
    attached.busy()
    engine("shell", "-c", "cancel " + engine("runs", "-o", "name", "--definitions", definitions).stdout.strip(),
           "--definitions", definitions)  # fmt: skip
    attached.show("task cancelled: held_B_")
    attached.type(CTRL_C)
    attached.wait_for(PROMPT)
    assert attached.leave() == 0
    assert engine("stats", "--definitions", definitions).returncode == 0


def test_the_history_lasts_until_the_next_shell(attached: Terminal, definitions: Path) -> None:
    attached.type("show nobody\r")
    attached.wait_for("no entity, instance or task 'nobody'", PROMPT)
    assert attached.leave() == 0
    file = definitions / ".engine" / "history"
    assert "show nobody" in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == 0o600

    again = Terminal("shell", "--lang", "en", "--definitions", definitions)
    again.wait_for(PROMPT)
    again.type(UP)
    again.wait_for("show nobody")
    again.type("\r")
    again.wait_for("no entity, instance or task 'nobody'")
    assert again.leave() == 0


def test_the_fields_of_a_message_are_completed(attached: Terminal) -> None:
    attached.type(f"send keeper PauseW{TAB}")
    attached.show("engine> send keeper PauseWorkflow")
    attached.type(f" wor{TAB}")
    attached.show("engine> send keeper PauseWorkflow workflow=")
    attached.type(f"w {TAB}")
    attached.show("engine> send keeper PauseWorkflow workflow=w paused=")
    attached.type(CTRL_C)
    assert attached.leave() == 0


def test_a_shell_outlives_its_engine_and_says_that_it_is_gone(definitions: Path) -> None:
    with Running("start", "--no-http", "--lang", "en", "--definitions", definitions) as running:
        running.wait_for("control API:")
        shell = Terminal("shell", "--lang", "en", "--definitions", definitions)
        try:
            shell.wait_for(PROMPT)
            running.signal(signal.SIGTERM)
            running.end()
            shell.type("stats\r")
            shell.wait_for("no engine answers", "engine start", PROMPT)
            assert shell.leave() == 0
        finally:
            shell.close()


def test_a_signal_leaves_the_terminal_as_it_was_found(attached: Terminal) -> None:
    attached.child.kill(signal.SIGTERM)

    assert attached.end() == 0


def test_top_stays_in_place_until_ctrl_c(running: Running, definitions: Path) -> None:
    engine("put", "A", "phase=idle", "--definitions", definitions)
    engine("run", "long", "A", "--definitions", definitions)
    top = Terminal("top", "--every", "0.2", "--definitions", definitions)
    try:
        top.show("held_A_")
        top.show("events/s")
        top.show("latest preemptions: none")
        top.type(CTRL_C)
        assert top.end() == 130
    finally:
        top.close()


def test_a_table_at_a_terminal_has_colours_and_the_same_columns(running: Running, definitions: Path) -> None:
    engine("put", "A", "name=招商银行", "phase=idle", "status=failed", "--definitions", definitions)
    for options, coloured in (((), True), (("--plain",), False)):
        table = Terminal("entities", *options, "--definitions", definitions)
        try:
            assert table.end() == 0
            assert any("招商银行  idle   failed" in line for line in table.screen.display)
            colours = {cell.fg for line in table.screen.buffer.values() for cell in line.values()}
            assert ("red" in colours) is coloured
        finally:
            table.close()
