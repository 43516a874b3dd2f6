"""How long a page takes out of 100,000 instances, whatever it is filtered by."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

from actors import Engine, Event
from actors.definitions import parse
from tests.benchmarks.bars import Bar, spread

INSTANCES = 100_000
BATCH = 1_000
CALLS = 40
IDLE_S = 180.0
FLOW = {"id": "flow", "tasks": [{"id": "task", "action": "quick", "isolation": "thread"}]}


def quick(_: Any) -> None:
    """Nothing at all."""


def unfinished() -> list[Bar]:
    """All of them wait: the workflow is paused."""
    with _engine() as engine:
        engine.pause("flow")
        _publish(engine)
        bars = _pages(engine, "unfinished", "running")
        engine.stop(grace=0.0)
    return bars


def ended() -> list[Bar]:
    """All of them have ended and lie in the memory store."""
    with _engine() as engine:
        _publish(engine)
        engine.wait_idle(IDLE_S)
        return _pages(engine, "ended", "completed")


def _engine() -> Engine:
    definitions = parse(FLOW, actions={"quick": quick})
    settings = dataclasses.replace(definitions.settings, max_finished=INSTANCES, max_waiting_events=INSTANCES)
    return Engine(definitions, actions={"quick": quick}, settings=settings, agents=4)


def _publish(engine: Engine) -> None:
    for first in range(0, INSTANCES, BATCH):
        engine.publish_many(Event("DATA_READY", f"{number:06}") for number in range(first, first + BATCH))


def _pages(engine: Engine, which: str, status: str) -> list[Bar]:
    of_all: dict[str, Callable[[], Any]] = {
        "the newest": engine.instances_page,
        "by status": lambda: engine.instances_page(status),
        "by workflow": lambda: engine.instances_page(workflow="flow"),
        "by an entity of long ago": lambda: engine.instances_page(entity="000100"),
        "entities": engine.entities_page,
    }
    bars: list[Bar] = []
    for name, page in of_all.items():
        taken = [_ms(page) for _ in range(CALLS)]
        print(f"100 of {INSTANCES:,} {which}, {name}: {spread(taken, 'ms')}")
        often = "long ago" not in name
        bars.append(Bar(f"page of 100,000 {which}: {name}", statistics.median(taken), "ms", 20 if often else None))
    return bars


def _ms(page: Callable[[], Any]) -> float:
    began = time.perf_counter()
    page()
    return (time.perf_counter() - began) * 1000
