"""A workflow: its header, its tasks, and what they say together."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from actors.errors import DefinitionError
from actors.model import MAX_TASKS, Condition, EventType, Phase, Task, Trigger, Workflow, WorkflowId
from actors.reading.action_book import ActionBook
from actors.reading.faults import MAX_CONDITIONS, Source
from actors.reading.graph import cycles, dependants
from actors.reading.nodes import Mark, Path, clip, find
from actors.reading.sentences import Checked, check
from actors.reading.shapes import WorkflowShape
from actors.reading.tasks import read_task

_READY_EVENTS = (EventType.DATA_READY, EventType.HIGH_PRIORITY_ARRIVED)


def read_workflow(
    source: Source, path: Path, *, key: str | None, event_types: Collection[str], actions: ActionBook
) -> Workflow | None:
    """The workflow at the path; ``key`` is its id in a mapping.

    What is wrong is reported to the source; None if it has no id to go by.
    """
    checked = check(WorkflowShape, source, path, known={"id": key} if key is not None else {})
    fields = dict(checked.fields)
    fields.pop("tasks", None)
    _check_trigger(source, path, checked, event_types)
    tasks = _tasks(source, (*path, "tasks"), actions)
    if "when" in fields:
        fields["when"] = _condition(source, (*path, "when"), fields["when"])
    fields["phase"] = _phase(source, path, checked)
    if "id" not in fields:
        return None
    fields["id"] = WorkflowId(fields["id"])
    return Workflow(tasks=tasks, dependants=dependants([task.depends_on for task in tasks]), **fields)


def _check_trigger(source: Source, path: Path, checked: Checked, event_types: Collection[str]) -> None:
    fields = checked.fields
    if "trigger_event" not in fields:
        return
    trigger = fields.get("trigger", Trigger.EVENT)
    if trigger is not Trigger.EVENT:
        source.key_fault((*path, "trigger_event"), f"has no use with trigger {trigger}; leave it out")
    elif fields["trigger_event"] not in event_types:
        name = fields["trigger_event"]
        hint = source.faults.suggest(name, event_types) or "; types of your own stand in event_types of engine.yaml"
        source.fault((*path, "trigger_event"), f"no event type '{clip(name)}'{hint}")


def _phase(source: Source, path: Path, checked: Checked) -> str | None:
    """The phase that is given, None if it is given as null; else what the trigger means by itself."""
    if "phase" in find(source.root, path).mapping():
        phase: str | None = checked.fields.get("phase")
        return phase
    trigger = checked.fields.get("trigger", Trigger.EVENT)
    event = checked.fields.get("trigger_event", EventType.DATA_READY)
    if trigger is Trigger.STATE or (trigger is Trigger.EVENT and event in _READY_EVENTS):
        return Phase.DATA_READY.value
    return None


def _condition(source: Source, path: Path, text: str) -> Condition | None:
    from actors import conditions

    source.conditions_left -= len(text)
    if source.conditions_left < 0:
        source.fault(path, f"more than {MAX_CONDITIONS} characters of conditions in one file")
        return None
    try:
        return conditions.compile(text)
    except DefinitionError as error:
        begin = find(source.root, path).text_at
        for fault in error.faults:
            if begin is not None and fault.line == 1:
                source.at(Mark(begin.line, begin.column + fault.column - 1), path, fault.message)
            else:
                source.fault(path, fault.message)
        return None


def _tasks(source: Source, path: Path, actions: ActionBook) -> tuple[Task, ...]:
    """The tasks of the list at the path, joined by what they depend on."""
    count = min(len(find(source.root, path).items()), MAX_TASKS)
    if "tasks" not in find(source.root, path[:-1]).mapping():
        return ()
    read = [read_task(source, (*path, index), index, actions) for index in range(count)]
    places: dict[str, int] = {}
    for task, _ in read:
        if task.id in places:
            message = f"a second task '{clip(task.id)}'; the first is tasks[{places[task.id]}]"
            source.fault((*path, task.index, "id"), message)
        elif task.id:
            places[task.id] = task.index
    joined = tuple(
        dataclasses.replace(task, depends_on=_depends_on(source, (*path, task.index), needed, places))
        for task, needed in read
    )
    _check_cycles(source, path, joined)
    return joined


def _depends_on(source: Source, path: Path, needed: Sequence[str], places: Mapping[str, int]) -> tuple[int, ...]:
    """The places of the tasks it waits for; a cycle of one is reported with the others."""
    shown = (*path, "depends_on")
    found: dict[int, None] = {}
    for item, name in enumerate(needed):
        if name not in places:
            source.unknown((*shown, item), "task", name, places, shown=shown)
        elif places[name] in found:
            source.fault((*shown, item), f"'{clip(name)}' is named twice", shown=shown)
        else:
            found[places[name]] = None
    return tuple(found)


def _check_cycles(source: Source, path: Path, tasks: Sequence[Task]) -> None:
    for cycle in cycles([task.depends_on for task in tasks]):
        names = [clip(tasks[place].id, 30) for place in cycle]
        if len(names) > 12:
            names = [*names[:10], "…", names[-1]]
        at = (*path, cycle[0], "depends_on")
        source.fault(at, f"waits for itself: {' → '.join(names)}")
