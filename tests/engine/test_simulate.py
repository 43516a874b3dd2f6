"""``engine simulate``: exact on small examples, near a recorded run, and clear about bad input."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from actors import cli
from actors.status import Status
from tests.engine.command_line import ROOT, engine, environment, folder
from tests.engine.test_record import two_stocks

UNIT = 10
"""ms"""
FLOWS = """
workflows:
  low: {priority: 1, trigger_event: LOW, coalesce: all, tasks: [{id: work, action: work, timeout: 60000}]}
  high: {priority: 0, trigger_event: HIGH, coalesce: all, tasks: [{id: work, action: work, timeout: 60000}]}
"""
ACTIONS = """
import pathlib
from actors import action
pathlib.Path(__file__).with_name("imported").touch()

@action("work")
def work(ctx):
    pathlib.Path(__file__).with_name("run").touch()
"""


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str

    @property
    def run(self) -> dict[str, Any]:
        """The only run of the JSON that was printed."""
        (found,) = json.loads(self.out)["runs"]
        assert isinstance(found, dict)
        return found


Simulate = Callable[..., Ended]


@pytest.fixture
def simulate(capsys: pytest.CaptureFixture[str]) -> Simulate:
    """Run the command in this process."""

    def run(*arguments: str | Path) -> Ended:
        status = cli.run(["simulate", *map(str, arguments)])
        return Ended(status, *capsys.readouterr())

    return run


def flows(path: Path, *, agents: int = 1, more: str = "") -> Path:
    settings = f"agents: {agents}\nlanguage: en\nevent_types: [LOW, HIGH]\n{more}"
    return folder(path, engine_yaml=settings, workflows=FLOWS, actions=ACTIONS)


def arriving(path: Path, *jobs: tuple[int, str]) -> Path:
    """Jobs by instant in units and type, each of an entity of its own."""
    lines = [
        json.dumps({"at_ms": at * UNIT, "type": type_, "entity_id": f"E{number}"})
        for number, (at, type_) in enumerate(jobs)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def taking(path: Path, **units: str) -> Path:
    path.write_text("".join(f"{flow}.work: {given}\n" for flow, given in units.items()))
    return path


def response(run: Mapping[str, Any]) -> dict[str, tuple[int, float]]:
    """By priority: how many, and their mean in units."""
    return {priority: (times["count"], times["mean"] / UNIT) for priority, times in run["response_ms"].items()}


# --- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keeps", "low_ends", "wasted"), [("true", 17, 0), ("false", 19, 2)], ids=["work is kept", "started over"]
)
def test_one_agent_one_low_one_high_end_when_theory_says(
    tmp_path: Path, simulate: Simulate, keeps: str, low_ends: int, wasted: int
) -> None:
    """Low arrives at 1 and takes 10; high arrives at 3 and takes 6: low ends at 17, or at 19 from anew."""
    durations = taking(tmp_path / "d.yaml", low=f"{{fixed: 100, keeps_work: {keeps}}}", high="60")
    events = arriving(tmp_path / "e.jsonl", (1, "LOW"), (3, "HIGH"))

    run = simulate(flows(tmp_path / "f"), "--events", events, "--durations", durations, "--json").run

    assert response(run) == {"0": (1, 6), "1": (1, low_ends - 1)}
    assert run["preemptions"] == 1
    assert run["wasted_ms"] == wasted * UNIT
    assert run["virtual_s"] == low_ends * UNIT / 1000
    assert run["tasks"] == {"completed": 2, "attempts": 3}
    assert run["busy"]["agent_0"] == pytest.approx((low_ends - 1) / low_ends)
    assert run["throughput"]["tasks_per_s"] == pytest.approx(2 / (low_ends * UNIT / 1000))


def test_what_arrives_as_something_ends_is_taken_together_with_it(tmp_path: Path, simulate: Simulate) -> None:
    """Low runs from 0 to 10, another waits from 5, high comes at 10: it gets the agent and cuts nobody."""
    durations = taking(tmp_path / "d.yaml", low="100", high="60")
    events = arriving(tmp_path / "e.jsonl", (0, "LOW"), (5, "LOW"), (10, "HIGH"))

    run = simulate(flows(tmp_path / "f"), "--events", events, "--durations", durations, "--json").run

    assert run["preemptions"] == 0
    assert response(run) == {"0": (1, 6), "1": (2, (10 + 21) / 2)}


def test_waiting_is_from_ready_to_the_first_line(tmp_path: Path, simulate: Simulate) -> None:
    """Three of one priority on one agent, each 4 long, arriving together: they wait 0, 4 and 8."""
    durations = taking(tmp_path / "d.yaml", low="40", high="0")
    events = arriving(tmp_path / "e.jsonl", (0, "LOW"), (0, "LOW"), (0, "LOW"))

    run = simulate(flows(tmp_path / "f"), "--events", events, "--durations", durations, "--json").run

    waiting = run["waiting_ms"]["1"]
    assert [waiting[name] / UNIT for name in ("mean", "median", "max")] == [4, 4, 8]
    assert run["busy"]["agent_0"] == 1


def test_several_numbers_of_agents_are_a_line_each(tmp_path: Path, simulate: Simulate) -> None:
    durations = taking(tmp_path / "d.yaml", low="40", high="0")
    events = arriving(tmp_path / "e.jsonl", *[(0, "LOW")] * 6)

    ended = simulate(
        flows(tmp_path / "f"), "--events", events, "--durations", durations, "--agents", "1,2,6", "--lang", "en"
    )

    assert ended.status == Status.OK
    title, head, *rows = ended.out.splitlines()
    assert title == f"simulation of {tmp_path}/f: numbers of agents compared, times in ms"
    assert re.split(r"  +", head) == [
        "agents", "virtual s", "instances", "tasks/s", "busy", "preempted", "wasted", "p1 mean", "p1 p99",
    ]  # fmt: skip
    assert [re.split(r"  +", row) for row in rows] == [
        ["1", "0.2", "6", "25.0", "100.0%", "0", "0.0", "140.0", "240.0"],
        ["2", "0.1", "6", "50.0", "100.0%", "0", "0.0", "80.0", "120.0"],
        ["6", "0.0", "6", "150.0", "100.0%", "0", "0.0", "40.0", "40.0"],
    ]


def test_one_run_is_told_in_the_language_of_the_folder(tmp_path: Path, simulate: Simulate) -> None:
    durations = taking(tmp_path / "d.yaml", low="{fixed: 100, keeps_work: true}", high="60")
    events = arriving(tmp_path / "e.jsonl", (1, "LOW"), (3, "HIGH"))
    asked = (flows(tmp_path / "f"), "--events", events, "--durations", durations)

    english, chinese = simulate(*asked).out, simulate(*asked, "--lang", "zh").out

    assert (
        english
        == f"""\
