"""What ``engine simulate`` refuses: one sentence that says what, where and what to do, and nothing half written."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.status import Status
from tests.engine.simulated import FLOWS, Simulate, arriving, flows

GOOD = '{"at_ms": 5, "type": "LOW", "entity_id": "A"}'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"at_ms": 0, "type": "LOW", }', ":1:29: not JSON: "),
        (f"{GOOD}\n{{oops", ":2:2: not JSON: "),
        (f"{GOOD}\n[1]", ":2: not an object; each line is an object such as "),
        ('{"type": "LOW", "entity_id": "A"}', ":1: no at_ms, the milliseconds after the beginning at which it comes"),
        (f'{GOOD}\n{{"at_ms": 4, "type": "LOW", "entity_id": "A"}}',
         ":2: at_ms 4 comes after 5 in line 1; sort the file by at_ms"),
        ('{"at_ms": "x", "entity_id": "A"}', ':1: at_ms is "x"; write milliseconds after the beginning, from 0'),
        ('{"at_ms": NaN, "entity_id": "A"}', ":1: not JSON: NaN is no number that JSON knows; "),
        ('{"at_ms": 0, "type": "LWO", "entity_id": "A"}', ":1: unknown event type 'LWO'; did you mean 'LOW'?"),
        ('{"at_ms": 0, "type": "LOW"}', ":1: needs entity_id (or stock_id in its place), once"),
        ('{"at_ms": 0, "entity_id": "A", "prioritty": 0}', ":1: unknown field 'prioritty'; did you mean 'priority'?"),
        ('{"at_ms": 0, "entity_id": "A", "priority": -1}', ":1: a priority is a whole number from 0"),
        ('{"sequence": 1, "type": "gap", "ns": 0}', " is a record, not events; give it with --record"),
    ],
)  # fmt: skip
def test_a_wrong_event_is_one_sentence_with_its_line(
    tmp_path: Path, simulate: Simulate, text: str, sentence: str
) -> None:
    events = tmp_path / "e.jsonl"
    events.write_text(text + "\n")
    trace = tmp_path / "t.json"

    ended = simulate(flows(tmp_path / "f"), "--events", events, "--default-ms", "1", "--trace", trace)

    assert ended.status == Status.USAGE
    assert ended.out == ""
    assert ended.err.startswith(f"{events}{sentence}")
    assert len(ended.err.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"e.jsonl", "f"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ": it has no changes; make one with start --record"),
        (f"{GOOD}\n", ":1: no record: it has no sequence, type and ns; each line is a state change as start --record"),
        ("nonsense\n", ":1:1: not JSON: expecting value; each line is a state change as start --record writes it"),
        (
            '{"sequence": 1, "type": "instance_created", "ns": 1, "instance": "i", "workflow": "lw", "entity": "A"}\n',
            ":1: {folder} has no workflow 'lw'; simulate the folder it was recorded from",
        ),
        ('{"sequence": 1, "type": "instance_created", "ns": 1}\n', ":1: 'workflow' is missing; each line is"),
    ],
)
def test_what_is_no_record_is_one_sentence(tmp_path: Path, simulate: Simulate, text: str, sentence: str) -> None:
    record = tmp_path / "r.jsonl"
    record.write_text(text)

    ended = simulate(flows(tmp_path / "f"), "--record", record, "--default-ms", "1")

    assert ended.status == Status.USAGE
    assert ended.err.startswith(f"{record}{sentence.replace('{folder}', str(tmp_path / 'f'))}")
    assert len(ended.err.splitlines()) == 1


def test_tasks_without_a_duration_are_named_with_what_to_do(tmp_path: Path, simulate: Simulate) -> None:
    events = arriving(tmp_path / "e.jsonl", (1, "LOW"))

    ended = simulate(flows(tmp_path / "f"), "--events", events)

    assert ended.status == Status.USAGE
    assert ended.err == (
        "no duration for low.work, high.work: write them into a file (for example 'low.work: 20', in ms) and name "
        "it with --durations, take them from a record with --durations-from, or give all such tasks one with "
        "--default-ms\n"
    )


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (("--agents", "0"), Status.USAGE, "'0' is not a number of agents from 1 to 10000, or several such as 5,8,13"),
        (("--agents", "5,x"), Status.USAGE, "'5,x' is not a number of agents"),
        (("--agents", "5,"), Status.USAGE, "'5,' is not a number of agents"),
        (("--events", "e", "--record", "r"), Status.USAGE, "two sources of what arrives; give one"),
        (("--skip-gaps", "5"), Status.USAGE, "--skip-gaps goes with --events and a tick file"),
        (("--events", "e", "--trace", "./e"), Status.USAGE, "e is read; --trace would write over it"),
        (("--events", "none"), Status.NOT_FOUND, "no file none; name one with events or ticks"),
        (("--record", "none"), Status.NOT_FOUND, "no file none; name one with a record"),
        (("--durations", "none"), Status.NOT_FOUND, "no file none; name one with durations"),
        (("--default-ms", "1", "--trace", "none/t"), Status.NOT_FOUND, "there is no folder none"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    tmp_path: Path, simulate: Simulate, options: tuple[str, ...], status: Status, sentence: str
) -> None:
    ended = simulate(flows(tmp_path / "f"), *options)

    assert (ended.status, ended.out) == (status, "")
    assert sentence in ended.err
    assert "Traceback" not in ended.err


def test_a_folder_that_is_not_there_and_a_fault_in_it_are_told(tmp_path: Path, simulate: Simulate) -> None:
    assert simulate(tmp_path / "none").status == Status.NOT_FOUND
    definitions = flows(tmp_path / "f")
    (definitions / "durations.yaml").write_text("lwo.work: 5\n")

    ended = simulate(definitions)

    assert ended.status == Status.DEFINITIONS
    assert ended.err == f"{definitions}/durations.yaml:1:1: lwo.work: no task 'lwo.work'; did you mean 'low.work'?\n"


def test_work_that_no_agent_is_fit_for_is_said_to_be_left(tmp_path: Path, simulate: Simulate) -> None:
    definitions = flows(tmp_path / "f")
    (definitions / "engine.yaml").write_text(
        "language: en\nevent_types: [LOW, HIGH]\nagents: {cpu: {count: 1, capabilities: [cpu]}}\n"
    )
    workflows = FLOWS.replace("action: work", "action: work, capabilities: [gpu]", 1)
    (definitions / "workflows.yaml").write_text(workflows)
    events = arriving(tmp_path / "e.jsonl", (0, "LOW"))

    ended = simulate(definitions, "--events", events, "--default-ms", "1", "--json")

    assert ended.status in (Status.FAILED, Status.DEFINITIONS)
    if ended.status == Status.FAILED:
        assert ended.run["instances"]["running"] == 1
        assert "1 instances did not end: no agent is fit for what is left" in ended.err
