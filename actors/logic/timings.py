"""How long things took, as counts in bounded classes: what the scheduler knows of waits, runs and preemptions.

Counting one costs a search among 18 bounds. The numbers begin anew when the scheduler is rebuilt,
as counters do when a process starts again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from typing import Any

from actors.model import Instant, Outcome, Priority, StopReason

MOST = 10
"""Priorities from here on are counted as one: labels must be few, and a priority may be any number."""
BOUNDS_S = (
    0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
)  # fmt: skip
_BOUNDS_NS = tuple(int(bound * 1e9) for bound in BOUNDS_S)


class Durations:
    """How many took at most each bound, and all of them together."""

    __slots__ = ("counts", "total_ns")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS_NS) + 1)
        self.total_ns = 0

    def add(self, ns: int) -> None:
        self.counts[bisect_left(_BOUNDS_NS, ns)] += 1
        self.total_ns += ns

    def shown(self) -> dict[str, Any]:
        """``counts`` of those up to each of ``BOUNDS_S`` but not the one before, the last of all above; ``sum_s``."""
        return {"counts": list(self.counts), "sum_s": self.total_ns / 1e9}


class Timings:
    __slots__ = ("preempted", "ran", "urgent", "waited")

    def __init__(self) -> None:
        self.waited: dict[str, Durations] = {}
        """From coming into line to getting an agent, by priority; a suspended one waits anew."""
        self.ran: dict[str, Durations] = {}
        """From an action's first line to its end, by how it ended."""
        self.urgent = Durations()
        """From a preemption's request to the urgent action's first line."""
        self.preempted: Counter[tuple[str, str]] = Counter()
        """By the victim's and the preemptor's priority."""

    def started(self, priority: Priority, since: Instant, now: Instant) -> None:
        _of(self.waited, level(priority)).add(max(0, now - since))

    def ended(self, outcome: Outcome, reason: StopReason | None) -> None:
        if outcome.began is not None:
            kind = str(outcome.kind) if reason is None or outcome.kind != "stopped" else f"stopped_{reason}"
            _of(self.ran, kind).add(max(0, outcome.ended - outcome.began))

    def preempts(self, victim: Priority, preemptor: Priority) -> None:
        self.preempted[level(victim), level(preemptor)] += 1

    def shown(self) -> Mapping[str, Any]:
        return {
            "waited": {name: found.shown() for name, found in sorted(self.waited.items())},
            "ran": {name: found.shown() for name, found in sorted(self.ran.items())},
            "urgent": self.urgent.shown(),
            "preempted": [
                {"victim": victim, "preemptor": preemptor, "count": count}
                for (victim, preemptor), count in sorted(self.preempted.items())
            ],
        }


def level(priority: Priority) -> str:
    """The priority as one of few names."""
    return str(priority) if priority < MOST else f"{MOST}+"


def _of(among: dict[str, Durations], name: str) -> Durations:
    found = among.get(name)
    if found is None:
        found = among[name] = Durations()
    return found
