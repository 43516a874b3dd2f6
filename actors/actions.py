"""Actions: how a function is marked as one, described, and found again in this process.

``@action`` only marks; nothing is registered anywhere. A definitions folder's functions are
found by reading its Python files, not by running them (``actors.reading.action_files``).
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, TypeVar

from actors.errors import DefinitionError, Fault
from actors.model import ActionKind, ActionSpec, Definitions, Isolation

F = TypeVar("F", bound=Callable[..., Any])

MARK = "__action__"
"""The attribute that a marked function carries: its action's name."""


def action(name: str) -> Callable[[F], F]:
    """Mark a function as the action of this name. The function itself stays as it is.

    In a definitions folder the mark is read from the file, so the name must be a plain string
    and the function must stand at the top of its module.
    """
    # Written without a name, @action would hand the function itself over.
    if callable(name) or not name:
        raise TypeError("@action needs a name: @action('collect')")

    def mark(function: F) -> F:
        setattr(function, MARK, name)
        return function

    return mark


def scan(folder: str | Path) -> dict[str, ActionSpec]:
    """Every action of the folder's Python files, by the names tasks may use; nothing is run.

    These are the names given by ``@action`` and ``module:function`` for each public function at
    the top of a module. Raises ``DefinitionError`` for files that are not Python and for names
    given twice.
    """
    from actors.reading.action_files import survey

    found = survey(Path(folder), str(folder))
    if found.faults:
        raise DefinitionError(found.faults)
    return {**found.functions, **found.marked}


def describe(name: str, function: Callable[..., Any]) -> ActionSpec:
    """Where a callable is found, and whether another process can find it too."""
    if not callable(function):
        raise DefinitionError([Fault("", 0, 0, f"actions.{name}", "must be a function, or something else to call")])
    module = getattr(function, "__module__", None) or ""
    qualname = getattr(function, "__qualname__", None) or type(function).__qualname__
    importable = _found_elsewhere(function, str(module), str(qualname))
    return ActionSpec(name, str(module), str(qualname), _kind(function), importable=importable)


def default_isolation(spec: ActionSpec) -> Isolation:
    """A coroutine runs on the event loop, an importable function in a process, any other in a thread."""
    if spec.kind in (ActionKind.COROUTINE, ActionKind.ASYNC_GENERATOR):
        return Isolation.ASYNC
    return Isolation.PROCESS if spec.importable else Isolation.THREAD


def load_callables(
    definitions: Definitions, given: Mapping[str, Callable[..., Any]]
) -> Mapping[str, Callable[..., Any]]:
    """The functions that this process itself runs: those of tasks in threads and on the event loop.

    ``given`` are functions passed beside the definitions; they win. Files of the folder are
    loaded under module names of their own, as often as this is called, so that engines do not
    share them. Raises ``DefinitionError`` for a module that fails when it is run.
    """
    from actors.folder_modules import FolderModules

    here = {
        task.action
        for workflow in definitions.workflows.values()
        for task in workflow.tasks
        if task.action is not None and task.isolation in (Isolation.THREAD, Isolation.ASYNC)
    }
    modules = FolderModules(definitions.folder, definitions.copy) if definitions.folder is not None else None
    found: dict[str, Callable[..., Any]] = {}
    faults: list[Fault] = []
    for name in sorted(here):
        spec = definitions.actions.get(name)
        try:
            if name in given:
                found[name] = given[name]
            elif modules is not None and spec is not None and spec.folder is not None:
                found[name] = modules.function(spec)
            else:
                faults.append(Fault("", 0, 0, "", f"no function was given for action '{name}'; pass it in actions="))
        except DefinitionError as error:
            faults.extend(error.faults)
    if faults:
        raise DefinitionError(list(dict.fromkeys(faults)))
    return modules.keep(found) if modules is not None else found


def _kind(function: Callable[..., Any]) -> ActionKind:
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function) and not inspect.isclass(function):
        function = type(function).__call__
    if inspect.isasyncgenfunction(function):
        return ActionKind.ASYNC_GENERATOR
    if inspect.iscoroutinefunction(function):
        return ActionKind.COROUTINE
    return ActionKind.GENERATOR if inspect.isgeneratorfunction(function) else ActionKind.FUNCTION


def _found_elsewhere(function: Callable[..., Any], module: str, qualname: str) -> bool:
    """Whether ``module`` and ``qualname`` lead another process to this very function."""
    if not inspect.isfunction(function) or module == "__main__" or not all(map(str.isidentifier, qualname.split("."))):
        return False
    loaded = sys.modules.get(module)
    found: Any = loaded
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found is function and _on_path(module, getattr(loaded, "__file__", None))


def _on_path(module: str, file: str | None) -> bool:
    """Whether an import in a fresh process would come to the same file. Nothing is imported to find out."""
    path: Any = None
    spec = None
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:count]), path)
        if spec is None:
            return False
        path = spec.submodule_search_locations
    return spec is not None and spec.origin is not None and spec.origin == file
