"""Small folders, arrivals, durations and records by hand, for the tests of ``engine simulate``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.engine.command_line import folder

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
