"""How long one command takes as a person feels it: from the Enter key to the prompt."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from actors import Engine
from actors.doors import Doors
from tests.benchmarks.bars import Bar

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "bin" / "engine"
ROUNDS = 15
DEFINITIONS = {"workflows": {"flow": {"tasks": [{"id": "task", "action": "done"}]}}, "settings": {"agents": 2}}


def commands() -> list[Bar]:
    """``--version``, and one event injected into an engine that runs in another process than the command."""
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(DEFINITIONS, actions={"done": lambda ctx: None})
        doors = Doors(engine, Path(folder) / "data", None)
        try:
            with engine:
                doors.open()
                data = ("--data-dir", str(Path(folder) / "data"))
                return [
                    _timed("engine --version", ("--version",), 0.15),
                    _timed("engine inject, to its receipt", ("inject", "DATA_READY", "000003", *data), 0.35),
                    _timed("engine ps", ("ps", "-q", *data), None),
                ]
        finally:
            doors.close()


def _timed(name: str, arguments: tuple[str, ...], limit: float | None) -> Bar:
    python = [_wall((sys.executable, "-c", "pass")) for _ in range(ROUNDS)]
    taken = [_wall((str(PROGRAM), *arguments)) for _ in range(ROUNDS)]
    baseline = f"an empty Python program: {median(python):.3f} s; slowest of {ROUNDS}: {max(taken):.3f} s"
    return Bar(name, median(taken), "s", limit, baseline=baseline)


def _wall(command: tuple[str, ...]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, cwd=ROOT)
    return time.perf_counter() - began
