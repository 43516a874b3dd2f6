"""A timeline has a lane for each agent, every wait, attempts cut where they were, and arrows from who had them cut."""

from __future__ import annotations

import json
from typing import Any

from actors.timeline.attempts import Attempt, Stretch, from_changes, from_instances
from actors.timeline.slices import AGENTS, MAX_LANES, slices


def row(type: str, ms: float, task: str, **more: Any) -> dict[str, Any]:
    fields = {"entity": task[-1], "workflow": "flow", "task": "t", "priority": 2, "attempt": 1, **more}
    return {"sequence": 1, "type": type, "ns": int(ms * 1e6), "task_id": task, **fields}


PREEMPTED = [
    row("task_ready", 0, "low_A"),
    row("task_started", 1, "low_A", agent="agent_0"),
    row("task_ready", 10, "high_B", priority=0),
    row("task_preempted", 12, "low_A", agent="agent_0",
        detail={"by": "high_B", "began_ns": 2_000_000, "ended_ns": 11_000_000}),
    row("task_ready", 12, "low_A", attempt=2),
    row("task_started", 12, "high_B", priority=0, agent="agent_0"),
    row("task_completed", 20, "high_B", priority=0, agent="agent_0",
        detail={"began_ns": 12_500_000, "ended_ns": 20_000_000}),
    row("task_started", 20, "low_A", attempt=2, agent="agent_1"),
]  # fmt: skip
SUSPENDED = [
    row("task_started", 1, "low_A", agent="agent_0"),
    row("task_suspended", 5, "low_A", agent="agent_0", detail={"by": "high_B"}),
    row("task_resumed", 9, "low_A", agent="agent_1"),
    row("task_completed", 12, "low_A", agent="agent_1", detail={"began_ns": 2_000_000, "ended_ns": 11_000_000}),
]


def test_a_record_gives_each_attempt_its_wait_its_agent_and_who_had_it_cut() -> None:
    first, high, second = from_changes(PREEMPTED)

    assert (first.ready, first.stretches, first.outcome) == (
        0, [Stretch("agent_0", 2_000, 11_000, "high_B")], "preempted",
    )  # fmt: skip
    assert (high.ready, high.stretches) == (10_000, [Stretch("agent_0", 12_500, 20_000)])
    assert (second.number, second.stretches, second.outcome) == (2, [Stretch("agent_1", 20_000)], "running")


def test_an_attempt_that_was_suspended_is_split_where_it_was_and_goes_on_where_it_went_on() -> None:
    (attempt,) = from_changes(SUSPENDED)

    assert attempt.stretches == [Stretch("agent_0", 1_000, 5_000, "high_B"), Stretch("agent_1", 9_000, 11_000)]


def test_instances_as_the_api_shows_them_give_the_same() -> None:
    attempt = {
        "number": 1, "agent": "agent_0", "outcome": "completed", "reason": None, "ready_at": 10.0, "started_at": 11.0,
        "assigned_at": 10.9, "ended_at": 15.0, "preempted_by": "high_B",
        "suspended": [{"from_at": 12.0, "until_at": 14.0}],
    }  # fmt: skip
    waits = {**attempt, "number": 2, "agent": None, "started_at": None, "assigned_at": None, "outcome": None}
    runs = {**attempt, "started_at": None, "ended_at": None, "outcome": None, "suspended": [], "preempted_by": None}
    task = {"id": "low_A", "task": "low", "priority": 2, "attempts": [attempt, waits, runs]}

    cut, waiting, running = from_instances([{"workflow": "flow", "entity_id": "A", "tasks": [task]}])

    assert cut.stretches == [Stretch("agent_0", 11e6, 12e6, "high_B"), Stretch("agent_0", 14e6, 15e6)]
    assert (waiting.ready, waiting.stretches) == (10e6, [])
    assert (running.stretches, running.outcome) == ([Stretch("agent_0", 10.9e6)], "running")


def test_slices_have_a_lane_for_each_agent_and_a_process_for_what_waits_at_each_priority() -> None:
    events = list(slices(from_changes(PREEMPTED)))

    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name" and e["pid"] == 1}
    processes = [e["args"]["name"] for e in events if e["name"] == "process_name"]
    ran = [(e["name"], e["tid"], e["ts"], e["dur"]) for e in events if e["ph"] == "X" and e["pid"] == AGENTS]
    waited = [(e["args"]["task"], e["ts"], e["dur"]) for e in events if e["ph"] == "X" and e["pid"] != AGENTS]
    assert names == {(1, 1): "agent_0", (1, 2): "agent_1"}
    assert processes == ["agents", "waiting, priority 0", "waiting, priority 2"]
    assert ran == [("t A", 1, 2_000, 9_000), ("t B", 1, 12_500, 7_500), ("t A", 2, 20_000, 0)]
    assert waited == [("high_B", 10_000, 2_500), ("low_A", 0, 2_000), ("low_A", 12_000, 8_000)]
    assert json.dumps(events)


def test_an_arrow_leads_from_the_waiting_task_to_the_end_of_what_made_way() -> None:
    events = list(slices(from_changes(PREEMPTED)))
    start, end = (next(e for e in events if e["ph"] == phase) for phase in "sf")
    victim = next(e for e in events if e["ph"] == "X" and e["pid"] == AGENTS and e["args"].get("made_way_for"))
    waits = next(e for e in events if e["ph"] == "X" and e["args"]["task"] == "high_B" and e["pid"] != AGENTS)

    assert start["id"] == end["id"]
    assert (end["pid"], end["tid"]) == (victim["pid"], victim["tid"])
    assert victim["ts"] <= end["ts"] <= victim["ts"] + victim["dur"]
    assert (start["pid"], start["tid"]) == (waits["pid"], waits["tid"])
    assert waits["ts"] <= start["ts"] <= waits["ts"] + waits["dur"]
    assert start["ts"] <= end["ts"]


def test_slices_of_one_lane_never_overlap_until_there_are_too_many_lanes() -> None:
    attempts = [
        Attempt(f"t_{n}", "t", "f", str(n), 2, 1, ready=float(n % 7), stretches=[Stretch("a_0", 10.0 + n, 11.0 + n)])
        for n in range(MAX_LANES)
    ]
    lanes: dict[int, list[tuple[float, float]]] = {}
    for event in slices(attempts):
        if event["ph"] == "X" and event["pid"] != AGENTS:
            lanes.setdefault(event["tid"], []).append((event["ts"], event["ts"] + event["dur"]))

    assert len(lanes) == MAX_LANES
    assert all(
        one[1] <= two[0] for lane in lanes.values() for one, two in zip(sorted(lane), sorted(lane)[1:], strict=False)
    )
    many = [*attempts, *(Attempt("u", "t", "f", "x", 2, n, ready=0.0) for n in range(50))]
    assert max(e["tid"] for e in slices(many) if e["pid"] != AGENTS) == MAX_LANES


def test_nothing_gives_nothing() -> None:
    assert [e["name"] for e in slices([])] == ["process_name", "process_sort_index"]
