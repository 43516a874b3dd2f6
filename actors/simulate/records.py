"""A recorded run read back: what started when, and how long each task took.

It is read line by line. Kept are sixteen bytes a task, and a sample of each task's durations.
"""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.durations.laws import TaskName
from actors.errors import RequestError
from actors.model import NS_PER_MS, Coalesce, Definitions, Event, EventType, Job, OnUnknownEntity, OutcomeKind, Trigger
from actors.simulate.arrivals import Arrival, lines_of, object_of
from actors.simulate.drawn import Planner
from actors.simulation import Plan
from actors.views import ChangeType

SAMPLES = 10_000
"""Durations of one task that are kept to draw from."""
UNKNOWN = -1
"""In the record the task did not come to an end of its own."""
_WHAT = "a record"
_LINE = "a state change as start --record writes it"
_OWN_ENDS = frozenset({ChangeType.TASK_COMPLETED, ChangeType.TASK_FAILED, ChangeType.TASK_RETRIED})
_READ = frozenset(map(str, (
    *_OWN_ENDS, ChangeType.INSTANCE_CREATED, ChangeType.INSTANCE_ENDED, ChangeType.TASK_PREEMPTED,
    ChangeType.TASK_LOST, ChangeType.TASK_SUSPENDED, ChangeType.TASK_RESUMED, ChangeType.GAP,
)))  # fmt: skip


@dataclass(slots=True)
class _Open:
    """A task on its way through the record."""

    attempt: int = 0
    """The newest that has ended."""
    kept: int = 0
    """Work that its attempts have kept, in ns."""
    failures: tuple[int, ...] = ()
    """Work done at each failed attempt's end."""
    suspended_at: int | None = None
    stood_still: int = 0


@dataclass(slots=True)
class Recorded:
    """What a record says. Instances are numbered in the order they were created, from 0."""

    path: Path
    begins: int = 0
    """Its first change, in ns of the recorded engine's clock."""
    instances: int = 0
    lost: int = 0
    """Changes missing from it."""
    cut: bool = False
    """Its last line is not whole."""
    started: dict[str, int] = field(default_factory=dict)
    """How many instances of each workflow."""
    samples: dict[TaskName, array[int]] = field(default_factory=dict)
    keeps: set[TaskName] = field(default_factory=set)
    """Tasks that were seen to continue where they were cut."""
    bases: array[int] = field(default_factory=lambda: array("q"))
    """By instance: where in ``takes`` its first task stands."""
    takes: array[int] = field(default_factory=lambda: array("q"))
    """Work of each task, in ns."""
    failures: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """By place in ``takes``: work done when its failed attempts ended."""
    given_up: set[int] = field(default_factory=set)
    """Places in ``takes`` whose last failure was final."""


def read_record(path: Path, definitions: Definitions, *, strict: bool = True) -> Recorded:
    """Raises ``NotFoundError``, and ``RequestError`` for what is no record.

    ``strict``: also for one with workflows that the definitions do not have; else these are passed over.
    """
    return _Reading(path, definitions, strict=strict).read()


def recorded_arrivals(recorded: Recorded) -> Iterator[Arrival]:
    """An event for each instance, when it was created; its data is the instance's number."""
    number = 0
    at, together = 0, list[Event]()
    for place, line in lines_of(recorded.path, _WHAT):
        if b'"instance_created"' not in line or not line.endswith(b"\n"):
            continue
        row = object_of(line, f"{recorded.path}:{place}", _LINE)
        if row.get("type") != ChangeType.INSTANCE_CREATED:
            continue
        instant = max(at, row["ns"] - recorded.begins)
        if instant > at and together:
            yield at, tuple(together)
            together = []
        at = instant
        together.append(Event(start_type(row["workflow"]), row["entity"], row.get("priority"), data=number))
        number += 1
    if together:
        yield at, tuple(together)


def start_type(workflow: str) -> str:
    return f"start {workflow}"


