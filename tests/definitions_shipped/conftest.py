"""The shipped folders, with their Python files importable for one test, as in an action's process."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def ashare(root: Path, tmp_path: Path) -> Path:
    """A copy, so that what its actions write stays in the test's folder."""
    folder = tmp_path / "ashare"
    shutil.copytree(root / "definitions" / "ashare", folder, ignore=shutil.ignore_patterns("__pycache__", ".engine"))
    return folder


@pytest.fixture
def module(ashare: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """``module("ledger")``: a Python file of the copy."""
    monkeypatch.syspath_prepend(ashare)
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if _is_below(sys.modules[name], ashare):
            del sys.modules[name]


def _is_below(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_relative_to(folder)
