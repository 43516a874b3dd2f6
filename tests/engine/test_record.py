"""What ``start --record`` writes: every change, whole lines, whatever else happens."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from actors.errors import NotFoundError, RequestError
from actors.model import AgentName, EntityId
from actors.record import line_of
from actors.recorder import Recorder
from actors.status import Status
from actors.subscribers import BUFFERED, Subscribers
from actors.views import ChangeType, Moment, StateChanged
from tests.engine.command_line import Running, engine, folder

WORKFLOWS = """
id: flow
tasks:
  - {id: first, action: first, isolation: thread}
  - {id: second, action: second, isolation: thread, depends_on: [first], timeout: 60000}
"""
ACTIONS = """
from actors import action
seen = set()

@action("first")
def first(ctx):
    if ctx.entity.id == "000002" and "000002" not in seen:
        seen.add("000002")
        raise ValueError("not yet")

@action("second")
def second(ctx):
    ctx.sleep(ctx.event.data["s"] if ctx.event else 0.02)
"""
SETTINGS = "agents: 2\nlanguage: en\nentities: [{id: 000001}, {id: 000002}]\n"


def two_stocks(path: Path) -> Path:
    workflows = WORKFLOWS.replace("action: first,", "action: first, retry: 1,")
    return folder(path, engine_yaml=SETTINGS, workflows=workflows, actions=ACTIONS)


def lines(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def change(seq: int = 1, type_: ChangeType = ChangeType.TASK_STARTED, **fields: Any) -> StateChanged:
    return StateChanged(seq, type_, Moment(1_500_000_000, 1_630_000_000.5), **fields)


# --- the lines -----------------------------------------------------------------------------------


def test_a_line_has_the_documented_fields_in_their_order() -> None:
    full = change(
        7, entity_id=EntityId("000001"), instance_id="flow_000001_1", task_id="first_000001_1", workflow="flow",
        task="first", status="running", priority=0, attempt=1, agent=AgentName("agent_0"), detail={"why": "因为"},
    )  # fmt: skip

    assert line_of(full).decode() == (
        '{"sequence": 7, "type": "task_started", "utc": 1630000000.5, "ns": 1500000000, "entity": "000001", '
        '"instance": "flow_000001_1", "task_id": "first_000001_1", "workflow": "flow", "task": "first", '
        '"status": "running", "priority": 0, "attempt": 1, "agent": "agent_0", "detail": {"why": "因为"}}\n'
    )


def test_what_a_change_does_not_have_is_left_out() -> None:
    assert json.loads(line_of(change(2))) == {
        "sequence": 2, "type": "task_started", "utc": 1_630_000_000.5, "ns": 1_500_000_000,
    }  # fmt: skip


def test_every_change_of_a_run_is_a_line_and_each_attempts_begin_and_end_are_told(tmp_path: Path) -> None:
    record = tmp_path / "run.jsonl"

    ended = engine("start", "--definitions", two_stocks(tmp_path / "d"), "--until-idle", "--record", record)

    changes = lines(record)
    assert ended.returncode == Status.OK
    assert [line["sequence"] for line in changes] == list(range(1, len(changes) + 1))
    assert f"record {record}: {len(changes)} state changes" in ended.stderr
    ends = {
        (line["entity"], line["task"], line["attempt"]): line
        for line in changes
        if line["type"] in ("task_completed", "task_retried")
    }
    assert {key: line["type"] for key, line in ends.items()} == {
        ("000001", "first", 1): "task_completed",
        ("000001", "second", 1): "task_completed",
        ("000002", "first", 1): "task_retried",
        ("000002", "first", 2): "task_completed",
        ("000002", "second", 1): "task_completed",
    }
    for (_, task, _), line in ends.items():
        took_ms = (line["detail"]["ended_ns"] - line["detail"]["began_ns"]) / 1e6
        assert (took_ms >= 20) == (task == "second")
        assert line["detail"]["ended_ns"] <= line["ns"]


def test_a_preempted_attempt_tells_when_it_saved_last(root: Path, tmp_path: Path) -> None:
    record = tmp_path / "run.jsonl"

    engine("start", "--definitions", root / "definitions" / "preemption", "--until-idle", "--record", record)

    (cut,) = [line["detail"] for line in lines(record) if line["type"] == "task_preempted"]
    assert cut["began_ns"] < cut["saved_ns"] < cut["ended_ns"]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, Status.INTERRUPTED), (signal.SIGTERM, Status.OK)], ids=["SIGINT", "SIGTERM"]
)
def test_a_run_that_is_told_to_stop_leaves_a_whole_record(
    tmp_path: Path, number: signal.Signals, status: Status
) -> None:
    record = tmp_path / "run.jsonl"
    settings = SETTINGS + "events: [{type: DATA_READY, entity_id: 000003, data: {s: 50}}]\n"
    definitions = folder(tmp_path / "d", engine_yaml=settings, workflows=WORKFLOWS, actions=ACTIONS)

    with Running("start", "--definitions", definitions, "--grace", "0", "--record", record) as run:
        run.wait_for("task started: second_000003")
        run.signal(number)
        assert run.end() == status

    told = [line["type"] for line in lines(record)]
    assert told.count("task_started") == run_lines(run, "task started")
    assert f"record {record}: {len(told)} state changes" in run.lines


def run_lines(run: Running, text: str) -> int:
    return sum(line.startswith(text) for line in run.lines)


def test_it_goes_with_a_replay_and_with_the_shell(tmp_path: Path) -> None:
    definitions = two_stocks(tmp_path / "d")
    ticks = tmp_path / "ticks_20240102.csv"
    ticks.write_text("time,symbol,s\n09:30:00,000004,0.01\n09:30:01,000004,0.01\n")
    replayed, typed = tmp_path / "replayed.jsonl", tmp_path / "typed.jsonl"

    engine("start", "--definitions", definitions, "--replay", ticks, "--speed", "100", "--record", replayed)
    engine("start", "--definitions", definitions, "--shell", "--record", typed, stdin="run flow 000005\nwait\n")

    for record, entity in ((replayed, "000004"), (typed, "000005")):
        ended = [line["entity"] for line in lines(record) if line["type"] == "instance_ended"]
        assert set(ended) >= {"000001", "000002", entity}


# --- the file ------------------------------------------------------------------------------------


def test_a_file_that_exists_is_refused_and_left_alone(tmp_path: Path) -> None:
    record = tmp_path / "run.jsonl"
    record.write_text("precious")

    ended = engine("start", "--definitions", two_stocks(tmp_path / "d"), "--until-idle", "--record", record)

    assert (ended.returncode, ended.stdout) == (Status.REFUSED, "")
    assert ended.stderr == f"{record} exists; a record is not written over: name another file, or remove it\n"
    assert record.read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("none/run.jsonl", NotFoundError, "cannot be made: there is no folder"),
        (".", RequestError, "cannot be written: is a directory; name another file"),
        ("x" * 300, RequestError, "cannot be written: file name too long; name another file"),
    ],
)
def test_a_path_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, name: str, error: type[RequestError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        Recorder(tmp_path / name, print)


def test_a_full_disk_ends_the_record_with_one_sentence_and_the_engine_goes_on(tmp_path: Path) -> None:
    definitions = two_stocks(tmp_path / "d")

    ended = engine("start", "--definitions", definitions, "--until-idle", "--record", "/dev/full")

    assert ended.returncode == Status.FAILED
    assert "workflow engine stopped: completed 2," in ended.stdout
    assert [line for line in ended.stderr.splitlines() if "the record ends" in line] == [
        "/dev/full: the record ends after 0 changes: no space left on device; the engine goes on"
    ]
    assert "Traceback" not in ended.stderr


def test_a_disk_that_fills_up_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    recorder = Recorder(tmp_path / "run.jsonl", told.append)
    recorder.take(change(1))
    recorder.flush()
    write = os.write

    def full(file: int, data: memoryview) -> int:
        if stat.S_ISREG(os.fstat(file).st_mode) and len(data) <= 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, bytes(data)[:20])

    monkeypatch.setattr("actors.recorder.os.write", full)
    for seq in (2, 3):
        recorder.take(change(seq))
        recorder.flush()
    recorder.close()

    assert [line["sequence"] for line in lines(tmp_path / "run.jsonl")] == [1]
    assert len(told) == 1
    assert "the record ends after 1 changes: no space left on device" in told[0]


def test_what_has_happened_is_in_the_file_a_second_later(tmp_path: Path) -> None:
    record = tmp_path / "run.jsonl"
    with Running("start", "--definitions", two_stocks(tmp_path / "d"), "--record", record) as run:
        run.wait_for("task completed: second", times=2)
        seen = threading.Event()
        for _ in range(200):
            if record.read_text().count('"instance_ended"') == 2:
                seen.set()
                break
            threading.Event().wait(0.05)
        run.signal(signal.SIGTERM)
        run.end()

    assert seen.is_set()


# --- nothing lost --------------------------------------------------------------------------------


def test_a_subscriber_that_is_held_up_costs_one_with_room_of_its_own_nothing(tmp_path: Path) -> None:
    count = 3 * BUFFERED
    hold = threading.Event()
    subscribers = Subscribers()
    recorder = Recorder(tmp_path / "run.jsonl", print)
    slow: list[StateChanged] = []

    def held_up(told: StateChanged) -> None:
        hold.wait(20)
        slow.append(told)

    subscribers.add(held_up, frozenset())
    subscribers.add(recorder.take, frozenset(), count)
    subscribers.start("test")
    for first in range(0, count, 100):
        subscribers.put([change(seq) for seq in range(first, first + 100)])
    hold.set()
    assert subscribers.stop(20)
    recorder.close()

    assert recorder.lost == 0
    assert [line["sequence"] for line in lines(tmp_path / "run.jsonl")] == list(range(count))
    assert slow[-1].type is ChangeType.GAP


def test_what_does_not_fit_is_a_gap_in_the_record_with_their_number(tmp_path: Path) -> None:
    subscribers = Subscribers()
    recorder = Recorder(tmp_path / "run.jsonl", print)
    subscribers.add(recorder.take, frozenset(), 5)
    subscribers.put([change(seq) for seq in range(8)])
    subscribers.start("test")
    assert subscribers.stop(20)
    recorder.close()

    *kept, gap = lines(tmp_path / "run.jsonl")
    assert [line["sequence"] for line in kept] == [0, 1, 2, 3, 4]
    assert (gap["type"], gap["detail"]) == ("gap", {"lost": 3})
    assert recorder.lost == 3


def test_one_with_room_of_its_own_that_leaves_is_told_no_more_and_its_thread_ends() -> None:
    told: list[StateChanged] = []
    subscribers = Subscribers()
    subscribers.start("test")
    remove = subscribers.add(told.append, frozenset({ChangeType.TASK_STARTED}), 10)
    subscribers.put([change(1), change(2, ChangeType.TASK_READY)])
    subscribers.rest(20)
    remove()
    subscribers.put([change(3)])
    assert subscribers.stop(20)

    assert [one.seq for one in told] == [1]
    assert not subscribers.watch().watched
