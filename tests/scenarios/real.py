"""Scenarios on real agents: several engines side by side, since their work is sleep.

Arrivals are the engine's own timed events, so that they are late only as the engine is late.
Time counts from the first arrival. Companion processes watch how late the machine itself is.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from actors import Engine
from actors.model import OutcomeKind, StopReason
from actors.views import InstanceView
from tests.scenarios.definitions import ACTIONS, event, names, source
from tests.scenarios.scenario import Scenario, Seen, complaints

ISOLATIONS = tuple(ACTIONS)
LEAD_MS, LEAD_EACH_MS = 300, 70
"""From an engine's start to its first arrival: until all of them are up."""
BOUND_S = 45.0
TRIES = 3
WATCHED = 8
"""At most so many processors."""
LATE, SLOW_MS = 4, 1.0
"""A machine that was once late by a fourth of the tolerance, or by a millisecond on average, may have spoiled a
schedule of several steps."""


class MachineTooBusy(Exception):
    """Nothing can be told of real time here and now."""


@dataclass(frozen=True, slots=True)
class Run:
    """One scenario on one kind of runner."""

    scenario: Scenario
    isolation: str

    def __str__(self) -> str:
        return f"{self.scenario} on {self.isolation}"


def each(scenarios: Sequence[Scenario]) -> list[Run]:
    return [Run(scenario, isolation) for scenario in scenarios for isolation in ISOLATIONS]


def in_real_time(runs: Sequence[Run]) -> list[Seen]:
    """Run them side by side; what each came to, in their order."""
    lead_ms = LEAD_MS + LEAD_EACH_MS * len(runs)
    with ExitStack() as stack:
        stack.enter_context(_without_the_tests_own_heap())
        engines = [stack.enter_context(_engine(run, lead_ms)) for run in runs]
        for engine in engines:
            engine.wait_idle(BOUND_S)
        return [_seen(run.scenario, engine.instances()) for run, engine in zip(runs, engines, strict=True)]


@contextmanager
def _without_the_tests_own_heap() -> Iterator[None]:
    """Let the collector not walk what all tests before have left: that holds every thread for a tenth of a second."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _engine(run: Run, lead_ms: int) -> Iterator[Engine]:
    scenario = run.scenario
    assert scenario.unit_ms is not None
    told: dict[str, Any] = source(scenario, isolation=run.isolation, unit_ms=scenario.unit_ms)
    told["settings"]["events"] = [
        {
            "after_ms": lead_ms + arrival.at * scenario.unit_ms,
            "type": happened.type,
            "entity_id": happened.entity_id,
            "priority": happened.priority,
            "data": happened.data,
        }
        for arrival in scenario.arrivals
        for happened in [event(arrival)]
    ]
    engine = Engine(told, actions={"work": ACTIONS[run.isolation]})
    engine.start()
    try:
        yield engine
    finally:
        engine.stop(grace=0.0)


def _seen(scenario: Scenario, instances: Sequence[InstanceView]) -> Seen:
    assert scenario.unit_ms is not None
    unit_ns = scenario.unit_ms * 1_000_000
    name_of, seen = names(scenario), Seen()
    tasks = {name_of[i.entity_id, t.task]: t for i in instances for t in i.tasks}
    # The arrival that its engine was least late with tells when the first was due.
    beginning = min(
        tasks[work.name].attempts[0].ready.ns - arrival.at * unit_ns
        for arrival in scenario.arrivals
        for work in arrival.works
        if work.name in tasks and not work.after
    )
    for name, task in tasks.items():
        for attempt in task.attempts:
            if attempt.started is not None:
                seen.begins.setdefault(name, Fraction(attempt.started.ns - beginning, unit_ns))
            if attempt.outcome is OutcomeKind.COMPLETED and attempt.ended is not None:
                seen.ends[name] = Fraction(attempt.ended.ns - beginning, unit_ns)
            elif attempt.reason is StopReason.PREEMPT:
                seen.preemptions += 1
    return seen


def real_complaints(runs: Sequence[Run]) -> list[str]:
    """What is not as expected.

    Where the machine itself was late, what came out wrong says nothing, and those are run again.
    Raises ``MachineTooBusy`` when that goes on.
    """
    left, busy = list(runs), ""
    for _ in range(TRIES):
        with lateness() as late:
            came_to = in_real_time(left)
        wrong = {
            place: complaints(run.scenario, seen, tolerance=run.scenario.tolerance)
            for place, (run, seen) in enumerate(zip(left, came_to, strict=True))
        }
        found = [f"{left[place]}: {complaint}" for place, several in wrong.items() for complaint in several]
        left = [run for place, run in enumerate(left) if wrong[place]]
        if not left:
            return []
        if late.worst_ms < min(map(_margin_ms, left)) / LATE and late.mean_ms < SLOW_MS:
            return found
        busy = f"{late.worst_ms:.0f} ms late, {late.mean_ms:.1f} on average: {'; '.join(found)}"
    raise MachineTooBusy(f"in the last of {TRIES} tries the machine was {busy}")


def _margin_ms(run: Run) -> float:
    return float(run.scenario.tolerance) * (run.scenario.unit_ms or 0)


_WATCHER = """
import os, sys, threading, time
if len(sys.argv) > 1:
    os.sched_setaffinity(0, {int(sys.argv[1])})
closed = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), closed.set()), daemon=True).start()
worst = total = cycles = 0
while not closed.is_set():
    before = time.monotonic()
    time.sleep(0.018)
    busy_until = time.process_time() + 0.002
    while time.process_time() < busy_until:
        pass
    late = time.monotonic() - before - 0.020
    worst, total, cycles = max(worst, late), total + late, cycles + 1
print(worst * 1000, total * 1000 / max(1, cycles))
"""
"""Sleeps, then computes a little: one that only sleeps is woken in time on the busiest machine."""


@dataclass(slots=True)
class Lateness:
    worst_ms: float = 0.0
    mean_ms: float = 0.0


@contextmanager
def lateness() -> Iterator[Lateness]:
    """Watch meanwhile how late this machine is with processes that sleep and compute in turn.

    One on each processor, where that can be said: what is late on one of them is not seen from another.
    """
    late = Lateness()
    with ExitStack() as stack:
        watchers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-S", "-c", _WATCHER, *where],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for where in _processors()
        ]
        try:
            yield late
        finally:
            for watcher in watchers:
                worst, mean = map(float, watcher.communicate(timeout=10)[0].split())
                late.worst_ms, late.mean_ms = max(late.worst_ms, worst), max(late.mean_ms, mean)


def _processors() -> list[list[str]]:
    """As arguments of a watcher each."""
    if not hasattr(os, "sched_getaffinity"):
        return [[]]
    return [[str(number)] for number in sorted(os.sched_getaffinity(0))[:WATCHED]]
