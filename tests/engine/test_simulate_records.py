"""A recorded run, simulated: its order, nearly its times, and what it lacks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from actors.status import Status
from tests.engine.command_line import engine
from tests.engine.simulated import UNIT, Simulate, arriving, flows, response, taking, written_record
from tests.engine.test_record import two_stocks


def in_order(attempts: Sequence[tuple[float, float, str]], place: int) -> list[str]:
    """The tasks' names by begin (0) or end (1)."""
    return [name.split()[0] for *_, name in sorted(attempts, key=lambda one: one[place])]


def test_a_recorded_run_simulated_from_its_record_has_its_order_and_nearly_its_times(
    root: Path, tmp_path: Path, simulate: Simulate
) -> None:
    record, trace = tmp_path / "run.jsonl", tmp_path / "trace.json"
    definitions = root / "definitions" / "preemption"
    engine("start", "--definitions", definitions, "--until-idle", "--record", record)

    ended = simulate(definitions, "--record", record, "--trace", trace, "--json")

    changes = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    zero = changes[0]["ns"]
    real = [
        (line["detail"]["began_ns"] - zero, line["detail"]["ended_ns"] - zero, f"{line['task']} {line['entity']}")
        for line in changes
        if line["type"] in ("task_completed", "task_preempted")
    ]
    slices = [event for event in json.loads(trace.read_text(encoding="utf-8"))["traceEvents"] if event["ph"] == "X"]
    simulated = [(event["ts"] * 1000, (event["ts"] + event["dur"]) * 1000, event["name"]) for event in slices]
    # Five begin together, and which of them is cut is chance: instants are compared in their order, by task.
    assert in_order(simulated, 0) == in_order(real, 0)
    assert in_order(simulated, 1) == in_order(real, 1)
    for task, attempts in (("study_trend", 6), ("calculate_signal", 1), ("execute_order", 1)):
        ours, theirs = ([one[:2] for one in sorted(some) if task in one[2]] for some in (simulated, real))
        assert len(ours) == len(theirs) == attempts
        for place in (0, 1):
            instants = zip(sorted(one[place] for one in ours), sorted(one[place] for one in theirs), strict=True)
            # Processes take their time to begin, on a busy machine more, and a step is done again after the cut.
            assert [mine for mine, other in instants if abs(mine - other) > 700e6] == []
        if attempts == 1:  # What was not cut takes exactly as long.
            assert ours[0][1] - ours[0][0] == pytest.approx(theirs[0][1] - theirs[0][0], abs=1000)
    assert ended.status == Status.OK
    assert ended.run["preemptions"] == 1
    assert ended.run["instances"]["completed"] == 6


def test_attempts_that_failed_in_the_record_fail_again(tmp_path: Path, simulate: Simulate) -> None:
    definitions, record = two_stocks(tmp_path / "f"), tmp_path / "run.jsonl"
    engine("start", "--definitions", definitions, "--until-idle", "--record", record)

    run = simulate(definitions, "--record", record, "--json").run

    assert run["tasks"] == {"completed": 4, "attempts": 5}
    assert run["instances"]["completed"] == 2


def test_work_that_was_kept_counts_once_and_work_that_was_lost_not_at_all(tmp_path: Path, simulate: Simulate) -> None:
    """Cut at 5, saved at 3, and 4 more: 7 in all. Cut at 5 and 6 more from anew: 6."""
    record = written_record(
        tmp_path / "r.jsonl",
        {"workflow": "low", "at": 0, "priority": 1, "attempts": [
            ("task_preempted", {"began_ns": 0, "saved_ns": 3, "ended_ns": 5}),
            ("task_completed", {"began_ns": 7, "ended_ns": 11}),
        ]},
        {"workflow": "high", "at": 20, "priority": 0, "attempts": [
            ("task_preempted", {"began_ns": 0, "ended_ns": 5}),
            ("task_completed", {"began_ns": 7, "ended_ns": 13}),
        ]},
    )  # fmt: skip

    run = simulate(flows(tmp_path / "f"), "--record", record, "--json").run

    assert response(run) == {"0": (1, 6), "1": (1, 7)}


