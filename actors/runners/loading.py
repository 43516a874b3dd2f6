"""Finds the functions that actions name, in a process that has nothing but their names.

An action that cannot be had is a text about what is wrong, not an exception: the others can
still run, and each attempt of it fails with that text.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from actors.model import ActionKind, ActionSpec, ErrorInfo, Json

_MAX_TEXT = 4000


class Unloadable(Exception):
    """The action is not where its spec says."""


class Actions:
    """The functions of a set of actions, and for the others why they cannot be had."""

    def __init__(self, specs: Mapping[str, ActionSpec]) -> None:
        self.kinds = {name: spec.kind for name, spec in specs.items()}
        self.functions: dict[str, Callable[..., Any]] = {}
        self.faults: dict[str, ErrorInfo] = {}
        for name, spec in specs.items():
            self._load(name, spec)

    def _load(self, name: str, spec: ActionSpec) -> None:
        try:
            self.functions[name] = find(spec)
        # A module may do anything when it is imported, `sys.exit()` and `raise BaseException` included.
        except BaseException as error:  # noqa: BLE001
            own = isinstance(error, Unloadable)
            reason = str(error) if own else f"importing {spec.module} raises {type(error).__name__}: {error}"
            trace = "" if own else "".join(traceback.format_exception(error))
            self.faults[name] = ErrorInfo(
                type="Unloadable" if own else type(error).__name__,
                message=f"action {name!r} cannot be loaded in a worker process: {reason}"[:_MAX_TEXT],
                traceback=trace[-_MAX_TEXT:],
                retryable=False,
            )


def find(spec: ActionSpec) -> Callable[..., Any]:
    """Import the action's module and return its function. Raises what the import raises, and ``Unloadable``."""
    if not spec.importable:
        raise Unloadable(
            f"{spec.module}:{spec.qualname} exists in the engine's own process alone; move it to the top level "
            "of an importable module, or give the task `isolation: thread`"
        )
    found: Any = _module(spec)
    for part in spec.qualname.split("."):
        if not hasattr(found, part):
            raise Unloadable(f"module {spec.module} ({getattr(found, '__file__', '?')}) has no {spec.qualname}")
        found = getattr(found, part)
    if not callable(found):
        raise Unloadable(f"{spec.module}:{spec.qualname} is a {type(found).__name__}, not a function")
    return found  # type: ignore[no-any-return]


def _module(spec: ActionSpec) -> ModuleType:
    if spec.folder is None:
        return importlib.import_module(spec.module)
    folder = os.path.realpath(spec.folder)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.import_module(spec.module)
    file = os.path.realpath(getattr(module, "__file__", None) or "")
    if not file.startswith(folder + os.sep):
        raise Unloadable(
            f"the name {spec.module} is taken by {file or 'a built-in module'}, so that {spec.module} in {folder} "
            "cannot be imported; rename the file"
        )
    return module


def spec_to_json(spec: ActionSpec) -> Json:
    return [spec.name, spec.module, spec.qualname, spec.kind, spec.folder, spec.importable]


def spec_from_json(value: Json) -> ActionSpec:
    name, module, qualname, kind, folder, importable = value
    return ActionSpec(name, module, qualname, ActionKind(kind), folder, importable)
