"""What a million events and a backlog of 100,000 entities cost in resident memory."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors import Engine, Event
from tests.benchmarks.bars import Bar, until

EVENTS = 1_000_000
ENTITIES = 1_000
IDS = 50_000
"""So many the engine remembers, to know a duplicate."""
BATCH = 1_000
WARM_UP = 2_000
BACKLOG = 100_000
BACKLOG_BATCH = 10_000
AGENTS = 5
PATIENCE_S = 90.0
MB = 1024 * 1024

COUNTS = {"id": "counts", "tasks": [{"id": "count", "action": "count", "isolation": "thread"}]}


def million() -> list[Bar]:
    """One million events on 1,000 entities, as fast as one publisher can."""
    ran = 0
    floor = _in_a_fork(_entities_alone)

    def count(ctx: Any) -> None:
        nonlocal ran
        ran += ctx.merged

    with Engine(COUNTS, agents=AGENTS, store="memory", actions={"count": count}) as engine:
        cold = resident()
        _publish(engine, WARM_UP)
        before = peak = resident()
        began = time.perf_counter()
        for _ in range(EVENTS // BATCH):
            _publish(engine, BATCH)
            peak = max(peak, resident())
        engine.wait_idle(PATIENCE_S)
        took = time.perf_counter() - began
        after = resident()
        stats = engine.stats()
    print(f"{EVENTS / took:,.0f} events/s from one publisher; {stats['instances']['completed']:,} workflows ran")
    print(f"actions stand for {ran:,} of {EVENTS + WARM_UP:,} events (each acted on or merged into a newer one)")
    print(f"resident: {cold / MB:.1f} MB started, {before / MB:.1f} MB after {WARM_UP:,} events", end="")
    print(f", at most {peak / MB:.1f} MB, {after / MB:.1f} MB at the end; from the start {(after - cold) / MB:.1f} MB")
    baseline = f"{floor / MB:.1f} MB for the bare table and the ids remembered"
    return [
        Bar("memory: growth over a million events", (max(after, peak) - before) / MB, "MB", 30, baseline=baseline),
        Bar("  events not accounted for", abs(EVENTS + WARM_UP - ran), "events", 0),
    ]


def backlog() -> list[Bar]:
    """100,000 pending entities behind agents that are all busy: what the engine keeps of each, then their data too."""
    bare = _in_a_fork(_bare_table)
    alone = _in_a_fork(lambda: _each_pending(data=None))
    with_data = _in_a_fork(lambda: _each_pending(data=True))
    baseline = f"{bare:.0f} B for a dict of seven fields with its data, in a bare dict"
    return [
        Bar("memory: a pending entity in a backlog of 100,000", alone, "B", 1500, baseline=baseline),
        Bar("  with a tick of two fields as its data", with_data, "B", baseline=baseline),
    ]


def _each_pending(*, data: bool | None) -> float:
    release = threading.Event()
    definitions = {
        "workflows": {
            "busy": {"priority": 0, "trigger": "manual", "tasks": [_task("wait")]},
            "counts": {"priority": 2, "tasks": [_task("count")]},
        }
    }
    actions = {"wait": lambda _: release.wait(PATIENCE_S), "count": lambda _: None}
    with Engine(definitions, agents=AGENTS, store="memory", actions=actions) as engine:
        for number in range(AGENTS):
            engine.put_entity(f"busy-{number}", phase="held")
            engine.run("busy", f"busy-{number}")
        until(lambda: all(agent["state"] == "running" for agent in engine.agents()), "all agents busy")
        _publish(engine, WARM_UP, "warm")
        gc.collect()
        before = resident()
        for first in range(0, BACKLOG, BACKLOG_BATCH):
            names = [f"entity-{number:06}" for number in range(first, first + BACKLOG_BATCH)]
            engine.publish_many([_tick(name) if data else Event("DATA_READY", name) for name in names])
        queued = sum(queue["depth"] for queue in engine.queues())
        after = resident()
        assert queued == BACKLOG + ENTITIES, queued
        release.set()
        engine.stop(grace=0)
    return (after - before) / BACKLOG


def resident() -> int:
    """This process's resident memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _publish(engine: Engine, count: int, prefix: str = "entity") -> None:
    engine.publish_many([_tick(f"{prefix}-{number % ENTITIES:06}") for number in range(count)])


def _tick(entity: str) -> Event:
    return Event("DATA_READY", entity, data={"price": 10.9, "volume": 300})


def _task(action: str) -> dict[str, Any]:
    return {"id": action, "action": action, "isolation": "thread", "timeout": 3_600_000}


def _in_a_fork(measure: Callable[[], float]) -> float:
    """Measure in a child, so that what it frees does not hide what we grow by; before any thread is there."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(writing, f"{measure()}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        grown = float(answer.read())
    os.waitpid(pid, 0)
    return grown


def _entities_alone() -> float:
    """What 1,000 rows and 50,000 remembered ids take, kept in two bare dicts."""
    gc.collect()
    before = resident()
    rows = {f"entity-{number:06}": _row(number) for number in range(ENTITIES)}
    remembered = {f"0123456789ab-{number}": (f"counts_entity-{number:06}_1630000000", number) for number in range(IDS)}
    grown = resident() - before
    assert len(rows) + len(remembered) == ENTITIES + IDS
    return grown


def _bare_table() -> float:
    """Bytes for each of 100,000 entities in a bare dict of dicts."""
    gc.collect()
    before = resident()
    rows = {f"bare-{number:06}": _row(number) for number in range(BACKLOG)}
    grown = resident() - before
    return grown / len(rows)


def _row(number: int) -> dict[str, Any]:
    data = {"price": 10.9 + number, "volume": 300 + number}
    fields = {"id": f"row-{number:06}", "name": "", "phase": "data_ready", "status": "pending"}
    return {**fields, "priority": 2, "last_processed": None, "data": data}
