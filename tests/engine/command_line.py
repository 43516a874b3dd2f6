"""Runs the command line as a user does, in a process of its own, and reads what it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = [sys.executable, "-P", "-m", "actors.cli"]


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LC_") and name != "LANG"}
    return {**kept, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", **(given or {})}


def engine(
    *arguments: str | Path, stdin: str | bytes = "", env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    command = [*COMMAND, *map(str, arguments)]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    ended = subprocess.run(
        command, input=data, capture_output=True, env=environment(env), cwd=cwd or ROOT, timeout=40, check=False
    )
    shown = [part.decode("utf-8", "replace") for part in (ended.stdout, ended.stderr)]
    return subprocess.CompletedProcess(command, ended.returncode, *shown)


class Running:
    """A command under way; its output is read as it comes."""

    def __init__(self, *arguments: str | Path) -> None:
        self._process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(),
            text=True,
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()

    def wait_for(self, text: str, *, times: int = 1) -> None:
        """Wait until so many lines contain the text."""
        with self._changed:
            found = self._changed.wait_for(lambda: sum(text in line for line in self.lines) >= times, timeout=20)
        assert found, f"'{text}' was not printed:\n" + "\n".join(self.lines)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait for its end; return its exit status."""
        status = self._process.wait(20)
        self._reader.join(5)
        return status

    def __enter__(self) -> Running:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait(5)
        self._reader.join(5)
        assert self._process.stdout is not None
        self._process.stdout.close()


def folder(path: Path, *, engine_yaml: str = "", workflows: str, actions: str = "") -> Path:
    """Write a definitions folder."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "engine.yaml").write_text(engine_yaml or "agents: 2\n", encoding="utf-8")
    (path / "workflows.yaml").write_text(workflows, encoding="utf-8")
    (path / "actions.py").write_text(actions, encoding="utf-8")
    return path


def without_seconds(lines: Sequence[str]) -> list[str]:
    """The lines with the epoch seconds of their ids left out."""
    return [" ".join(word.rsplit("_", 1)[0] if word[-1:].isdigit() and "_" in word else word for word in line.split())
            for line in lines]  # fmt: skip
