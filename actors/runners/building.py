"""From what the tasks of the definitions run in to the runners that are needed for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from actors.actions import load_callables
from actors.model import ActionSpec, Definitions, Isolation
from actors.ports import Clock, Runner


def build_runners(
    definitions: Definitions,
    given: Mapping[str, Callable[..., Any]],
    clock: Clock,
    name: str,
    *,
    takes_output: bool = False,
) -> dict[Isolation, Runner]:
    """A runner for each isolation that a task uses; the others are not even imported."""
    used = {task.isolation for workflow in definitions.workflows.values() for task in workflow.tasks}
    max_bytes = definitions.settings.max_data_bytes
    runners: dict[Isolation, Runner] = {}
    in_process = used & {Isolation.THREAD, Isolation.ASYNC}
    callables = load_callables(definitions, given) if in_process else {}
    if Isolation.THREAD in used:
        from actors.runners.threads import ThreadRunner

        runners[Isolation.THREAD] = ThreadRunner(callables, clock=clock, max_bytes=max_bytes, name=f"{name}-thread")
    if Isolation.ASYNC in used:
        from actors.runners.event_loop import EventLoopRunner

        runners[Isolation.ASYNC] = EventLoopRunner(callables, clock=clock, max_bytes=max_bytes, name=f"{name}-loop")
    if used & {Isolation.PROCESS, Isolation.COMMAND}:
        from actors.runners.processes import ProcessRunner

        specs = _process_actions(definitions)
        folder = None if definitions.folder is None else (definitions.folder, definitions.copy)
        workers = ProcessRunner(specs, clock=clock, paths=sys.path, folder=folder, max_bytes=max_bytes)
        if takes_output:
            workers.take_output()
        runners[Isolation.PROCESS] = runners[Isolation.COMMAND] = workers
    return runners


def _process_actions(definitions: Definitions) -> dict[str, ActionSpec]:
    tasks = [task for workflow in definitions.workflows.values() for task in workflow.tasks]
    named = [task.action for task in tasks if task.isolation is Isolation.PROCESS and task.action is not None]
    return {name: definitions.actions[name] for name in named}
