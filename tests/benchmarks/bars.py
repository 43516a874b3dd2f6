"""What a benchmark hands back: bars with their verdicts, and figures without one."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from time import monotonic, sleep

MARK = "@bar "
"""A part runs in a process of its own; lines that begin so are its bars, the others are for the reader."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure beside what it must reach. ``limit`` None: only shown."""

    name: str
    measured: float
    unit: str
    limit: float | None = None
    at_least: bool = False
    """True: ``limit`` is a floor; False: a ceiling."""
    baseline: str = ""
    """What the same machine did without the engine, in the same run."""

    @property
    def verdict(self) -> str:
        if self.limit is None:
            return ""
        reached = self.measured >= self.limit if self.at_least else self.measured <= self.limit
        return "met" if reached else "MISSED"

    def row(self) -> tuple[str, str, str, str, str]:
        sign = "" if self.limit is None else f"{'≥' if self.at_least else '≤'} {self.limit:g} {self.unit}"
        return (self.name, sign, f"{self.measured:.4g} {self.unit}", self.verdict, self.baseline)


def hand_over(bars: Iterable[Bar]) -> None:
    """Print a part's bars for the process that started it."""
    for bar in bars:
        print(MARK + json.dumps(asdict(bar)), flush=True)


def taken_over(line: str) -> Bar:
    return Bar(**json.loads(line.removeprefix(MARK)))


def table(bars: Iterable[Bar]) -> str:
    head = ("what", "bar", "measured", "verdict", "baseline in the same run")
    rows = [head, *(bar.row() for bar in bars)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]
    return "\n".join(line.rstrip() for line in [lines[0], "-" * max(map(len, lines)), *lines[1:]])


def spread(values: Iterable[float], unit: str, *, digits: int = 2) -> str:
    """Least, middle and greatest, for the reader."""
    ordered = sorted(values)
    middle = statistics.median(ordered)
    return f"median {middle:.{digits}f} (min {ordered[0]:.{digits}f}, max {ordered[-1]:.{digits}f}) {unit}"


def until(true: Callable[[], bool], what: str, *, timeout: float = 10.0) -> None:
    """Wait for it, looking every 2 ms. Raises ``TimeoutError``."""
    deadline = monotonic() + timeout
    while not true():
        if monotonic() > deadline:
            raise TimeoutError(f"after {timeout:g} s still not: {what}")
        sleep(0.002)
