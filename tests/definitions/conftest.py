"""A folder to write definitions into, and short ways to ask what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from actors.definitions import validate

Write = Callable[[Mapping[str, str]], Path]
Faults = Callable[..., list[str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write({"a.yaml": "…"})`` fills a folder and returns it."""

    def write_all(files: Mapping[str, str]) -> Path:
        folder = tmp_path / "folder"
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return folder

    return write_all


@pytest.fixture
def faults(write: Write) -> Faults:
    """``faults({"a.yaml": "…"})`` lists what ``validate`` finds, without the folder's name."""

    def find(files: Mapping[str, str] | str) -> list[str]:
        folder = write({"w.yaml": files} if isinstance(files, str) else files)
        return [str(fault).replace(f"{folder}/", "") for fault in validate(folder)]

    return find