def started_by_record(definitions: Definitions) -> Definitions:
    """The same workflows, each started by its own event alone, whatever table and conditions say."""
    workflows = {
        id: dataclasses.replace(
            workflow, trigger=Trigger.EVENT, trigger_event=start_type(id), phase=None, when=None,
            coalesce=Coalesce.ALL, next_phase=None,
        )
        for id, workflow in definitions.workflows.items()
    }  # fmt: skip
    settings = dataclasses.replace(
        definitions.settings, entities=(), events=(), on_unknown_entity=OnUnknownEntity.ADD, max_lined_up=1_000_000_000
    )
    return dataclasses.replace(definitions, workflows=workflows, settings=settings)


def raised(definitions: Definitions, arrivals: Iterator[Arrival]) -> Iterator[Arrival]:
    """With an event that raises the entity's instances, where one was more important than its workflow says."""
    own = {start_type(id): workflow.priority for id, workflow in definitions.workflows.items()}
    for at, events in arrivals:
        more = [
            Event(EventType.HIGH_PRIORITY_ARRIVED, event.entity_id, event.priority)
            for event in events
            if event.priority is not None and event.priority < own[event.type]
        ]
        yield at, (*events, *more)


class AsRecorded:
    """Plans each task as it went in the record, what it lacks as another planner says."""

    def __init__(self, recorded: Recorded, other: Planner, overridden: frozenset[TaskName]) -> None:
        self._recorded = recorded
        self._other = other
        self._overridden = overridden
        self._failed: dict[str, int] = {}

    def plan(self, job: Job, restored: int) -> Plan:
        recorded, task = self._recorded, (str(job.workflow), job.task.id)
        number = None if job.event is None else job.event.data
        if not isinstance(number, int) or task in self._overridden:
            return self._other.plan(job, restored)
        place = recorded.bases[number] + job.task.index
        takes, keeps = recorded.takes[place], task in recorded.keeps
        failures = recorded.failures.get(place)
        if failures is not None:
            times = self._failed.get(job.task_id, 0)
            if times < len(failures):
                final = place in recorded.given_up and times + 1 == len(failures)
                return Plan(failures[times], OutcomeKind.FAILED, keeps_work=keeps, retryable=not final)
        if takes == UNKNOWN:
            return self._other.plan(job, restored)
        return Plan(takes, keeps_work=keeps)

    def failed(self, task_id: str) -> None:
        self._failed[task_id] = self._failed.get(task_id, 0) + 1


