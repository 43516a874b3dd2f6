"""From an urgent event to the first line of its action, while every agent runs less important work.

The figure is the median over 30 preemptions, each after all agents are busy again. A ledger of
the victims shows in the same run that none continued from before its last checkpoint.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from actors import Engine, Event
from tests.benchmarks import actions, bare
from tests.benchmarks.bars import Bar, spread, until

REPEATS = 30
WARM_UP = 3
VICTIMS = 5
GRACE_MS = 100
PATIENCE_S = 10.0
DAY_MS = 86_400_000
STEADY_S = 0.02
"""Victims are at work at least so long before the next event; drawn up to twice that, to meet them anywhere."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of victim, its bar in ms, and what it is compared with."""

    name: str
    victim: Callable[[Any], Any]
    isolation: str
    limit_ms: float
    baseline: Callable[[int], list[float]]
    baseline_is: str
    on_preempt: str = "requeue"
    killed: bool = False

    @property
    def suspends(self) -> bool:
        return self.on_preempt == "suspend"

    @property
    def works(self) -> bool:
        """Its victims count on and on, so that a standstill would show."""
        return self.victim in (actions.computes, actions.ignores)

    @property
    def waits_ms(self) -> int:
        """What the engine must wait by its own rule, and is not counted."""
        return GRACE_MS if self.killed else 0


def threads() -> list[Bar]:
    waits = "a bare threading.Event"
    return _measure(Case("threads in ctx.sleep", actions.waits_in_ctx, "thread", 1, bare.between_threads, waits))


def coroutines() -> list[Bar]:
    loop = "bare call_soon_threadsafe"
    return _measure(Case("coroutines in ctx.sleep", actions.awaits_in_ctx, "async", 1, bare.into_a_loop, loop))


def sleeping() -> list[Bar]:
    signal = "bare signal, exception, waiting worker"
    return _measure(Case("processes in time.sleep", actions.sleeps, "process", 1.5, _bare_sleeping, signal))


def spinning() -> list[Bar]:
    signal = "bare signal, exception, waiting worker"
    return _measure(Case("processes that compute", actions.computes, "process", 5, _bare_computing, signal))


def ignoring() -> list[Bar]:
    name = f"processes that ignore the stop, beyond {GRACE_MS} ms of grace"
    kill = "bare kill, reap, fork"
    return _measure(Case(name, actions.ignores, "process", 5, bare.after_a_kill, kill, killed=True))


def suspended() -> list[Bar]:
    still = "bare SIGSTOP, waiting worker"
    name = "processes that compute, suspended"
    return _measure(Case(name, actions.computes, "process", 2, bare.after_a_standstill, still, on_preempt="suspend"))


def _bare_sleeping(repeats: int) -> list[float]:
    return bare.after_an_exception(repeats, computing=False)


def _bare_computing(repeats: int) -> list[float]:
    return bare.after_an_exception(repeats, computing=True)


