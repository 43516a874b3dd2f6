"""Attempts with their times, as a record tells them, or as the control API shows instances.

Times are microseconds on any clock; one source has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.views import ChangeType

Row = Mapping[str, Any]

ENDS = frozenset(
    map(
        str,
        (
            ChangeType.TASK_COMPLETED,
            ChangeType.TASK_RETRIED,
            ChangeType.TASK_FAILED,
            ChangeType.TASK_PREEMPTED,
            ChangeType.TASK_CANCELLED,
            ChangeType.TASK_UNKNOWN,
            ChangeType.TASK_LOST,
        ),
    )
)


@dataclass(slots=True)
class Stretch:
    """An attempt on one agent, until it ended or was suspended."""

    agent: str
    begin: float
    end: float | None = None
    by: str | None = None
    """The task that had it cut here."""


@dataclass(slots=True)
class Attempt:
    """One attempt of a task."""

    task_id: str
    task: str
    workflow: str
    entity: str
    priority: int
    number: int
    ready: float | None = None
    """When it came into line."""
    stretches: list[Stretch] = field(default_factory=list)
    outcome: str = "running"


def from_instances(instances: Iterable[Row]) -> Iterator[Attempt]:
    """Instances with their tasks, as the control API shows them. One that moved is shown at its last agent."""
    for instance in instances:
        for task in instance["tasks"]:
            for row in task["attempts"]:
                yield _shown(instance, task, row)


def _shown(instance: Row, task: Row, row: Row) -> Attempt:
    attempt = Attempt(
        task["id"], task["task"], instance["workflow"], instance["entity_id"], task["priority"], row["number"],
        _us(row["ready_at"]),
    )  # fmt: skip
    begin = row["started_at"] if row["started_at"] is not None else row["assigned_at"]
    if row["agent"] is None or begin is None:
        return attempt
    attempt.outcome = row["outcome"] or "running"
    at = _us(begin)
    for stood in row["suspended"]:
        attempt.stretches.append(Stretch(row["agent"], at, _us(stood["from_at"]), row["preempted_by"]))
        if stood["until_at"] is None:
            return attempt
        at = _us(stood["until_at"])
    end = None if row["ended_at"] is None else _us(row["ended_at"])
    by = row["preempted_by"] if row["reason"] == "preempt" else None
    attempt.stretches.append(Stretch(row["agent"], at, end, by))
    return attempt


def from_changes(changes: Iterable[Row]) -> list[Attempt]:
    """The lines of a record, in their order. What is not of a task says nothing here."""
    attempts: dict[tuple[str, int], Attempt] = {}
    for row in changes:
        if "task_id" in row and isinstance(row.get("ns"), int):
            _take(attempts, row, row["ns"] / 1000)
    return list(attempts.values())


def _take(attempts: dict[tuple[str, int], Attempt], row: Row, at: float) -> None:
    key = (row["task_id"], int(row.get("attempt", 0)))
    attempt = attempts.get(key)
    if attempt is None:
        attempt = attempts[key] = Attempt(
            row["task_id"], row.get("task", ""), row.get("workflow", ""), row.get("entity", ""),
            int(row.get("priority", 0)), key[1],
        )  # fmt: skip
    stretches, kind, detail = attempt.stretches, row["type"], row.get("detail", {})
    if kind == ChangeType.TASK_READY:
        attempt.ready = at
    elif kind in (ChangeType.TASK_STARTED, ChangeType.TASK_RESUMED):
        if not stretches or stretches[-1].end is not None:
            stretches.append(Stretch(row.get("agent", "?"), at))
    elif kind == ChangeType.TASK_SUSPENDED and stretches:
        stretches[-1].end, stretches[-1].by = at, detail.get("by")
    elif kind in ENDS and stretches and attempt.outcome == "running":
        attempt.outcome = kind.removeprefix("task_")
        if len(stretches) == 1 and "began_ns" in detail:
            stretches[0].begin = detail["began_ns"] / 1000
        if stretches[-1].end is None:
            stretches[-1].end = detail["ended_ns"] / 1000 if "ended_ns" in detail else at
            stretches[-1].by = detail.get("by")


def _us(seconds: float) -> float:
    return seconds * 1e6
