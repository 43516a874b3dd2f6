"""What ``import actors`` gives, and what it costs."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import actors

EXTRAS = ("sqlalchemy", "psycopg", "ray", "click", "rich", "prompt_toolkit", "fastapi", "uvicorn", "httpx", "jinja2")
LATER = ("pykka", "yaml", "pydantic", "structlog", "cel", "asyncio", "multiprocessing")


def run(root: Path, code: str) -> str:
    """Run the code in an interpreter of its own; return what it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=30).stdout


def test_every_public_name_is_there() -> None:
    for name in actors.__all__:
        assert getattr(actors, name).__name__ == name


def test_a_type_checker_sees_the_same_names(root: Path) -> None:
    tree = ast.parse((root / "actors" / "__init__.py").read_text())
    hidden = next(node for node in tree.body if isinstance(node, ast.If))

    seen = {alias.name for node in ast.walk(hidden) if isinstance(node, ast.ImportFrom) for alias in node.names}

    assert seen == set(actors.__all__)


def test_importing_loads_no_extra_and_nothing_heavy(root: Path) -> None:
    loaded = run(root, "import sys, actors; print(*{name.split('.')[0] for name in sys.modules})").split()

    assert not {*EXTRAS, *LATER} & set(loaded)


def test_the_engine_itself_loads_no_extra(root: Path) -> None:
    loaded = run(root, "import sys; from actors import Engine; print(*{name.split('.')[0] for name in sys.modules})")

    # structlog itself takes rich where it is installed.
    assert not (set(EXTRAS) - {"rich"}) & set(loaded.split())


def test_importing_is_quick(root: Path) -> None:
    code = "import time; began = time.perf_counter(); import actors; print(time.perf_counter() - began)"

    seconds = statistics.median(float(run(root, code)) for _ in range(5))

    assert seconds <= 0.35


def test_an_unknown_name_is_an_attribute_error(root: Path) -> None:
    assert not hasattr(actors, "Motor")
    assert "Motor" not in dir(actors)