def _measure(case: Case) -> list[Bar]:
    # Half of the baseline before and half after: the machine may be busier at one end.
    baseline = case.baseline(REPEATS // 2)
    with tempfile.NamedTemporaryFile(prefix="ledger-") as file:
        ledger = Path(file.name)
        latencies, late, attempts = _preempt(case, ledger)
        lost, restarts = _audit(ledger)
    baseline += case.baseline(REPEATS - REPEATS // 2)
    beyond = [latency - case.waits_ms for latency in latencies]
    print(f"engine: {spread(beyond, 'ms')}")
    print(f"{case.baseline_is}: {spread(baseline, 'ms')}")
    print(f"`started` before the action's own first line by {spread(late, 'ms', digits=3)}")
    print(f"{restarts} continuations of victims, {lost} from before their last checkpoint; {attempts}")
    told = f"{statistics.median(baseline):.2f} ms {case.baseline_is}"
    what, count = ("started over", restarts) if case.suspends else ("continued from before a checkpoint", lost)
    return [
        Bar(f"urgent: {case.name}", statistics.median(beyond), "ms", case.limit_ms, baseline=told),
        Bar(f"  victims that {what}", count, f"of {len(latencies) + WARM_UP}", 0),
    ]


def _preempt(case: Case, ledger: Path) -> tuple[list[float], list[float], str]:
    """Latencies in ms; how much earlier ``started`` is, in ms; what the engine counted."""
    chance = random.Random(7)
    latencies: list[float] = []
    late: list[float] = []
    with Engine(_definitions(case), agents=VICTIMS, store="memory", actions=_actions(case)) as engine:
        victims = [_put_to_work(engine, f"victim-{number}", ledger) for number in range(VICTIMS)]
        for turn in range(WARM_UP + REPEATS):
            begun = VICTIMS if case.suspends else VICTIMS + turn
            until(partial(_all_busy, engine, ledger, begun), f"{VICTIMS} victims at work")
            time.sleep(STEADY_S * (1 + chance.random()))
            published = time.monotonic_ns()
            receipt = engine.publish(Event("HIGH_PRIORITY_ARRIVED", "urgent", priority=0))
            run = engine.wait(receipt, PATIENCE_S)
            assert run is not None
            task = run.tasks[0]
            started = task.attempts[-1].started
            assert task.status == "completed", task
            assert started is not None, task
            if turn >= WARM_UP:
                latencies.append((task.result - published) / 1e6)
                late.append((task.result - started.ns) / 1e6)
        stats = engine.stats()
        killed = sum(attempt.killed for id in victims for attempt in engine.instance(id).tasks[0].attempts)
        assert stats["preemptions"] == WARM_UP + REPEATS, stats
        assert not case.killed or killed == WARM_UP + REPEATS, f"{killed} victims killed"
        if case.works:
            counts = _counts(ledger)
            until(lambda: all(_counts(ledger)[name] > counts[name] for name in counts), "every victim going on")
        for id in victims:
            engine.cancel(id)
        engine.wait_idle(PATIENCE_S)
    return latencies, late, f"{stats['preemptions']} preemptions, {killed} victims killed"


def _put_to_work(engine: Engine, entity: str, ledger: Path) -> str:
    engine.put_entity(entity)
    return engine.run("background", entity, {"ledger": str(ledger)}).instances[0]


def _definitions(case: Case) -> dict[str, Any]:
    common = {"isolation": case.isolation, "timeout": DAY_MS}
    background = {"id": "work", "action": "victim", "on_preempt": case.on_preempt, "grace_ms": GRACE_MS, **common}
    urgent = {"trigger_event": "HIGH_PRIORITY_ARRIVED", "tasks": [{"id": "act", "action": "urgent", **common}]}
    return {
        "workflows": {
            "background": {"priority": 2, "trigger": "manual", "tasks": [background]},
            "urgent": {"priority": 0, **urgent},
        }
    }


def _actions(case: Case) -> dict[str, Callable[..., Any]]:
    urgent = actions.urgent_coroutine if case.isolation == "async" else actions.urgent
    return {"victim": case.victim, "urgent": urgent}


def _all_busy(engine: Engine, ledger: Path, begun: int) -> bool:
    """Every agent runs a victim, and every victim's code has begun."""
    busy = all(agent["state"] == "running" and agent["priority"] == 2 for agent in engine.agents())
    return busy and ledger.read_bytes().count(b" began ") >= begun


def _counts(ledger: Path) -> dict[str, int]:
    """How far every victim has surely come."""
    lines = (line.split() for line in ledger.read_text().splitlines())
    return {entity: int(count) for entity, what, count in lines if what == "saved"}


def _audit(ledger: Path) -> tuple[int, int]:
    """Continuations from before the last checkpoint that was surely saved, and continuations in all."""
    saved: dict[str, int] = {}
    seen: set[str] = set()
    lost = restarts = 0
    for line in ledger.read_text().splitlines():
        entity, what, count = line.split()
        if what == "began":
            restarts += entity in seen
            lost += int(count) < saved.get(entity, 0)
            seen.add(entity)
        else:
            saved[entity] = int(count)
    return lost, restarts
