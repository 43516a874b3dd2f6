"""``engine simulate``: exact on small examples, and no larger for more of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from actors.status import Status
from tests.engine.command_line import ROOT, environment, folder
from tests.engine.simulated import ACTIONS, FLOWS, UNIT, Simulate, arriving, flows, response, taking


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
    definitions = flows(tmp_path / "f", agents=3, more="max_remembered_ids: 1000\n")
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

    # Beyond the newest ids, a thousand here, nothing of an event is kept.
    assert peak_kb(40_000) < 1.1 * peak_kb(13_000)
