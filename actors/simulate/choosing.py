"""Which duration each task gets, where several sources have one; and which tasks have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from actors.durations.files import Given
from actors.durations.laws import Empirical, Fixed, Manner, TaskName
from actors.errors import RequestError
from actors.model import NS_PER_MS, Definitions, Trigger
from actors.simulate.drawn import Drawn, Planner
from actors.simulate.records import AsRecorded, Recorded

MAX_NAMED = 10
"""Tasks named in one error."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where durations may come from, the first that has one wins."""

    named: Given = field(default_factory=Given)
    """The file that was asked for."""
    samples: Recorded | None = None
    """A record to draw from."""
    exact: Recorded | None = None
    """The record that is simulated: each task as it went there."""
    beside: Given = field(default_factory=Given)
    """The file in the definitions folder."""
    default_ms: float | None = None


def planner_of(definitions: Definitions, sources: Sources, seed: int) -> Planner:
    """Raises ``RequestError`` that names the tasks without a duration."""
    needed = _needed(definitions, sources.exact)
    manners: dict[TaskName, Manner] = {}
    missing: list[TaskName] = []
    for task in needed:
        manner = _manner(task, sources)
        if manner is None:
            missing.append(task)
        else:
            manners[task] = manner
    if missing:
        raise RequestError(_complaint(missing))
    drawn = Drawn(manners, seed)
    if sources.exact is None or sources.samples is not None:
        return drawn
    return AsRecorded(sources.exact, drawn, frozenset(sources.named.manners))


def _needed(definitions: Definitions, exact: Recorded | None) -> list[TaskName]:
    """Tasks that may come up: those of workflows that start in the record, or that something starts."""
    return [
        (str(workflow.id), task.id)
        for workflow in definitions.workflows.values()
        if (workflow.trigger is not Trigger.MANUAL if exact is None else workflow.id in exact.started)
        for task in workflow.tasks
    ]


def _manner(task: TaskName, sources: Sources) -> Manner | None:
    named, beside = sources.named, sources.beside
    if task in named.manners:
        return named.manners[task]
    record = sources.samples or sources.exact
    recorded = _sampled(task, record) if record is not None else None
    if recorded is not None or task in named.recorded:
        return recorded
    if task in beside.manners:
        return beside.manners[task]
    default = Manner(Fixed(sources.default_ms * NS_PER_MS)) if sources.default_ms is not None else None
    return named.default or beside.default or default


def _sampled(task: TaskName, record: Recorded) -> Manner | None:
    values = record.samples.get(task)
    return Manner(Empirical(tuple(values)), keeps_work=task in record.keeps) if values else None


def _complaint(missing: Sequence[TaskName]) -> str:
    shown = ", ".join(f"{workflow}.{task}" for workflow, task in missing[:MAX_NAMED])
    more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
    example = ".".join(missing[0])
    return (
        f"no duration for {shown}{more}: write them into a file (for example '{example}: 20', in ms) and name it with "
        "--durations, take them from a record with --durations-from, or give all such tasks one with --default-ms"
    )


def tasks_of(definitions: Definitions) -> Mapping[TaskName, None]:
    """Every task there is, by name."""
    return {(str(workflow.id), task.id): None for workflow in definitions.workflows.values() for task in workflow.tasks}
