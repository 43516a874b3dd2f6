"""The shell on a live engine: what an order does, what it answers, and that nothing typed harms it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import Engine
from actors.shell import Shell, completions
from actors.tables import table
from tests.engine.command_line import COMMAND, engine, environment, folder

DEFINITIONS: dict[str, Any] = {
    "workflows": {
        "fast": {"tasks": [{"id": "quick", "action": "quick"}]},
        "slow": {"trigger": "manual", "tasks": [{"id": "held", "action": "held", "timeout": 60_000}]},
        "order": {
            "trigger": "manual",
            "tasks": [
                {"id": "send", "action": "held", "timeout": 30, "delivery": "at_most_once", "preemptible": False}
            ],
        },
    },
    "settings": {"agents": 2},
}


class Session:
    """Types lines at a shell and keeps what it says."""

    def __init__(self, live: Engine) -> None:
        self.engine = live
        self.said: list[str] = []
        self.wrong: list[str] = []
        self._shell = Shell(live, say=self.said.append, complain=self.wrong.append)

    def type(self, *lines: str, interactive: bool = True) -> tuple[int, bool]:
        self.said.clear()
        self.wrong.clear()
        return self._shell.run(Typed(lines, interactive=interactive))


class Typed:
    def __init__(self, lines: tuple[str, ...], *, interactive: bool) -> None:
        self.interactive = interactive
        self._lines = iter(lines)

    def read(self) -> str | None:
        return next(self._lines, None)

    def close(self) -> None:
        self._lines = iter(())


@pytest.fixture
def session() -> Iterator[Session]:
    gate = threading.Event()

    def held(ctx: Any) -> str:
        while not gate.is_set():
            ctx.sleep(0.01)
        return "let go"

    def quick(ctx: Any) -> Any:
        return ctx.event.data if ctx.event else None

    with Engine(DEFINITIONS, actions={"quick": quick, "held": held}) as live:
        yield Session(live)
        gate.set()


def test_an_injected_event_does_its_work(session: Session) -> None:
    session.type("inject DATA_READY 000003 priority=0 price=10.9 id=e1", "wait 10", "show 000003")

    instance = session.engine.instances()[0]
    assert session.said[0] == f"accepted e1: {instance.id}"
    assert session.said[1] == "idle"
    assert (instance.status, instance.priority, instance.tasks[0].result) == ("completed", 2, {"price": 10.9})
    assert any(line.split() == ["priority", "0"] for line in session.said)

    session.type("inject DATA_READY 000003 priority=0 price=10.9 id=e1")
    assert session.said == [f"accepted e1, as before: this id is known: {instance.id}"]


def test_put_adds_and_changes_an_entity_and_starts_what_is_ready(session: Session) -> None:
    session.type("put 600036 name=招商银行 priority=1 phase=data_ready", "wait 10", "put 600036 priority=0 phase=seen")

    entity = session.engine.entity("600036")
    assert (entity.name, entity.priority, entity.phase) == ("招商银行", 0, "seen")
    assert [instance.workflow for instance in session.engine.instances()] == ["fast"]


def test_what_runs_is_shown_reprioritised_and_cancelled(session: Session) -> None:
    session.type("put A phase=idle", "run slow A")
    instance = session.engine.instances()[0].id

    session.type("agents", "show", f"show {instance}", f"reprio {instance} 0", f"cancel {instance}", "wait 10")

    assert not session.wrong
    assert session.engine.instance(instance).priority == 0
    assert session.engine.instance(instance).status == "cancelled"
    task = session.engine.instance(instance).tasks[0].id
    session.type(f"show {task}", f"why {task}")
    assert any("cancelled" in line for line in session.said)


def test_a_paused_workflow_starts_nothing_until_it_is_resumed(session: Session) -> None:
    session.type("pause fast", "inject DATA_READY A", "queues")
    assert session.said[-2:] == ["priority  depth  oldest_ms", session.said[-1]]
    assert session.said[-1].split()[:2] == ["2", "1"]
    task = session.engine.instances()[0].tasks[0].id
    session.type(f"why {task}")
    assert any("paused" in line for line in session.said)

    session.type("resume fast", "wait 10", "queues")
    assert session.said[-1] == "nothing waits"


def test_an_unknown_outcome_is_resolved(session: Session) -> None:
    session.type("put A phase=idle", "run order A", "wait 10")
    task = session.engine.instances()[0].tasks[0]
    assert task.status == "unknown"

    session.type(f"resolve {task.id} completed", "wait 10")

    assert session.said[0] == f"{task.id} is resolved: completed"
    assert session.engine.instances()[0].status == "completed"


def test_waiting_is_bounded(session: Session) -> None:
    session.type("put A phase=idle", "run slow A", "wait 0.05")

    assert session.wrong == ["wait: still at work after 0.05 s; 'queues' and 'agents' say with what"]
    session.type(f"cancel {session.engine.instances()[0].id}")


@pytest.mark.parametrize(
    "line",
    [
        "inject DATA_REDY A",
        "inject TASK_COMPLETED A",
        "inject DATA_READY A priority=-1",
        "inject DATA_READY A priority=high",
        "inject DATA_READY A valid_for_ms=soon",
        "inject DATA_READY ''",
        "put A status=asleep",
        "put A priority=1.5",
        "run nothing A",
        "show nobody",
        "why nothing",
        "cancel nothing",
        "reprio nothing 1",
        "resolve nothing failed",
        "pause nothing",
        "injekt",
        'inject DATA_READY A x="',
        "inject DATA_READY A x=" + "y" * 1_100_000,
    ],
)
def test_bad_input_is_one_short_line_and_the_engine_goes_on(session: Session, line: str) -> None:
    wrong, _ = session.type(line, "inject DATA_READY B", "wait 10", interactive=False)

    assert wrong == 1
    assert len(session.wrong) == 1
    assert session.wrong[0].startswith("line 1: ")
    assert len(session.wrong[0]) < 300
    assert session.said[-1] == "idle"
    assert session.engine.instances()[0].status == "completed"


def test_a_mistyped_event_type_is_suggested(session: Session) -> None:
    session.type("inject DATA_REDY A")

    assert session.wrong[0].endswith("did you mean 'DATA_READY'?")


def test_quit_ends_at_once_and_help_explains_every_command(session: Session) -> None:
    assert session.type("help", "help inject", "quit", "injekt") == (0, True)
    assert any(line.startswith("inject TYPE ENTITY") for line in session.said)
    assert any("for example: inject DATA_READY" in line for line in session.said)


def test_the_tab_key_knows_what_this_engine_knows(session: Session) -> None:
    offered = completions(session.engine)

    assert set(offered["run"]) == {"fast", "slow", "order"}
    assert "HIGH_PRIORITY_ARRIVED" in offered["inject"]
    assert "TASK_COMPLETED" not in offered["inject"]


def test_columns_line_up_where_characters_are_wide() -> None:
    lines = table([{"id": "000001", "name": "平安银行", "n": 0}, {"id": "2", "name": "A", "n": None}])

    assert lines == ["id      name      n", "000001  平安银行  0", "2       A         -"]


# --- as a process ------------------------------------------------------------------------------

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


def test_a_script_goes_on_after_an_error_names_its_line_and_exits_1(definitions: Path) -> None:
    script = SCRIPT.format(last="inject DATA_READY 000004")
    ended = engine("start", "--shell", "--definitions", definitions, stdin=script)

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[1:] == ["line 4: no command 'injekt'; did you mean 'inject'?; 'help' lists them"]
    # The end of a script waits for what it began.
    assert ended.stdout.splitlines()[-1].startswith("workflow engine stopped: completed 2, ")


def test_quit_in_a_script_does_not_wait(definitions: Path) -> None:
    ended = engine(
        "start", "--shell", "--grace", "0", "--definitions", definitions, stdin="inject DATA_READY 1\nquit\ninjekt\n"
    )

    assert ended.returncode == 0
    assert "injekt" not in ended.stderr
    assert "unfinished 1" in ended.stdout.splitlines()[-1]


def test_a_script_in_another_encoding_is_told_and_harmless(definitions: Path) -> None:
    script = "put 1 name=万科\n".encode("gbk") + b"inject DATA_READY 1\n"
    ended = engine("start", "--shell", "--definitions", definitions, stdin=script)

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[1:] == ["line 1: the line is not UTF-8 (byte 12)"]
    assert "completed 1" in ended.stdout.splitlines()[-1]


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
    terminal = Terminal("start", "--shell", "--lang", "en", "--definitions", definitions)
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