def test_time_spent_suspended_is_no_work_and_an_end_told_twice_is_one(tmp_path: Path, simulate: Simulate) -> None:
    """From 0 to 9 with a pause from 2 to 6: 5 in all. A failure after 2 that a later change repeats, then 4."""
    record = written_record(
        tmp_path / "r.jsonl",
        {"workflow": "low", "at": 0, "priority": 1, "attempts": [
            ("task_suspended", {"at": 2}), ("task_resumed", {"at": 6}),
            ("task_completed", {"began_ns": 0, "ended_ns": 9}),
        ]},
        {"workflow": "high", "at": 20, "priority": 0, "attempts": [
            ("task_retried", {"began_ns": 0, "ended_ns": 2, "number": 1}),
            ("task_retried", {"began_ns": 0, "ended_ns": 2, "number": 1}),
            ("task_completed", {"began_ns": 7, "ended_ns": 11, "number": 2}),
        ]},
    )  # fmt: skip
    definitions = flows(tmp_path / "f")
    text = (definitions / "workflows.yaml").read_text().replace("action: work,", "action: work, retry: 2,")
    (definitions / "workflows.yaml").write_text(text)

    run = simulate(definitions, "--record", record, "--json").run

    assert response(run) == {"0": (1, 2 + 4), "1": (1, 5)}
    assert run["tasks"] == {"completed": 2, "attempts": 3}


def test_a_file_of_events_takes_the_place_of_the_folders_own(tmp_path: Path, simulate: Simulate) -> None:
    definitions = flows(tmp_path / "f", more="events: [{after_ms: 10, type: LOW, entity_id: A}]\n")
    events = arriving(tmp_path / "e.jsonl", (0, "HIGH"))

    assert set(response(simulate(definitions, "--events", events, "--default-ms", "5", "--json").run)) == {"0"}


def test_a_final_failure_a_timeout_and_a_raise_are_as_they_were(tmp_path: Path, simulate: Simulate) -> None:
    failed = ("task_failed", {"began_ns": 0, "ended_ns": 2, "error": "ValueError: no", "type": "ValueError"})
    late = ("task_failed", {"began_ns": 0, "ended_ns": 6000, "error": "Timeout: took longer", "type": "Timeout"})
    done = ("task_completed", {"began_ns": 0, "ended_ns": 3})
    record = written_record(
        tmp_path / "r.jsonl",
        {"workflow": "low", "at": 0, "priority": 1, "attempts": [failed]},
        {"workflow": "low", "at": 10, "priority": 0, "attempts": [done]},
        {"workflow": "low", "at": 20, "priority": 1, "attempts": [late]},
    )

    run = simulate(flows(tmp_path / "f"), "--record", record, "--json").run

    assert run["instances"] == {"running": 0, "completed": 1, "failed": 2, "cancelled": 0, "expired": 0}
    assert response(run) == {"0": (1, 3)}
    assert run["virtual_s"] == 60 + 20 * UNIT / 1000


def test_durations_are_drawn_from_another_runs_record(tmp_path: Path, simulate: Simulate) -> None:
    done = ("task_completed", {"began_ns": 0, "ended_ns": 3})
    record = written_record(tmp_path / "r.jsonl", {"workflow": "low", "at": 0, "priority": 1, "attempts": [done]})
    events = arriving(tmp_path / "e.jsonl", (0, "LOW"), (10, "HIGH"))
    asked = (flows(tmp_path / "f"), "--events", events, "--durations-from", record, "--default-ms", "70", "--json")

    assert response(simulate(*asked).run) == {"0": (1, 7), "1": (1, 3)}
    named = taking(tmp_path / "d.yaml", low="50", high="recorded")
    assert "no duration for high.work" in simulate(*asked, "--durations", named).err
    named = taking(tmp_path / "d.yaml", low="50")
    assert response(simulate(*asked, "--durations", named).run) == {"0": (1, 7), "1": (1, 5)}


def test_a_record_that_lacks_changes_says_so(tmp_path: Path, simulate: Simulate) -> None:
    done = ("task_completed", {"began_ns": 0, "ended_ns": 3})
    record = written_record(tmp_path / "r.jsonl", {"workflow": "low", "at": 0, "priority": 1, "attempts": [done]})
    gap = {"sequence": 9, "type": "gap", "ns": 5000, "detail": {"lost": 12}}
    record.write_text(record.read_text() + json.dumps(gap) + "\n" + '{"sequence": 10, "ty')

    ended = simulate(flows(tmp_path / "f"), "--record", record, "--json")

    assert ended.status == Status.FAILED
    assert f"the record {record} has gaps: 12 changes are missing" in ended.err
    assert f"the last line of the record {record} is not whole, and was left out" in ended.err
    assert response(ended.run) == {"1": (1, 3)}
