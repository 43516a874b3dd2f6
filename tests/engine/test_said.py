"""Whatever an action says, by ctx.log, by logging or by print, is one line that says whose it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors import ChangeType, Engine, Event
from actors.engine import Hosting
from tests.engine.command_line import engine, folder
from tests.engine.test_reloading import ended

ACTIONS = """
import asyncio, logging, sys
from actors import action

logger = logging.getLogger("mine")

def speak(ctx):
    ctx.log.warning("by ctx", rows=3)
    logger.info("by logging %d", 7)

@action("in_a_process")
def in_a_process(ctx):
    speak(ctx)
    print("by print")
    print("two", "words\\nand a second line", file=sys.stderr)
    sys.stdout.write("without an end")
    logging.getLogger("other").error("an error", exc_info=False)

@action("in_a_thread")
def in_a_thread(ctx):
    speak(ctx)

@action("in_the_loop")
async def in_the_loop(ctx):
    speak(ctx)
    await asyncio.sleep(0)
    logger.error("after an await")

@action("after")
def after(ctx):
    print("mine alone")
"""
TASKS = """
id: flow
tasks:
  - {id: p, action: in_a_process}
  - {id: t, action: in_a_thread, isolation: thread}
  - {id: l, action: in_the_loop}
  - {id: a, action: after, depends_on: [p]}
"""


@pytest.fixture
def lines(tmp_path: Path) -> list[dict[str, Any]]:
    """What the command line logs of it, as JSON."""
    definitions = folder(
        tmp_path / "d", engine_yaml="agents: 3\nentities: [{id: E}]\n", workflows=TASKS, actions=ACTIONS
    )
    ran = engine("start", "--until-idle", "--no-http", "--log-format", "json", "--definitions", definitions)
    assert ran.returncode == 0, ran.stderr
    for line in ran.stdout.splitlines():
        json.loads(line)  # Nothing that an action prints is among them.
    return [json.loads(line) for line in ran.stderr.splitlines() if line.startswith("{")]


def test_lines_of_every_runner_carry_instance_task_attempt_entity_and_agent(lines: list[dict[str, Any]]) -> None:
    said = [line for line in lines if "task" in line and "event" in line]

    for line in said:
        assert line["instance"].startswith("flow_E_")
        assert line["task"].split("_")[0] in "ptla"
        assert (line["attempt"], line["entity"]) == (1, "E")
        assert line["agent"].startswith("agent_")
    by_task = {
        name: [(line["level"], line["event"]) for line in said if line["task"].startswith(f"{name}_")]
        for name in "ptla"
    }
    assert by_task["p"] == [
        ("warning", "by ctx rows=3"),
        ("info", "mine: by logging 7"),
        ("info", "by print"),
        ("warning", "two words"),
        ("warning", "and a second line"),
        ("error", "other: an error"),
        ("info", "without an end"),
    ]
    assert by_task["t"] == [("warning", "by ctx rows=3"), ("info", "mine: by logging 7")]
    assert by_task["l"] == [*by_task["t"], ("error", "mine: after an await")]
    assert by_task["a"] == [("info", "mine alone")]


@pytest.fixture
def told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[list[str], str]]:
    def run_one(*, takes_output: bool) -> tuple[list[str], str]:
        flows = folder(tmp_path / "flows", workflows=TASKS, actions=ACTIONS)
        said: list[str] = []
        with Engine(flows, hosting=Hosting(takes_output=takes_output)) as running:
            running.subscribe(
                lambda change: said.extend(text for _, text in change.detail["lines"] if change.task == "p"),
                [ChangeType.TASK_NOTED],
            )
            ended(running, running.publish(Event("DATA_READY", "E")).instances[0])
            running.wait_idle(20)
        return said, capfd.readouterr().out

    return run_one


def test_embedded_what_is_printed_goes_where_the_program_s_own_output_goes(
    told: Callable[..., tuple[list[str], str]],
) -> None:
    said, out = told(takes_output=False)

    assert "mine: by logging 7" in said
    assert "by print" not in said
    assert "by print\n" in out


def test_an_engine_that_has_its_program_to_itself_takes_what_is_printed(
    told: Callable[..., tuple[list[str], str]],
) -> None:
    said, out = told(takes_output=True)

    assert "by print" in said
    assert out == ""


def test_the_engine_s_own_lines_about_an_attempt_carry_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr("actors.runners.threads.ThreadRunner.start", broken)
    flow = {"id": "flow", "tasks": [{"id": "t", "action": "act", "isolation": "thread"}]}
    with Engine(flow, agents=1, actions={"act": lambda ctx: None}) as running:
        id = running.publish(Event("DATA_READY", "E")).instances[0]
        failed = running.wait(id, 20)

    assert failed is not None
    fields = [
        record.__dict__["engine_fields"] for record in caplog.records if record.message.startswith("effect failed")
    ]
    assert {name: fields[0][name] for name in ("instance", "task", "attempt", "entity", "agent")} == {
        "instance": id, "task": failed.tasks[0].id, "attempt": 1, "entity": "E", "agent": "agent_0",
    }  # fmt: skip
