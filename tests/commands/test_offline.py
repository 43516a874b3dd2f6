"""Commands that need no running engine, or make do without one: graph, init, trace, doctor."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors import Engine, Event, cli
from actors.beginning import FILES
from actors.checkup import Asked, State, findings
from tests.commands.conftest import CommandLine, Printed
from tests.engine.command_line import engine as in_a_process

BOUND_S = 20.0


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Printed]:
    def run_one(*arguments: str | Path) -> Printed:
        capsys.readouterr()
        status = cli.run([str(each) for each in arguments])
        return Printed(status, *capsys.readouterr())

    return run_one


# --- graph -----------------------------------------------------------------------------------------


def diamond(folder: Path) -> Path:
    folder.mkdir()
    (folder / "flow.yaml").write_text(
        "id: flow\nname: the flow\ntasks:\n"
        '  - {id: a, run: ["true"], name: \'say "<hi>" #1\'}\n'
        '  - {id: c, run: ["true"], depends_on: [a]}\n'
        '  - {id: b, run: ["true"], depends_on: [a], preemptible: false}\n'
        '  - {id: d, run: [sh, -c, "exit 0"], depends_on: [b, c], priority: 1}\n'
    )
    return folder


def test_a_graph_as_text_has_what_may_run_side_by_side_at_the_same_depth(
    tmp_path: Path, command: Callable[..., Printed]
) -> None:
    printed = command("graph", "flow", "--definitions", diamond(tmp_path / "d"))

    assert printed.status == 0
    assert printed.out.splitlines() == [
        "flow: the flow",
        "  a      true",
        "    c    true  after a",
        "    b    true, not preemptible  after a",
        "      d  sh -c exit 0, priority 1  after b, c",
    ]


def test_a_graph_for_mermaid_and_graphviz_escapes_what_they_would_take_for_their_own(
    tmp_path: Path, command: Callable[..., Printed]
) -> None:
    folder = diamond(tmp_path / "d")

    mermaid = command("graph", "flow", "--definitions", folder, "--format", "mermaid").out
    dot = command("graph", "flow", "--definitions", folder, "--format", "dot").out

    assert '    t0["a<br/>say #quot;#lt;hi#gt;#quot; #35;1<br/>true"]' in mermaid
    assert sorted(line.strip() for line in mermaid.splitlines() if "-->" in line) == [
        "t0 --> t1", "t0 --> t2", "t1 --> t3", "t2 --> t3",
    ]  # fmt: skip
    assert '    "a" [label="a\\nsay \\"<hi>\\" #1\\ntrue"];' in dot
    assert dot.count(" -> ") == 4


def test_a_workflow_that_is_not_there_is_named_with_what_was_meant(command: Callable[..., Printed]) -> None:
    printed = command("graph", "high_freq_tradin")

    assert printed.status == 5
    assert "did you mean 'high_freq_trading'?" in printed.err


# --- init ------------------------------------------------------------------------------------------


def test_init_writes_a_folder_that_has_no_faults_and_runs(tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    made = in_a_process("init", folder)
    checked = in_a_process("validate", folder)
    ran = in_a_process("start", "--until-idle", "--no-http", "--lang", "en", "--definitions", folder)

    assert (made.returncode, checked.returncode, ran.returncode) == (0, 0, 0)
    assert made.stdout.split() == [str(folder / name) for name in FILES]
    assert "preempted" in ran.stdout
    assert "completed 3, failed 0" in ran.stdout


def test_init_writes_nothing_over(tmp_path: Path, command: Callable[..., Printed]) -> None:
    (tmp_path / "mine").write_text("mine")

    printed = command("init", tmp_path)
    again = command("init", tmp_path / "mine")

    assert (printed.status, again.status) == (7, 7)
    assert "nothing is written over" in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_init_says_where_it_cannot_write(command: Callable[..., Printed]) -> None:
    printed = command("init", "/proc/flows")

    assert printed.status == 2
    assert printed.err.startswith("/proc/flows cannot be written")


# --- trace -----------------------------------------------------------------------------------------


def events_of(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(file.read_text())["traceEvents"]
    return found


def test_a_trace_of_a_record_has_preemptions_with_arrows(tmp_path: Path, command: Callable[..., Printed]) -> None:
    record, out = tmp_path / "run.jsonl", tmp_path / "run.json"
    ran = in_a_process(
        "start", "--until-idle", "--no-http", "--definitions", "definitions/preemption", "--record", record,
        "--data", tmp_path / "data",
    )  # fmt: skip

    printed = command("trace", "--record", record, "-o", out)

    assert (ran.returncode, printed.status) == (0, 0)
    events = events_of(out)
    assert {e["args"]["name"] for e in events if e["name"] == "thread_name" and e["pid"] == 1} >= {"agent_0"}
    assert [e["ph"] for e in events if e["ph"] in "sf"][:2] == ["s", "f"]
    assert any(e["args"].get("outcome") == "preempted" for e in events if e["ph"] == "X")


def test_a_trace_of_a_running_engine_has_what_runs_and_what_has_run(
    run: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    engine.put_entity("A", phase="idle")
    engine.put_entity("B", phase="idle")
    engine.wait(engine.publish(Event("DATA_READY", "A")), BOUND_S)
    engine.run("slow", "B")

    printed = run("trace", "-o", str(tmp_path / "run.json"))

    assert printed.status == 0
    ran = {e["args"]["task"].split("_")[0]: e["args"]["outcome"] for e in events_of(tmp_path / "run.json")
           if e["ph"] == "X" and e["pid"] == 1}  # fmt: skip
    assert ran == {"first": "completed", "last": "completed", "held": "running"}


def test_a_trace_without_engine_or_record_says_so(tmp_path: Path, command: Callable[..., Printed]) -> None:
    away = command("trace", "-o", tmp_path / "t.json", "--data", tmp_path)
    lost = command("trace", "-o", tmp_path / "t.json", "--record", tmp_path / "none")

    assert (away.status, lost.status) == (6, 5)
    assert "no such record" in lost.err
    assert not (tmp_path / "t.json").exists()


# --- doctor ----------------------------------------------------------------------------------------


def test_the_doctor_finds_a_healthy_place_healthy(tmp_path: Path, command: Callable[..., Printed]) -> None:
    printed = command("doctor", "--data", tmp_path / "data")

    assert printed.status == 0, printed.out
    assert "ok    worker processes: the first was ready after" in printed.out
    assert "off   engine: none runs here" in printed.out
    assert not (tmp_path / "data").exists()


def test_the_doctor_names_faults_what_is_missing_and_what_to_do(
    tmp_path: Path, command: Callable[..., Printed]
) -> None:
    folder = diamond(tmp_path / "d")
    with (folder / "flow.yaml").open("a") as file:
        file.write("  - {id: e, action: nowhere}\n")

    printed = command("doctor", "--definitions", folder, "--data", tmp_path, "--json")

    rows = {row["what"]: row for row in map(json.loads, printed.out.splitlines())}
    assert printed.status == 1
    assert rows["definitions"]["state"] == "fail"
    assert "no action 'nowhere'" in rows["definitions"]["is_so"]
    assert rows["definitions"]["do"].startswith("engine validate")


def test_the_doctor_sees_an_engine_and_one_that_does_not_answer(engine: Engine, tmp_path: Path) -> None:
    asked = Asked(Path("definitions/trading"), tmp_path / "data")
    seen = {one.what: one for one in findings(asked)}
    deaf = socket.socket(socket.AF_UNIX)
    deaf.bind(str(tmp_path / "deaf"))
    about = json.loads((asked.data / "engine.json").read_text())
    (asked.data / "engine.json").write_text(json.dumps({**about, "socket": str(tmp_path / "deaf")}))
    unseen = {one.what: one for one in findings(asked)}
    deaf.close()
    (asked.data / "engine.json").write_text(json.dumps(about))

    assert (seen["engine"].state, unseen["engine"].state) == (State.OK, State.FAIL)
    assert f"kill {os.getpid()}" in unseen["engine"].do


def test_the_doctor_does_not_warn_of_an_address_that_this_very_engine_has(engine: Engine, tmp_path: Path) -> None:
    asked = Asked(Path("definitions/trading"), tmp_path / "data")
    about = json.loads((asked.data / "engine.json").read_text())
    (asked.data / "engine.json").write_text(json.dumps({**about, "http": "http://127.0.0.1:8780"}))

    seen = {one.what: one for one in findings(asked)}

    assert seen["HTTP"].state is State.OK
    assert seen["HTTP"].is_so == "the engine that runs here has http://127.0.0.1:8780"


def test_a_check_that_breaks_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(asked: Asked) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("actors.checkup.CHECKS", (broken,))

    assert [(one.state, one.is_so) for one in findings(Asked(tmp_path, tmp_path))] == [
        (State.FAIL, "the check itself failed: ZeroDivisionError()")
    ]