class _Reading:
    def __init__(self, path: Path, definitions: Definitions, *, strict: bool) -> None:
        self._found = Recorded(path)
        self._strict = strict
        self._folder = definitions.folder
        self._places: Mapping[str, dict[str, int]] = {
            id: {task.id: task.index for task in workflow.tasks} for id, workflow in definitions.workflows.items()
        }
        self._timeouts = {
            (id, task.id): task.timeout_ms * NS_PER_MS
            for id, workflow in definitions.workflows.items()
            for task in workflow.tasks
        }
        self._live: dict[str, int] = {}
        """Numbers of instances that have not ended."""
        self._open: dict[tuple[int, str], _Open] = {}
        self._seen: dict[TaskName, int] = {}
        self._chance = 0

    def read(self) -> Recorded:
        found = self._found
        first = True
        for number, line in lines_of(found.path, _WHAT):
            if not line.endswith(b"\n"):
                found.cut = True  # Its engine was killed as it wrote.
                break
            where = f"{found.path}:{number}"
            row = object_of(line, where, _LINE)
            type_ = row.get("type")
            if not isinstance(row.get("ns"), int) or "sequence" not in row or not isinstance(type_, str):
                raise RequestError(f"{where}: no record: it has no sequence, type and ns; each line is {_LINE}")
            if first:
                found.begins, first = row["ns"], False
            if type_ in _READ:
                try:
                    self._take(ChangeType(type_), row, where)
                except KeyError as error:
                    raise RequestError(f"{where}: {error} is missing; each line is {_LINE}") from None
                except (TypeError, ValueError, AttributeError) as error:
                    raise RequestError(f"{where}: a field is wrong ({error}); each line is {_LINE}") from None
        if first:
            raise RequestError(f"{found.path}: it has no changes; make one with start --record")
        return found

    def _take(self, type_: ChangeType, row: Mapping[str, Any], where: str) -> None:
        found = self._found
        match type_:
            case ChangeType.GAP:
                found.lost += int(row["detail"]["lost"])
            case ChangeType.INSTANCE_CREATED:
                self._create(row, where)
            case ChangeType.INSTANCE_ENDED:
                number = self._live.pop(row["instance"], None)
                for task in self._places.get(row["workflow"], {}) if number is not None else ():
                    self._open.pop((number or 0, task), None)
            case _:
                number = self._live.get(row["instance"])
                if number is not None and row["task"] in self._places[row["workflow"]]:
                    self._task(type_, row, number)

    def _create(self, row: Mapping[str, Any], where: str) -> None:
        found, workflow = self._found, row["workflow"]
        places = self._places.get(workflow)
        if places is None:
            if not self._strict:
                return
            raise RequestError(
                f"{where}: {self._folder} has no workflow '{workflow}'; simulate the folder it was recorded from"
            )
        if not isinstance(row["entity"], str):
            raise TypeError("entity is not text")
        self._live[row["instance"]] = found.instances
        found.instances += 1
        found.started[workflow] = found.started.get(workflow, 0) + 1
        found.bases.append(len(found.takes))
        found.takes.extend([UNKNOWN] * len(places))

    def _task(self, type_: ChangeType, row: Mapping[str, Any], number: int) -> None:
        key, detail = (number, row["task"]), row.get("detail", {})
        task = self._open.get(key)
        if task is None:
            task = self._open[key] = _Open()
        if type_ is ChangeType.TASK_SUSPENDED:
            task.suspended_at = row["ns"]
            return
        if type_ is ChangeType.TASK_RESUMED:
            if task.suspended_at is not None:
                task.stood_still += row["ns"] - task.suspended_at
                task.suspended_at = None
            return
        if "began_ns" in detail and row["attempt"] > task.attempt:
            task.attempt = row["attempt"]
            self._attempt(type_, row, number, task)
        task.suspended_at, task.stood_still = None, 0
        if type_ in (ChangeType.TASK_COMPLETED, ChangeType.TASK_FAILED):
            del self._open[key]

    def _attempt(self, type_: ChangeType, row: Mapping[str, Any], number: int, task: _Open) -> None:
        """An attempt that ran has ended."""
        found, detail, name = self._found, row["detail"], (row["workflow"], row["task"])
        place = found.bases[number] + self._places[name[0]][name[1]]
        work = task.kept + max(0, detail["ended_ns"] - detail["began_ns"] - task.stood_still)
        if type_ is ChangeType.TASK_COMPLETED:
            found.takes[place] = work
            self._sample(name, work)
        elif type_ in _OWN_ENDS:
            if detail.get("error", "").startswith("Timeout"):
                work = max(work, self._timeouts[name]) + NS_PER_MS  # It will be stopped by its timeout again.
            task.failures = (*task.failures, work)
            found.failures[place] = task.failures
            if type_ is ChangeType.TASK_FAILED:
                found.given_up.add(place)
        saved = detail.get("saved_ns")
        if saved is not None:
            found.keeps.add(name)
            task.kept += max(0, saved - detail["began_ns"])

    def _sample(self, name: TaskName, work: int) -> None:
        """Keep a part of them that is drawn evenly (reservoir sampling), the same for the same record."""
        values = self._found.samples.setdefault(name, array("q"))
        seen = self._seen[name] = self._seen.get(name, 0) + 1
        if len(values) < SAMPLES:
            values.append(work)
            return
        self._chance = (self._chance * 6364136223846793005 + 1442695040888963407) & ((1 << 64) - 1)
        place = (self._chance >> 33) % seen
        if place < SAMPLES:
            values[place] = work
