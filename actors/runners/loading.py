"""Finds the functions that actions name, in a process that has nothing but their names.

An action that cannot be had is a text about what is wrong, not an exception: the others can
still run, and each attempt of it fails with that text.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
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
    copied = any(isinstance(finder, CopyFinder) and finder.folder == folder for finder in sys.meta_path)
    if not copied and folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.import_module(spec.module)
    file = os.path.realpath(getattr(module, "__file__", None) or "")
    if not file.startswith(folder + os.sep):
        raise Unloadable(
            f"the name {spec.module} is taken by {file or 'a built-in module'}, so that {spec.module} in {folder} "
            "cannot be imported; rename the file"
        )
    return module


class CopyFinder(MetaPathFinder):
    """Finds a folder's modules in a copy of it, before all that are on the path.

    Their ``__file__`` is in the folder: what lies beside them there, or is written there, is not of the copy.
    """

    def __init__(self, folder: str, copy: str) -> None:
        self.folder = os.path.realpath(folder)
        self._copy = os.path.realpath(copy)

    def install(self) -> None:
        place = next((place for place, finder in enumerate(sys.meta_path) if finder is PathFinder), len(sys.meta_path))
        sys.meta_path.insert(place, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        where = [self._copy] if path is None else [each for each in path if self._inside(each)]
        found = PathFinder.find_spec(fullname, where, target) if where else None
        if found is not None and found.origin is not None and self._inside(found.origin):
            found.origin = self.folder + found.origin[len(self._copy) :]
        return found

    def _inside(self, path: str) -> bool:
        return path == self._copy or path.startswith(self._copy + os.sep)


def spec_to_json(spec: ActionSpec) -> Json:
    return [spec.name, spec.module, spec.qualname, spec.kind, spec.folder, spec.importable]


def spec_from_json(value: Json) -> ActionSpec:
    name, module, qualname, kind, folder, importable = value
    return ActionSpec(name, module, qualname, ActionKind(kind), folder, importable)
