"""One task: what its fields say together, and the noun made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.actions import default_isolation
from actors.model import ActionKind, ActionSpec, Backoff, Delivery, Isolation, Limits, OnPreempt, Task
from actors.reading.action_book import ActionBook
from actors.reading.faults import Source
from actors.reading.nodes import Path
from actors.reading.sentences import Checked, check
from actors.reading.shapes import TaskShape

_KILLED = (Isolation.PROCESS, Isolation.COMMAND)
"""Isolations that have a process of their own."""
_RENAMED = {"timeout": "timeout_ms"}


def read_task(source: Source, path: Path, index: int, actions: ActionBook) -> tuple[Task, tuple[str, ...]]:
    """The task at the path without its dependencies, and the ids it depends on.

    What is wrong is reported to the source and left at its default.
    """
    checked = check(TaskShape, source, path)
    fields = dict(checked.fields)
    depends_on = tuple(fields.pop("depends_on", ()))
    spec = _action(source, path, checked, actions)
    isolation, chosen = _isolation(source, path, checked, spec)
    _check_delivery(source, path, checked)
    if isolation is not None:
        suspend, limits = fields.get("on_preempt") is OnPreempt.SUSPEND, fields.get("limits") is not None
        for name, message in without_process(isolation, suspend=suspend, limits=limits):
            source.fault((*path, name), message)
    return _task(fields, index, isolation or Isolation.THREAD, chosen=chosen), depends_on


def _task(fields: Mapping[str, Any], index: int, isolation: Isolation, *, chosen: bool) -> Task:
    """The noun: the fields by the model's names and types."""
    given = {_RENAMED.get(name, name): value for name, value in fields.items() if name != "isolation"}
    given.setdefault("id", "")
    if "run" in given:
        given["run"] = tuple(given["run"])
    if "capabilities" in given:
        given["capabilities"] = frozenset(given["capabilities"])
    if "preempts" in given:
        given["preempts"] = given["preempts"] != "never"
    if given.get("limits") is not None:
        given["limits"] = Limits(**given["limits"].model_dump())
    if given.get("backoff") is not None:
        given["backoff"] = Backoff(**given["backoff"].model_dump())
    return Task(index=index, isolation=isolation, isolation_chosen=chosen, **given)


def _action(source: Source, path: Path, checked: Checked, actions: ActionBook) -> ActionSpec | None:
    """Exactly one of ``action`` and ``run``, and leave to use it."""
    action, run = checked.fields.get("action"), checked.fields.get("run")
    if run is not None and not actions.trusted:
        source.key_fault((*path, "run"), "commands are run from a definitions folder alone; use an action")
    if action is not None and run is not None:
        source.key_fault((*path, "run"), "'action' and 'run' exclude each other; give one")
    elif action is None and run is None and not checked.faulty & {"action", "run"}:
        source.fault(path, "needs 'action' or 'run'")
    if action is None:
        return None
    found = actions.find(action)
    if isinstance(found, str):
        source.fault((*path, "action"), found)
        return None
    return found


def _isolation(source: Source, path: Path, checked: Checked, spec: ActionSpec | None) -> tuple[Isolation | None, bool]:
    """Where it runs, None if that cannot be known; and whether its author said so."""
    said: Isolation | None = checked.fields.get("isolation")
    if "isolation" in checked.faulty:
        return None, False
    if checked.fields.get("run") is not None:
        if said not in (None, Isolation.COMMAND):
            source.fault((*path, "isolation"), f"a command is a process of its own; isolation {said} is for actions")
        return Isolation.COMMAND, said is not None
    if said is None:
        return (default_isolation(spec) if spec is not None else None), False
    problem = unsuited(said, spec)
    if problem is not None:
        source.fault((*path, "isolation"), problem)
    return said, True


def unsuited(isolation: Isolation, spec: ActionSpec | None) -> str | None:
    """Why this action cannot run there; None if it can."""
    if isolation is Isolation.COMMAND:
        return "isolation command is for 'run', not for an action"
    if isolation is Isolation.RAY:
        return "isolation ray is not available; use process, thread or async"
    if spec is None:
        return None
    if isolation is Isolation.PROCESS and not spec.importable:
        return f"another process cannot import action '{spec.name}'; move it to a module, or use isolation thread"
    if isolation is Isolation.ASYNC and spec.kind not in (ActionKind.COROUTINE, ActionKind.ASYNC_GENERATOR):
        return f"action '{spec.name}' would block the event loop; make it an async function, or use isolation thread"
    return None


def _check_delivery(source: Source, path: Path, checked: Checked) -> None:
    """At most once leaves no room for what runs a task again."""
    fields = checked.fields
    if fields.get("delivery") is not Delivery.AT_MOST_ONCE:
        return
    if fields.get("retry", 0) != 0:
        source.fault((*path, "retry"), "delivery at_most_once needs retry 0")
    suspended = fields.get("on_preempt") is OnPreempt.SUSPEND or "on_preempt" in checked.faulty
    if fields.get("preemptible", True) and not suspended and "preemptible" not in checked.faulty:
        source.fault((*path, "delivery"), "at_most_once needs preemptible: false, or on_preempt: suspend")


def without_process(isolation: Isolation, *, suspend: bool, limits: bool) -> list[tuple[str, str]]:
    """What needs a process of its own and has none: fields, each with the sentence that says so."""
    if isolation in _KILLED:
        return []
    where = f"this task runs with isolation {isolation}"
    problems = []
    if suspend:
        problems.append(("on_preempt", f"suspend is for processes and commands; {where}"))
    if limits:
        problems.append(("limits", f"limits are for processes and commands; {where}"))
    return problems