simulation of {tmp_path}/f: 1 agents, 0.2 s of virtual time
instances: completed 2, failed 0, cancelled 0, expired 0, unfinished 0
tasks: completed 2, attempts 3; throughput 11.8 tasks/s, 11.8 instances/s
preemptions 1, wasted 0.0 ms

response (an instance from its creation to its completion, ms)
priority  count  mean   median  p95    p99    max
0         1      60.0   60.0    60.0   60.0   60.0
1         1      160.0  160.0   160.0  160.0  160.0

waiting (a task from ready to its first line, ms)
priority  count  mean  median  p95  p99  max
0         1      0.0   0.0     0.0  0.0  0.0
1         1      0.0   0.0     0.0  0.0  0.0

share of time that agents were busy: agent 94.1%
agent_0 94.1%
"""
    )
    assert "抢占 1 次, 浪费 0.0 毫秒" in chinese
    assert len(chinese.splitlines()) == len(english.splitlines())


def test_the_folders_own_events_and_durations_are_the_default_and_no_action_is_run(
    tmp_path: Path, simulate: Simulate
) -> None:
    definitions = flows(tmp_path / "f", more="events: [{after_ms: 10, type: LOW, entity_id: A}]\n")
    taking(definitions / "durations.yaml", low="100", high="60")

    run = simulate(definitions, "--json").run

    assert response(run) == {"1": (1, 10)}
    assert not (definitions / "imported").exists()
    assert not (definitions / "run").exists()


def test_a_seed_decides_what_is_drawn(tmp_path: Path, simulate: Simulate) -> None:
    durations = taking(tmp_path / "d.yaml", low="{exponential: 40}", high="{uniform: [5, 50]}")
    events = arriving(tmp_path / "e.jsonl", *[(number, ("LOW", "HIGH")[number % 2]) for number in range(50)])
    asked = (flows(tmp_path / "f", agents=2), "--events", events, "--durations", durations, "--json", "--seed")

    assert simulate(*asked, "7").out == simulate(*asked, "7").out
    assert simulate(*asked, "7").run != simulate(*asked, "8").run


def test_a_tick_file_arrives_as_a_replay_publishes_it(tmp_path: Path, simulate: Simulate) -> None:
    workflows = FLOWS.replace("trigger_event: LOW", "trigger_event: DATA_READY")
    definitions = folder(tmp_path / "f", engine_yaml="agents: 1\nlanguage: en\nevent_types: [HIGH]\n",
                         workflows=workflows, actions=ACTIONS)  # fmt: skip
    ticks = tmp_path / "ticks_20240102.csv"
    ticks.write_text("time,symbol,price\n09:30:00,A,1\n09:30:10,A,2\n09:30:10,,3\n11:30:00,B,4\n")

    ended = simulate(
        definitions, "--events", ticks, "--default-ms", "5", "--skip-gaps", "20", "--speed", "10", "--json"
    )

    assert ended.run["instances"]["completed"] == 3
    assert ended.run["virtual_s"] == 3.005
    assert f"{ticks}:4: symbol is '', which leaves no id" in ended.err
    assert ended.status == Status.FAILED


def in_order(attempts: Sequence[tuple[float, float, str]], place: int) -> list[str]:
    """The tasks' names by begin (0) or end (1)."""
    return [name.split()[0] for *_, name in sorted(attempts, key=lambda one: one[place])]


