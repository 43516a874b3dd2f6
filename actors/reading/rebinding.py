"""Functions given to definitions that were read before."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from actors.actions import default_isolation, describe
from actors.errors import DefinitionError, Fault
from actors.model import ActionSpec, Definitions, OnPreempt, Task, Workflow
from actors.reading.tasks import unsuited, without_process


def rebind(definitions: Definitions, given: Mapping[str, Callable[..., Any]]) -> Definitions:
    """The same definitions with these functions instead of others of the same names."""
    specs = {name: describe(name, function) for name, function in given.items() if name in definitions.actions}
    if not specs:
        return definitions
    faults: list[Fault] = []
    workflows = {key: _workflow(workflow, specs, faults) for key, workflow in definitions.workflows.items()}
    if faults:
        raise DefinitionError(faults)
    return dataclasses.replace(definitions, workflows=workflows, actions={**definitions.actions, **specs})


def _workflow(workflow: Workflow, specs: Mapping[str, ActionSpec], faults: list[Fault]) -> Workflow:
    tasks = []
    for task in workflow.tasks:
        spec = specs.get(task.action or "")
        path = f"workflows.{workflow.id}.tasks[{task.index}]"
        tasks.append(task if spec is None else _task(task, spec, path, faults))
    return dataclasses.replace(workflow, tasks=tuple(tasks))


def _task(task: Task, spec: ActionSpec, path: str, faults: list[Fault]) -> Task:
    isolation = task.isolation if task.isolation_chosen else default_isolation(spec)
    problems: list[tuple[str, str | None]] = [("isolation", unsuited(isolation, spec))]
    suspend = task.on_preempt is OnPreempt.SUSPEND
    problems += without_process(isolation, suspend=suspend, limits=task.limits is not None)
    faults += [Fault("", 0, 0, f"{path}.{name}", message) for name, message in problems if message is not None]
    return dataclasses.replace(task, isolation=isolation)
