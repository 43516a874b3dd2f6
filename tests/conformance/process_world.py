"""A world for process runners with actions and files of the test's own."""

from __future__ import annotations

import inspect
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from actors.actions import describe
from actors.clock import SystemClock
from actors.model import ActionKind, ActionSpec, AttemptId, Isolation, Json, Outcome, OutcomeKind, Task
from actors.runners.commands import CommandRunner
from actors.runners.processes import ProcessRunner
from tests.conformance import process_actions
from tests.conformance.runners_under_test import BOUND_S, ROOT, Subject, World

ACTIONS: Mapping[str, ActionSpec] = {
    name: describe(name, function)
    for name, function in vars(process_actions).items()
    if inspect.isfunction(function) and function.__module__ == process_actions.__name__ and name[0] != "_"
}


def process_runner(actions: Mapping[str, ActionSpec] = ACTIONS, **more: Any) -> ProcessRunner:
    return ProcessRunner(actions, clock=SystemClock(), paths=[str(ROOT), *sys.path], **more)


def processes(folder: Path, make: Callable[[], ProcessRunner] = process_runner) -> World:
    return World(Subject("processes", Isolation.PROCESS, make), folder)


def commands(place: Path, **more: Any) -> World:
    return World(Subject("commands", Isolation.COMMAND, lambda: CommandRunner(clock=SystemClock(), **more)), place)


def run(world: World, *program: str, **fields: Any) -> AttemptId:
    """Start a command."""
    return world.start("", fields={"task": Task("t", 0, isolation=Isolation.COMMAND, run=program, **fields)})


def limited(action: str, **fields: Any) -> Task:
    return Task("t", 0, action=action, isolation=Isolation.PROCESS, **fields)


def result(world: World, behaviour: str, fields: Any = None, **params: Any) -> Any:
    """What an action of that behaviour gives."""
    outcome = world.ended(world.start(behaviour, fields=fields, **params))
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    return outcome.result


def text_of(outcome: Outcome) -> str:
    assert outcome.error is not None, outcome
    return outcome.error.message


def written(folder: Path, name: str, text: str, *functions: str) -> dict[str, ActionSpec]:
    """Write a module into the folder, as a definitions folder has it; the specs of its functions."""
    (folder / name).write_text(text)
    module = name.removesuffix(".py")
    return {each: ActionSpec(each, module, each, ActionKind.FUNCTION, str(folder)) for each in functions}


def lives(pid: int) -> bool:
    """Whether a process of that number runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def spawner_of(world: World) -> int:
    """The helper process of the world's runner, when that has started a worker."""
    for pid in children_of_engine():
        if "actors.runners.spawner" in Path(f"/proc/{pid}/cmdline").read_text():
            return pid
    raise AssertionError("no helper process")


def children_of_engine() -> list[int]:
    """Of all threads: the helper process is a child of the runner's own."""
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        try:
            found += [int(each) for each in (task / "children").read_text().split()]
        except FileNotFoundError:
            continue
    return found


def until(condition: Callable[[], Json], what: str) -> None:
    """Wait for something that nobody reports, such as the end of a process."""
    end = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < end, f"not within {BOUND_S:g} s: {what}"
        time.sleep(0.002)


def temporary_folders() -> set[str]:
    """The folders of helper processes."""
    base = Path(os.environ.get("TMPDIR", "/tmp"))
    return {path.name for path in base.glob("actors-*")}
