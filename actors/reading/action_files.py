"""The actions in a folder's Python files, found by reading them; nothing is run."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from actors.errors import Fault
from actors.model import ActionKind, ActionSpec
from actors.reading.files import read_bytes
from actors.reading.nodes import Unreadable, clip

MAX_FILES = 1_000

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class Survey:
    """What a folder offers."""

    marked: dict[str, ActionSpec] = field(default_factory=dict)
    """By the name given with ``@action``."""
    functions: dict[str, ActionSpec] = field(default_factory=dict)
    """Public functions at the top of a module, as ``module:function``."""
    modules: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    """Where each marked action stands, as ``file:line``."""


def survey(folder: Path, shown: str) -> Survey:
    """Read every Python file of the folder and of the packages in it. ``shown``: the folder as the user named it."""
    found = Survey()
    for count, (path, module) in enumerate(_files(folder.resolve(), ())):
        file = os.path.join(shown, *path.relative_to(folder.resolve()).parts)
        if count == MAX_FILES:
            found.faults.append(Fault(file, 1, 1, "", f"more than {MAX_FILES} Python files in one definitions folder"))
            break
        found.modules.add(module)
        tree = _parse(path, file, found.faults)
        if tree is not None:
            _Module(tree, module, file, str(folder.resolve())).read(found)
    return found


def _files(folder: Path, package: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Modules whose names are public: ``x.py``, and below each folder that has an ``__init__.py``."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        name = entry.name.removesuffix(".py")
        if name == "__init__" and package and entry.name.endswith(".py"):
            yield Path(entry.path), ".".join(package)
        elif name.startswith("_") or not name.isidentifier():
            continue
        elif entry.is_dir(follow_symlinks=False):
            if (Path(entry.path) / "__init__.py").is_file():
                yield from _files(Path(entry.path), (*package, name))
        # A link may lead out of the folder; what it names is then not the folder's.
        elif entry.name.endswith(".py") and Path(os.path.realpath(entry.path)).is_relative_to(folder):
            yield Path(entry.path), ".".join((*package, name))


def _parse(path: Path, file: str, faults: list[Fault]) -> ast.Module | None:
    try:
        return ast.parse(read_bytes(path), filename=file)
    except Unreadable as error:
        faults.append(Fault(file, *error.mark, "", error.message))
    except SyntaxError as error:
        faults.append(Fault(file, error.lineno or 1, error.offset or 1, "", f"not Python: {clip(error.msg)}"))
    except (ValueError, RecursionError, MemoryError) as error:
        # Null bytes; expressions nested beyond what Python's parser takes.
        faults.append(Fault(file, 1, 1, "", f"not Python: {clip(str(error)) or 'nested too deeply'}"))
    return None


class _Module:
    """One file: which names stand for our ``action``, and what they are put on."""

    def __init__(self, tree: ast.Module, module: str, file: str, folder: str) -> None:
        self._tree = tree
        self._module = module
        self._file = file
        self._folder = folder
        self._direct: set[str] = set()
        """Names of ``action`` itself."""
        self._packages: set[str] = set()
        """Dotted names of modules that have it as an attribute."""

    def read(self, found: Survey) -> None:
        self._imports()
        top = list(_statements(self._tree.body))
        for node in top:
            if not node.name.startswith("_"):
                name = f"{self._module}:{node.name}"
                found.functions[name] = self._spec(name, node)
            for decorator, action in self._marks(node, found):
                self._add(action, node, decorator, found)
        self._elsewhere({id(node) for node in top}, found)

    def _imports(self) -> None:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module in ("actors", "actors.actions"):
                for alias in node.names:
                    if alias.name in ("action", "*"):
                        self._direct.add("action" if alias.name == "*" else alias.asname or alias.name)
                    elif alias.name == "actions" and node.module == "actors":
                        self._packages.add(alias.asname or alias.name)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name in ("actors", "actors.actions"):
                        self._packages.add(alias.asname or alias.name)
                    # "import actors.anything" binds the package's own name too.
                    if alias.asname is None and alias.name.split(".")[0] == "actors":
                        self._packages.add("actors")

    def _marks(self, node: Function, found: Survey) -> Iterator[tuple[ast.expr, str]]:
        for decorator in node.decorator_list:
            if not self._is_action(decorator):
                continue
            name = _name_in(decorator)
            if name is None:
                message = "@action needs a name in quotes, such as @action('collect'); files are read, not run"
                self._fault(decorator, message, found)
            else:
                yield decorator, name

    def _is_action(self, decorator: ast.expr) -> bool:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(called, ast.Name):
            return called.id in self._direct
        if not isinstance(called, ast.Attribute) or called.attr != "action":
            return False
        return _dotted(called.value) in self._packages

    def _add(self, action: str, node: Function, decorator: ast.expr, found: Survey) -> None:
        if action in found.marked:
            self._fault(decorator, f"a second action '{clip(action)}'; the first is at {found.places[action]}", found)
            return
        found.marked[action] = self._spec(action, node)
        found.places[action] = f"{self._file}:{decorator.lineno}"

    def _elsewhere(self, top: set[int], found: Survey) -> None:
        for node in ast.walk(self._tree):
            if isinstance(node, Function) and id(node) not in top:
                for decorator, action in self._marks(node, found):
                    message = f"action '{clip(action)}' must be a function at the top of its module"
                    self._fault(decorator, message, found)

    def _spec(self, name: str, node: Function) -> ActionSpec:
        return ActionSpec(name, self._module, node.name, _kind(node), self._folder)

    def _fault(self, node: ast.expr, message: str, found: Survey) -> None:
        found.faults.append(Fault(self._file, node.lineno, node.col_offset + 1, "", message))


def _statements(body: list[ast.stmt]) -> Iterator[Function]:
    """Functions at the top of a module, also those in its ``if``, ``try`` and ``with`` blocks."""
    for node in body:
        if isinstance(node, Function):
            yield node
        elif isinstance(node, ast.If | ast.Try | ast.With):
            for block in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(node, block, []))
            for handler in getattr(node, "handlers", []):
                yield from _statements(handler.body)


def _name_in(decorator: ast.expr) -> str | None:
    if not isinstance(decorator, ast.Call):
        return None
    values = [*decorator.args, *(keyword.value for keyword in decorator.keywords if keyword.arg == "name")]
    if len(values) == 1 and isinstance(values[0], ast.Constant) and isinstance(values[0].value, str):
        return values[0].value or None
    return None


def _dotted(node: ast.expr) -> str:
    """``actors.actions`` of a name with attributes; empty for any other expression."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


def _kind(node: Function) -> ActionKind:
    yields = any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in _own(node))
    if isinstance(node, ast.AsyncFunctionDef):
        return ActionKind.ASYNC_GENERATOR if yields else ActionKind.COROUTINE
    return ActionKind.GENERATOR if yields else ActionKind.FUNCTION


def _own(node: Function) -> Iterator[ast.AST]:
    """Everything in a function that is not inside another one."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        inner = waiting.pop()
        yield inner
        if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(inner))
