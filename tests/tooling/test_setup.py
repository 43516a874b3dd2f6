"""The first run of bin/engine and bin/test: it makes .venv, once, whole, wherever it was cut off.

Tried on a checkout in small: our scripts around a package that needs nothing from the network,
built by a backend that can be made to wait, so that a test can cut in.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "small"
version = "1"
"""
BACKEND = """
import os, zipfile
from pathlib import Path

def build_editable(folder, config_settings=None, metadata_directory=None):
    if Path("gate").exists():
        with open("arrived", "w"): pass  # somebody waits for this
        with open("gate"): pass  # and lets us go on
    name = "small-1-py3-none-any.whl"
    extras = "".join(f"Provides-Extra: {extra}\\n" for extra in ("sql", "server", "test", "dev"))
    files = {
        "small.pth": os.getcwd() + "\\n",
        "small-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: small\\nVersion: 1\\n" + extras,
        "small-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "small-1.dist-info/entry_points.txt": "[console_scripts]\\nengine = small:main\\n",
        "small-1.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""
PACKAGE = "import sys\ndef main():\n    print('engine runs', *sys.argv[1:])\n"


class Checkout:
    """A checkout in small, and runs of its bin/engine."""

    def __init__(self, folder: Path, scripts: Path) -> None:
        self.folder = folder
        shutil.copytree(scripts, folder / "bin", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "pyproject.toml").write_text(PROJECT)
        (folder / "backend.py").write_text(BACKEND)
        (folder / "small.py").write_text(PACKAGE)

    @property
    def unfinished(self) -> Path:
        return self.folder / ".venv" / "set-up-unfinished"

    def begin(self, *arguments: str, cwd: Path | None = None, path: str | None = None) -> subprocess.Popen[str]:
        environment = {**os.environ, "PATH": path or os.environ["PATH"]}
        return subprocess.Popen(
            [self.folder / "bin" / "engine", *arguments],
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, cwd: Path | None = None, path: str | None = None) -> tuple[int, str, str]:
        return end(self.begin(*arguments, cwd=cwd, path=path))

    def hold(self) -> None:
        """Have the next set-up wait in the middle of its installation."""
        os.mkfifo(self.folder / "arrived")
        os.mkfifo(self.folder / "gate")

    def await_the_middle(self) -> None:
        with (self.folder / "arrived").open():
            pass

    def let_go(self) -> None:
        with (self.folder / "gate").open("w"):
            (self.folder / "gate").unlink()
            (self.folder / "arrived").unlink()


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for its end; return status, output and errors."""
    output, errors = process.communicate(timeout=50)
    return process.returncode, output, errors


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "a place", root / "bin")


@pytest.mark.slow
def test_the_first_run_says_what_it_does_and_later_runs_start_at_once(checkout: Checkout, tmp_path: Path) -> None:
    status, output, errors = checkout.run("start", cwd=tmp_path)
    assert (status, output) == (0, "engine runs start\n"), errors
    assert errors.startswith("First run: setting up .venv with ")
    assert "Successfully installed small-1" in errors

    began = time.monotonic()
    status, output, errors = checkout.run("again")
    assert (status, output, errors) == (0, "engine runs again\n", "")
    assert time.monotonic() - began < 1

    (checkout.folder / "pyproject.toml").write_text(PROJECT + "# changed\n")
    _, output, errors = checkout.run("start")
    assert output == "engine runs start\n"
    assert "pyproject.toml or the set that is needed has changed" in errors


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_set_up_that_was_cut_off_is_started_over(checkout: Checkout, number: signal.Signals) -> None:
    checkout.hold()
    first = checkout.begin()
    checkout.await_the_middle()
    assert checkout.unfinished.exists()

    os.killpg(first.pid, number)
    status, output, _ = end(first)
    assert status not in (0, None)
    assert output == ""
    (checkout.folder / "gate").unlink()

    status, output, errors = checkout.run()
    assert (status, output) == (0, "engine runs\n"), errors
    assert "An earlier set-up of .venv was cut off; starting over." in errors
    assert not checkout.unfinished.exists()


