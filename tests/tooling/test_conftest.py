"""The net under every test, tried on tests that fall into it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LEAKS = {
    "threads: left-thread": """
        import threading
        def test_it():
            threading.Thread(target=threading.Event().wait, name="left-thread", daemon=True).start()
    """,
    "actors: LeftActor": """
        import pykka
        class LeftActor(pykka.ThreadingActor):
            use_daemon_thread = True
        def test_it():
            LeftActor.start()
    """,
    "children: ": """
        import subprocess
        def test_it():
            globals()["kept"] = subprocess.Popen(["sleep", "30"])
    """,
    "files: ": """
        def test_it():
            globals()["kept"] = open(__file__)
    """,
}


def run(root: Path, folder: Path, source: str, *arguments: str, everything: bool = False) -> tuple[int, str]:
    """Run these tests by a pytest of their own, under our conftest; return its status and output."""
    lines = source.strip("\n").splitlines()
    margin = len(lines[0]) - len(lines[0].lstrip())
    (folder / "test_it.py").write_text("\n".join(line[margin:] for line in lines) + "\n")
    environment = dict(os.environ, PYTHONPATH=str(root), ENGINE_REQUIRE_ALL="1" if everything else "")
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # ours alone; the others take half of the time
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(folder), "-p", "tests.conftest", "-q"]
    command += ["-p", "no:cacheprovider", "-rs", str(folder), *arguments]
    ended = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=50, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("named", LEAKS)
def test_what_a_test_leaves_behind_fails_it_by_name(named: str, root: Path, tmp_path: Path) -> None:
    clean_up = """
        import os, signal, pytest, tests.conftest
        tests.conftest.LEFT_SECONDS = 0.1
        @pytest.fixture(autouse=True, scope="session")
        def end_them():
            yield
            if isinstance(kept := globals().get("kept"), __import__("subprocess").Popen):
                kept.kill()
                kept.wait()
    """
    status, output = run(root, tmp_path, clean_up + LEAKS[named])

    assert status == 1
    assert f"left behind: {named}" in output
    assert "1 passed, 1 error" in output


def test_a_test_that_cleans_up_passes(root: Path, tmp_path: Path) -> None:
    status, output = run(
        root,
        tmp_path,
        """
        import subprocess, threading
        def test_it():
            thread = threading.Thread(target=lambda: None)
            thread.start()
            subprocess.run(["true"], check=True)
            open(__file__).close()
        """,
    )

    assert status == 0, output


SKIPS = """
import pytest
def test_needs(require):
    require(False, "no browser here")
@pytest.mark.xfail
def test_expected():
    assert False
"""


def test_a_skip_says_its_reason(root: Path, tmp_path: Path) -> None:
    status, output = run(root, tmp_path, SKIPS)

    assert status == 0
    assert "no browser here" in output


def test_where_everything_must_be_there_a_skip_is_a_failure(root: Path, tmp_path: Path) -> None:
    status, output = run(root, tmp_path, SKIPS, everything=True)

    assert status == 1
    assert "may not be skipped: Skipped: no browser here" in output
    assert "1 failed, 1 xfailed" in output


def test_where_everything_must_be_there_a_skipped_module_is_a_failure(root: Path, tmp_path: Path) -> None:
    status, output = run(root, tmp_path, "import pytest\npytest.importorskip('no_such_module')\n", everything=True)

    assert status != 0
    assert "may not be skipped" in output


SLOW = """
import pytest
@pytest.mark.slow
def test_slow():
    pass
def test_fast():
    pass
"""


@pytest.mark.parametrize(
    ("arguments", "closing"),
    [((), "1 passed, 1 deselected"), (("--all",), "2 passed"), (("-m", "slow"), "1 passed, 1 deselected")],
)
def test_slow_tests_run_when_asked_for(arguments: tuple[str, ...], closing: str, root: Path, tmp_path: Path) -> None:
    _, output = run(root, tmp_path, SLOW, *arguments)

    assert closing in output


def test_the_same_seed_gives_the_same_order(root: Path, tmp_path: Path) -> None:
    many = "import pytest\n@pytest.mark.parametrize('n', range(30))\ndef test_it(n):\n    pass\n"

    def order(seed: str) -> list[str]:
        _, output = run(root, tmp_path, many, "--collect-only", "--shuffle", seed)
        return [line for line in output.splitlines() if "::" in line]

    first = order("1")
    assert len(first) == 30
    assert first == order("1")
    assert first != order("2")
