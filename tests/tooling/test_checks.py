"""The checks that are part of the test run: ruff, mypy, import-linter, the layout."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

TOP_LEVEL = {"actors", "definitions", "tests", "bin", "setup.cfg", "pyproject.toml", "README.md"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50


def check(root: Path, tool: str, *arguments: str) -> None:
    program = Path(sys.executable).parent / tool
    ended = subprocess.run([program, *arguments], cwd=root, capture_output=True, text=True, timeout=110, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_ruff_finds_nothing(root: Path) -> None:
    check(root, "ruff", "check", "--quiet", ".")


def test_the_code_is_formatted(root: Path) -> None:
    check(root, "ruff", "format", "--check", "--quiet", ".")


@pytest.mark.timeout(120)
def test_types_hold_strictly(root: Path) -> None:
    check(root, "mypy")


def test_imports_keep_to_the_contracts(root: Path) -> None:
    check(root, "lint-imports", "--no-logo")


def test_the_top_level_is_what_the_design_lists(root: Path) -> None:
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout

    tops = {line.split("/")[0] for line in listed.splitlines()}

    assert {top for top in tops if not top.startswith(".")} <= TOP_LEVEL


def test_files_and_functions_are_short_enough_to_read_at_once(root: Path) -> None:
    long: list[str] = []
    for path in sorted(path for top in ("actors", "bin", "definitions") for path in (root / top).rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        lines = source.count("\n")
        if lines > MAX_FILE_LINES:
            long.append(f"{path.relative_to(root)}: {lines} lines, at most {MAX_FILE_LINES}")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long.append(f"{path.relative_to(root)}:{node.lineno}: {node.name} has {lines} lines")
    assert not long, "\n".join(long)