@pytest.mark.slow
def test_of_two_first_runs_one_waits_for_the_other(checkout: Checkout) -> None:
    checkout.hold()
    first = checkout.begin("first")
    checkout.await_the_middle()
    second = checkout.begin("second")
    assert second.stderr is not None
    assert second.stderr.readline() == "Another run is setting up .venv; waiting for it.\n"
    checkout.let_go()

    assert end(first)[:2] == (0, "engine runs first\n")
    status, output, errors = end(second)
    assert (status, output, errors) == (0, "engine runs second\n", "")


@pytest.mark.slow
def test_nobody_touches_what_pip_still_writes_when_only_the_set_up_itself_was_killed(checkout: Checkout) -> None:
    checkout.hold()
    first = checkout.begin()
    checkout.await_the_middle()
    set_up = next(
        int(pid.name)
        for pid in Path("/proc").glob("[0-9]*")
        if f"{checkout.folder}/bin/setup.py" in (pid / "cmdline").read_text().split("\0")
    )
    os.kill(set_up, signal.SIGKILL)
    end_of_first = first.wait(20)

    second = checkout.begin()
    assert second.stderr is not None
    assert second.stderr.readline() == "Another run is setting up .venv; waiting for it.\n"
    checkout.let_go()
    end(first)

    assert end_of_first != 0
    assert end(second)[:2] == (0, "engine runs\n")


@pytest.mark.slow
def test_a_checkout_that_was_moved_is_set_up_again(checkout: Checkout, tmp_path: Path) -> None:
    checkout.run()
    checkout.folder = checkout.folder.rename(tmp_path / "elsewhere")

    status, output, errors = checkout.run("start")

    assert (status, output) == (0, "engine runs start\n"), errors
    assert errors.startswith("First run: ")


@pytest.mark.slow
def test_python_without_ensurepip_uses_the_pip_it_has_and_without_both_gets_one_sentence(
    checkout: Checkout, tmp_path: Path
) -> None:
    """As on Debian without python3-venv, and without python3-pip too."""
    source = (checkout.folder / "bin" / "setup.py").read_text()
    assert 'find_spec("ensurepip") is not None' in source
    bare = source.replace('find_spec("ensurepip") is not None', 'find_spec("no_ensurepip") is not None')
    (checkout.folder / "bin" / "setup.py").write_text(bare)
    status, output, errors = checkout.run()
    assert (status, output) == (0, "engine runs\n"), errors
    assert not (checkout.folder / ".venv" / "bin" / "pip").exists()

    shutil.rmtree(checkout.folder / ".venv")
    (checkout.folder / "bin" / "setup.py").write_text(bare.replace('"-m", "pip"', '"-m", "no_pip"'))
    status, output, errors = checkout.run()
    assert (status, output) == (1, "")
    assert errors.splitlines()[-1].endswith("(Debian and Ubuntu: sudo apt install python3-venv) and run this again.")
    assert "Traceback" not in errors


# --- what needs no environment -----------------------------------------------------------------


def tools(folder: Path, **scripts: str) -> str:
    """A PATH with the plain tools that the scripts use, and these."""
    folder.mkdir()
    for name in ("sh", "dirname", "basename", "readlink", "cat", "cmp", "uname", "env"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    for name, source in scripts.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{source}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_windows_is_refused_in_one_sentence_that_names_wsl(checkout: Checkout, tmp_path: Path) -> None:
    status, output, errors = checkout.run(path=tools(tmp_path / "tools", uname="echo MINGW64_NT-10.0"))

    assert (status, output) == (2, "")
    assert "WSL" in errors
    assert len(errors.splitlines()) == 1


def test_no_python_new_enough_is_one_sentence(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.delenv("PYTHON", raising=False)
    old = tools(tmp_path / "tools", python3="exit 1", python="exit 127")

    status, output, errors = checkout.run(path=old)

    assert (status, output) == (2, "")
    assert errors.startswith("Python 3.11 or newer is needed and was not found")
    assert len(errors.splitlines()) == 1
