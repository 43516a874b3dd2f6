"""Runs the parts one after the other, each in a process of its own, and prints one table."""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.benchmarks.bars import MARK, Bar, hand_over, table, taken_over

ROOT = Path(__file__).resolve().parents[2]
PARTS = {
    "latency.thread": ("latency", "threads"),
    "latency.async": ("latency", "coroutines"),
    "latency.sleeping": ("latency", "sleeping"),
    "latency.spinning": ("latency", "spinning"),
    "latency.ignoring": ("latency", "ignoring"),
    "latency.suspend": ("latency", "suspended"),
    "throughput": ("throughput", "workflows"),
    "idle": ("throughput", "idle"),
    "inbox": ("inbox", "rates"),
    "paging.unfinished": ("paging", "unfinished"),
    "paging.ended": ("paging", "ended"),
    "api.batch": ("api", "batch"),
    "api.streams": ("api", "streams"),
    "api.pages": ("api", "pages"),
    "memory.million": ("memory", "million"),
    "memory.backlog": ("memory", "backlog"),
    "commands": ("commands", "commands"),
    "dispatch": ("dispatch", "behind_a_backlog"),
    "dispatch.logic": ("dispatch", "logic_alone"),
}
"""By name: the module and the function that measures it."""
PART_S = 240.0
"""A part that takes longer is killed and said so."""
SHOWN = 40
"""So many last lines of what a part says: enough for a traceback."""
ONE = "--one"


def main(argv: Sequence[str]) -> int:
    """Run the parts whose names begin with one of ``argv``, or all; 2 for a name that fits none."""
    if len(argv) == 2 and argv[0] == ONE:
        hand_over(_measure(argv[1]))
        return 0
    unknown = [name for name in argv if not any(part.startswith(name) for part in PARTS)]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    wanted = [part for part in PARTS if not argv or any(part.startswith(name) for name in argv)]
    began = time.monotonic()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores", end="")
    print(f", load {' '.join(f'{load:.1f}' for load in os.getloadavg())}", flush=True)
    bars: list[Bar] = []
    broken: list[str] = []
    for part in wanted:
        found = _apart(part)
        bars += found
        if not found:
            broken.append(part)
    print(f"\n{table(bars)}")
    missed = [bar for bar in bars if bar.verdict == "MISSED"]
    judged = [bar for bar in bars if bar.verdict]
    print(f"\n{len(judged) - len(missed)} of {len(judged)} bars met, in {time.monotonic() - began:.0f} s", end="")
    print(f", load {' '.join(f'{load:.1f}' for load in os.getloadavg())}")
    if broken:
        print(f"without a figure, because they failed: {', '.join(broken)}")
    return 0


def _measure(part: str) -> list[Bar]:
    module, function = PARTS[part]
    measure: Callable[[], list[Bar]] = getattr(importlib.import_module(f"tests.benchmarks.{module}"), function)
    return measure()


def _apart(part: str) -> list[Bar]:
    """Run one part in a process of its own; show what it says, and return its bars."""
    print(f"\n{part}", flush=True)
    command = [sys.executable, "-m", "tests.benchmarks", ONE, part]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            said, _ = process.communicate(timeout=PART_S)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            said += f"killed: not through within {PART_S:g} s\n"
    bars: list[Bar] = []
    talk: list[str] = []
    for line in said.splitlines():
        if line.startswith(MARK):
            bars.append(taken_over(line))
        else:
            talk.append(f"  {line}")
    print("\n".join(talk[-SHOWN:]))
    if process.returncode:
        print(f"  it ended with status {process.returncode}")
    return bars


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