# --- a recorded run ------------------------------------------------------------------------------


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


def written_record(path: Path, *rows: Mapping[str, Any]) -> Path:
    """A record by hand: one instance per row, of one task, with its attempts' ends."""
    lines: list[dict[str, Any]] = [{"type": "entity_changed", "ns": 1000}]
    for number, row in enumerate(rows):
        name = {"workflow": row["workflow"], "instance": f"i{number}", "entity": f"E{number}"}
        begin = 1000 + row["at"] * UNIT * 1_000_000
        lines.append({"type": "instance_created", "ns": begin, "priority": row["priority"], **name})
        for attempt, (type_, detail) in enumerate(row["attempts"], start=1):
            told = {key: value * UNIT * 1_000_000 if key.endswith("_ns") else value for key, value in detail.items()}
            at = begin + detail.get("at", 0) * UNIT * 1_000_000
            number_of = detail.get("number", attempt)
            lines.append({"type": type_, "ns": at, "task": "work", "attempt": number_of, "detail": told, **name})
        lines.append({"type": "instance_ended", "ns": begin, **name})
    text = "".join(json.dumps({"sequence": number, **line}) + "\n" for number, line in enumerate(lines, start=1))
    path.write_text(text)
    return path


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


# --- what is wrong -------------------------------------------------------------------------------

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


# --- size ----------------------------------------------------------------------------------------

MEASURE = """
import resource, sys
from pathlib import Path
from actors import cli
status = cli.run(["simulate", sys.argv[1], "--events", sys.argv[2], "--durations", sys.argv[3], "--json",
                  "--trace", sys.argv[4]])
print(status, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_memory_does_not_grow_with_the_number_of_tasks(tmp_path: Path) -> None:
    definitions = flows(tmp_path / "f", agents=3)
    durations = taking(tmp_path / "d.yaml", low="{exponential: 8}", high="{exponential: 8}")

    def peak_kb(count: int) -> int:
        events = tmp_path / f"{count}.jsonl"
        with events.open("w") as file:
            for number in range(count):
                row = {"at_ms": 4 * number, "type": ("LOW", "HIGH")[number % 2], "entity_id": f"E{number % 100}"}
                file.write(json.dumps(row) + "\n")
        command = [sys.executable, "-c", MEASURE, *map(str, (definitions, events, durations, tmp_path / "t.json"))]
        ended = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=True)
        status, peak = ended.stdout.splitlines()[-1].split()
        assert status == "0"
        return int(peak)

    # The 50,000 newest events' ids are remembered, and a tenth more: from there on nothing grows.
    assert peak_kb(180_000) < 1.1 * peak_kb(60_000)
