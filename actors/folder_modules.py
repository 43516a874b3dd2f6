"""A definitions folder's Python files, loaded into this process under names of their own.

Two engines may have folders with files of the same names, so nothing is put on ``sys.path``.
Each folder is a package with a name that no other has, and its modules get an ``__import__``
that looks into the folder first: ``import indicators`` means the folder's file, as it does in
an action's process, where the folder is on the path.
"""

from __future__ import annotations

import builtins
import sys
import threading
import traceback
import types
import uuid
import weakref
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, resolve_name, spec_from_file_location
from pathlib import Path
from typing import Any

from actors.errors import DefinitionError, Fault
from actors.model import ActionSpec


class Callables(dict[str, Callable[..., Any]]):
    """Functions by action name; while it lives, their modules are in ``sys.modules``."""

    __slots__ = ("__weakref__",)


class FolderModules:
    """The modules of one folder, for one engine. May be used from any thread."""

    def __init__(self, folder: str, copy: str | None = None) -> None:
        """With a ``copy`` the files of that are run; the modules' ``__file__`` is in the folder all the same."""
        self._shown = Path(folder)
        self._folder = Path(copy or folder)
        self._package = f"definitions_{uuid.uuid4().hex}"
        self._modules: dict[str, types.ModuleType] = {}
        """By dotted name below the folder."""
        # Re-entrant: a module imports its neighbours while it is being loaded.
        self._lock = threading.RLock()
        self._builtins = {**vars(builtins), "__import__": self._import}

    def function(self, spec: ActionSpec) -> Callable[..., Any]:
        """The function that the spec names. Raises ``DefinitionError`` if its module cannot be run or lacks it."""
        try:
            found: Callable[..., Any] = getattr(self._load(spec.module), spec.qualname)
        except (Exception, SystemExit) as error:
            # A module's own code may raise anything at all.
            raise DefinitionError([self._fault(spec, error)]) from error
        return found

    def keep(self, found: Mapping[str, Callable[..., Any]]) -> Callables:
        """The functions, as what keeps their modules registered."""
        callables = Callables(found)
        weakref.finalize(callables, _forget, self._package, self._modules).atexit = False
        return callables

    def _load(self, dotted: str) -> types.ModuleType:
        """The module, run if it was not yet; its parents first, as Python does."""
        with self._lock:
            parent, _, last = dotted.rpartition(".")
            if parent:
                self._load(parent)
            if dotted in self._modules:
                return self._modules[dotted]
            module = self._run(dotted)
            if parent:
                setattr(self._modules[parent], last, module)
            return module

    def _run(self, dotted: str) -> types.ModuleType:
        path = self._folder.joinpath(*dotted.split("."))
        is_package = (path / "__init__.py").is_file()
        file = path / "__init__.py" if is_package else path.with_name(f"{path.name}.py")
        if not file.is_file():
            raise ModuleNotFoundError(f"No module named '{dotted}'", name=dotted)
        name = f"{self._package}.{dotted}"
        loader = _Loader(name, str(file), self._builtins)
        locations = [str(path)] if is_package else None
        spec = spec_from_file_location(
            name, self._shown / file.relative_to(self._folder), loader=loader, submodule_search_locations=locations
        )
        assert spec is not None
        module = module_from_spec(spec)
        self._modules[dotted] = sys.modules[name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            # As Python does: what failed half-way is not found again.
            del self._modules[dotted], sys.modules[name]
            raise
        return module

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        """``__import__`` for the folder's modules."""
        dotted = self._below(name, globals or {}, level)
        if dotted is None:
            return __import__(name, globals, locals, fromlist or (), level)
        module = self._load(dotted)
        if not fromlist:
            return self._modules[dotted.partition(".")[0]]
        if hasattr(module, "__path__"):
            names = getattr(module, "__all__", ()) if "*" in fromlist else fromlist
            for below in names:
                if not hasattr(module, below) and self._exists(f"{dotted}.{below}"):
                    self._load(f"{dotted}.{below}")
        return module

    def _below(self, name: str, importer: Mapping[str, Any], level: int) -> str | None:
        """The dotted name below the folder, if the import means one."""
        if level == 0:
            return name if self._exists(name.partition(".")[0]) else None
        full = resolve_name("." * level + name, str(importer.get("__package__")))
        if full == self._package:
            # A file of the folder itself is no part of a package; in an action's process Python says the same.
            raise ImportError("attempted relative import with no known parent package")
        return full.removeprefix(f"{self._package}.")

    def _exists(self, dotted: str) -> bool:
        path = self._folder.joinpath(*dotted.split("."))
        return path.with_name(f"{path.name}.py").is_file() or (path / "__init__.py").is_file()

    def _fault(self, spec: ActionSpec, error: BaseException) -> Fault:
        """The failure, at the line of the folder that was the last to run."""
        file, line = str(self._shown.joinpath(*spec.module.split("."))) + ".py", 1
        for frame in traceback.extract_tb(error.__traceback__):
            if Path(frame.filename).is_relative_to(self._folder):
                file = str(self._shown / Path(frame.filename).relative_to(self._folder))
                line = frame.lineno or 1
        text = " ".join(str(error).split())[:200]
        return Fault(file, line, 1, "", f"cannot be loaded for action '{spec.name}': {type(error).__name__}: {text}")


class _Loader(SourceFileLoader):
    """Runs a file with other builtins, from its source: a cached compilation may be older by less than a second."""

    def __init__(self, fullname: str, path: str, names: dict[str, Any]) -> None:
        super().__init__(fullname, path)
        self._names = names

    def exec_module(self, module: types.ModuleType) -> None:
        module.__dict__["__builtins__"] = self._names
        exec(self.source_to_code(self.get_data(self.path), self.path), module.__dict__)


def _forget(package: str, modules: Mapping[str, types.ModuleType]) -> None:
    for dotted in modules:
        sys.modules.pop(f"{package}.{dotted}", None)
