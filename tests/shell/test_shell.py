"""The shell on a live engine: what a line does, what it answers, and that nothing typed harms it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from actors import ChangeType
from actors.commands.rows import live_row
from actors.commands.tree import COMMANDS
from actors.shell.running import Shell
from actors.status import Status
from actors.tables import table
from tests.shell.conftest import Session, Typed


def test_an_injected_event_does_its_work(session: Session) -> None:
    session.type("inject DATA_READY 000003 priority=0 price=10.9 id=e1", "wait 10", "show 000003")

    instance = session.engine.instances()[0]
    assert session.said[0] == f"accepted e1: {instance.id}"
    assert session.told == ["idle"]
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

    session.type("agents", "ps", f"show {instance}", f"reprio {instance} 0", f"cancel {instance}", "wait 10")

    assert session.told == [f"{instance} has priority 0", f"cancelling {instance}", "idle"]
    assert session.engine.instance(instance).priority == 0
    assert session.engine.instance(instance).status == "cancelled"
    task = session.engine.instance(instance).tasks[0].id
    session.type(f"show {task}", f"why {task}")
    assert any("cancelled" in line for line in session.said)


def test_a_paused_workflow_starts_nothing_until_it_is_resumed(session: Session) -> None:
    session.type("pause fast", "inject DATA_READY A", "queues")
    assert session.said[-2] == "priority  depth  oldest_ms"
    assert session.said[-1].split()[:2] == ["2", "1"]
    task = session.engine.instances()[0].tasks[0].id
    session.type(f"why {task}")
    assert any("paused" in line for line in session.said)

    session.type("resume fast", "wait 10", "queues")
    assert session.told[-1] == "nothing waits"


def test_an_unknown_outcome_is_resolved(session: Session) -> None:
    session.type("put A phase=idle", "run order A", "wait 10")
    task = session.engine.instances()[0].tasks[0]
    assert task.status == "unknown"

    session.type(f"resolve {task.id} completed", "wait 10")

    assert session.told[0] == f"{task.id} is resolved: completed"
    assert session.engine.instances()[0].status == "completed"


def test_waiting_is_bounded(session: Session) -> None:
    session.type("put A phase=idle", "run slow A")

    status, _ = session.type("wait 0.05", interactive=False)

    assert status == Status.TIMEOUT
    assert session.told == ["line 1: still at work after 0.05 s; 'queues' and 'agents' say with what"]
    assert session.type("run slow A --timeout 0.05", interactive=False)[0] == Status.TIMEOUT
    session.type(*[f"cancel {instance.id}" for instance in session.engine.instances()])


def test_a_run_that_is_waited_for_says_how_it_ended(session: Session) -> None:
    session.type("put A phase=idle")

    assert session.type("run fast A --wait", interactive=False) == (Status.OK, False)
    assert ["status", "completed"] in [line.split() for line in session.said]
    status, _ = session.type("run order A --wait", interactive=False)

    assert status == Status.FAILED
    assert session.told[-1] == "line 1: 'run' ended with status 1"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("inject DATA_REDY A", 2),
        ("inject TASK_COMPLETED A", 2),
        ("inject DATA_READY A priority=-1", 2),
        ("inject DATA_READY A priority=high", 2),
        ("inject DATA_READY A valid_for_ms=soon", 2),
        ("inject DATA_READY ''", 2),
        ("inject DATA_READY", 2),
        ("inject DATA_READY A x=1 x=2", 2),
        ("inject DATA_READY A price", 2),
        ("inject DATA_READY A --data {", 2),
        ('inject DATA_READY A --data \'{"a": 1, "a": 2}\'', 2),
        ("inject DATA_READY A --data [1] x=1", 2),
        ("inject DATA_READY A --data @nowhere.json", 5),
        ("inject DATA_READY A x=1e999", 2),
        ("put A", 2),
        ("put A nmae=x", 2),
        ("put A status=asleep", 2),
        ("put A priority=1.5", 2),
        ("run nothing A", 5),
        ("show nobody", 5),
        ("why nothing", 5),
        ("cancel nothing", 5),
        ("reprio nothing 1", 5),
        ("reprio nothing -1", 2),
        ("reprio nothing 99999999999999", 2),
        ("resolve nothing failed", 5),
        ("resolve nothing done", 2),
        ("pause nothing", 5),
        ("wait soon", 2),
        ("runs --limit 0", 2),
        ("runs --status asleep", 2),
        ("queues -o xml", 2),
        ("queues --nosuch", 2),
        ("queues more", 2),
        ("events", 2),
        ("help injekt", 2),
        ("watch 1 injekt", 2),
        ("watch 0.1 show", 2),
        ("start", 2),
        ("shell", 2),
        ("injekt", 2),
        ("a=b", 2),
        ("\x1b[31m", 2),
        ("show \x00", 5),
        ('inject DATA_READY A x="', 2),
        ("inject DATA_READY A x=[1", 2),
        ("inject DATA_READY A x=" + "y" * 1_100_000, 2),
        ("x" * 2_000_001, 2),
    ],
)
def test_bad_input_is_one_short_line_with_its_status_and_the_engine_goes_on(
    session: Session, line: str, status: int
) -> None:
    assert session.type(line, "inject DATA_READY B", interactive=False) == (status, False)

    assert len(session.told) == 1
    assert session.told[0].startswith("line 1: ")
    assert session.told[0].isprintable()
    assert len(session.told[0]) < 500
    assert session.said == []
    session.type("inject DATA_READY B", "wait 10")
    assert session.engine.instances()[0].status == "completed"


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("inject DATA_REDY A", "DATA_READY"),
        ("injekt", "inject"),
        ("run fats A", "fast"),
        ("pause slwo", "slow"),
        ("show 00004", "000042"),
        ("queues -o jsn", "json"),
        ("put A pahse=x", "phase"),
        ("resolve t complete", "completed"),
        ("help injekt", "inject"),
    ],
)
def test_what_was_meant_by_a_wrong_word_is_suggested(session: Session, line: str, meant: str) -> None:
    session.type("put 000042 phase=idle")

    session.type(line)

    assert f"did you mean '{meant}'?" in session.told[0]


def test_a_script_stops_at_its_first_error_and_keeps_its_status(session: Session) -> None:
    script = ("# a comment", "", "put A phase=seen; show nobody", "put B phase=seen")

    assert session.type(*script, interactive=False) == (Status.NOT_FOUND, False)

    assert [entity.id for entity in session.engine.entities()] == ["A"]
    assert session.told[0].startswith("line 3: no entity, instance or task 'nobody'")


def test_a_script_that_keeps_going_does_the_rest_and_keeps_the_first_status(session: Session) -> None:
    script = ("show nobody", "injekt", "put B phase=seen")

    assert session.type(*script, interactive=False, keep_going=True) == (Status.NOT_FOUND, False)

    assert [entity.id for entity in session.engine.entities()] == ["B"]
    assert [told.split(":")[0] for told in session.told] == ["line 1", "line 2"]


def test_a_persons_error_does_not_end_the_shell_and_names_no_line(session: Session) -> None:
    session.type("injekt", "put A phase=seen")

    assert session.told == ["no command 'injekt'; did you mean 'inject'?; 'help' lists them"]
    assert [entity.id for entity in session.engine.entities()] == ["A"]


def test_quit_ends_at_once_and_help_explains_every_command(session: Session) -> None:
    assert session.type("help", "help inject", "quit", "injekt") == (Status.OK, True)

    assert any(line.startswith("inject ") for line in session.said)
    assert any(line.strip() == "inject DATA_READY 000003 priority=0 price=10.9" for line in session.said)
    for name, place in COMMANDS.items():
        if place.in_shell:
            session.type(f"help {name}")
            assert not session.told
            assert place.example in " ".join(" ".join(session.said).split())


def test_an_entity_that_looks_like_a_number_is_a_name(session: Session) -> None:
    session.type("put 360 name=360 phase=7 --data [1,null]")

    entity = session.engine.entity("360")
    assert (entity.name, entity.phase, entity.data) == ("360", "7", [1, None])


def test_quotes_make_a_value_text(session: Session) -> None:
    session.type("""inject DATA_READY A a="10.9" b=10.9 c='true' d=[1,"2"] e="" f=000003 g="x=y; z" """, "wait 10")

    result = session.engine.instances()[0].tasks[0].result
    assert result == {"a": "10.9", "b": 10.9, "c": "true", "d": [1, "2"], "e": "", "f": "000003", "g": "x=y; z"}


def test_data_comes_from_a_file_too(session: Session, tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text('{"price": 1, "name": "万科"}', encoding="utf-8")

    session.type(f"inject DATA_READY A price=2 --data @{tmp_path}/file.json", "wait 10")

    assert session.engine.instances()[0].tasks[0].result == {"price": 2, "name": "万科"}


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"\xff", "not UTF-8"), (b"{", "JSON"), (b"[" * 100_000, "nested"), (b" " * 2_000_001, "more than")],
)
def test_a_file_that_is_no_data_is_one_line(session: Session, tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "file").write_bytes(content)

    session.type(f"inject DATA_READY A --data @{tmp_path}/file")

    assert len(session.told) == 1
    assert told in session.told[0]
    assert len(session.told[0]) < 400


def test_a_watched_command_runs_again_and_again(session: Session) -> None:
    session.type("watch --count 3 0.1 queues")

    assert session.told == ["nothing waits"] * 3


def test_a_command_that_is_interrupted_leaves_the_shell_as_it_was(session: Session) -> None:
    session.type("put A phase=idle", "run slow A")
    shell = Shell(session.face)
    ended: list[tuple[Status, bool]] = []
    lines = Typed(("wait", "put B phase=x"), interactive=True)
    runner = threading.Thread(target=lambda: ended.append(shell.run(lines)))
    runner.start()
    give_up = time.monotonic() + 10
    while not shell.interrupt():
        assert time.monotonic() < give_up
        runner.join(0.01)
    runner.join(10)

    assert ended == [(Status.INTERRUPTED, False)]
    assert session.told[-1] == "interrupted"
    assert session.engine.entity("B").phase == "x"
    session.type(f"cancel {session.engine.instances()[0].id}")


def test_columns_line_up_where_characters_are_wide() -> None:
    lines = table([{"id": "000001", "name": "平安银行", "n": 0}, {"id": "2", "name": "A", "n": None}])

    assert lines == ["id      name      n", "000001  平安银行  0", "2       A         -"]


def test_what_is_not_there_is_told_with_what_is_and_never_with_itself(session: Session) -> None:
    session.type("send scheduler Nope", "send agent_0 Run", "send nobody Inspect", "inject NOPE A")

    assert session.told == [
        "the scheduler takes no message 'Nope'; it takes: ReadQueues, ReadStats, Inspect",
        "the agent_0 takes no message 'Run'; it takes: ReadStats, Inspect",
        "no actor 'nobody'; there are: router, keeper, scheduler, agent_0, agent_1",
        "unknown event type 'NOPE'; known are: DATA_READY, HIGH_PRIORITY_ARRIVED",
    ]


def test_what_runs_is_listed_with_how_long_its_agent_has_had_it(session: Session) -> None:
    started = threading.Event()
    session.engine.subscribe(lambda change: started.set() if change.type is ChangeType.TASK_STARTED else None)
    began = time.time()
    session.type("put A phase=idle", "run slow A")
    assert started.wait(10)
    (running,) = session.client.tasks(10)[0]

    row = live_row(running)

    assert running["attempts"][0]["started_at"] is None
    assert 0.0 <= row["for_s"] <= time.time() - began + 1.0
