"""The timeline: valid JSON, a track per agent, and never half a file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actors.errors import NotFoundError, RequestError
from actors.model import AgentName, OutcomeKind, StopReason
from actors.simulate.trace import Trace
from actors.simulation import Span

AGENTS = [AgentName("agent_0"), AgentName("agent_1")]
MS = 1_000_000
SPAN = Span(
    "load_A_1", "load", "quotes", "A", 0, 1, AGENTS[1], 1 * MS, 3 * MS, 5 * MS, OutcomeKind.COMPLETED, None, 0, 2 * MS,
    True,
)  # fmt: skip


def events(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    return found


def test_each_agent_is_a_track_and_each_attempt_a_slice_in_microseconds(tmp_path: Path) -> None:
    with Trace(tmp_path / "t.json") as trace:
        trace.begin("2 agents", AGENTS)
        trace.span(SPAN)
        trace.span(replace(SPAN, outcome=OutcomeKind.STOPPED, reason=StopReason.PREEMPT, began=7 * MS, ended=9 * MS))
        trace.span(replace(SPAN, began=None))

    shown = events(tmp_path / "t.json")
    names = {event["tid"]: event["args"]["name"] for event in shown if event["name"] == "thread_name"}
    assert names == {1: "agent_0", 2: "agent_1"}
    first, second = [event for event in shown if event["ph"] == "X"]
    assert first == {
        "name": "load A", "cat": "quotes", "ph": "X", "ts": 3000.0, "dur": 2000.0, "pid": 1, "tid": 2,
        "args": {"task": "load_A_1", "priority": 0, "attempt": 1, "outcome": "completed", "waited_ms": 2.0},
    }  # fmt: skip
    assert (second["args"]["outcome"], second["args"]["reason"]) == ("stopped", "preempt")


def test_each_simulation_is_a_process_of_its_own(tmp_path: Path) -> None:
    with Trace(tmp_path / "t.json") as trace:
        for title in ("5 agents", "8 agents"):
            trace.begin(title, AGENTS)
            trace.span(SPAN)

    shown = events(tmp_path / "t.json")
    assert [event["pid"] for event in shown if event["ph"] == "X"] == [1, 2]
    assert [event["args"]["name"] for event in shown if event["name"] == "process_name"] == ["5 agents", "8 agents"]


def test_one_without_slices_is_valid_too(tmp_path: Path) -> None:
    with Trace(tmp_path / "t.json"):
        pass

    assert events(tmp_path / "t.json") == []


def test_what_is_broken_off_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("old")

    def broken_off() -> None:
        with Trace(tmp_path / "t.json") as trace:
            trace.begin("2 agents", AGENTS)
            trace.span(SPAN)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"t.json": "old"}


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no folder"):
        Trace(tmp_path / "none" / "t.json")
    with pytest.raises(RequestError, match="it is a folder; name a file"):
        Trace(tmp_path)


def test_a_full_disk_is_one_sentence() -> None:
    with (
        pytest.raises(RequestError, match="/dev/full cannot be written: no space left on device"),
        Trace(Path("/dev/full")) as trace,
    ):
        trace.begin("2 agents", AGENTS)
    assert Path("/dev/full").is_char_device()
