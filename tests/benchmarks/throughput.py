"""How many workflows a second, against the skeleton; and how soon idle agents begin."""

from __future__ import annotations

import statistics
import threading
import time
from queue import SimpleQueue
from typing import Any

from actors import Engine, Event
from tests.benchmarks.bars import Bar, spread
from tests.benchmarks.skeleton import Skeleton

WORKFLOWS = 1_000
AGENTS = 5
ROUNDS = 9
IDLE_EVENTS = 200
PATIENCE_S = 60.0

CHAIN = {
    "id": "chain",
    "tasks": [
        {"id": "first", "action": "nothing", "isolation": "thread"},
        {"id": "second", "action": "nothing", "isolation": "thread", "depends_on": ["first"]},
        {"id": "third", "action": "nothing", "isolation": "thread", "depends_on": ["second"]},
    ],
}


def workflows() -> list[Bar]:
    """1,000 workflows of three tasks on five agents, in turn with the skeletons."""
    events = [Event("DATA_READY", f"entity-{number}") for number in range(WORKFLOWS)]
    bare = {
        "skeleton": Skeleton(_nothing, agents=AGENTS, tasks=3),
        "skeleton without reports": Skeleton(_nothing, agents=AGENTS, tasks=3, reports=False),
        "skeleton without runner threads": Skeleton(_nothing, agents=AGENTS, tasks=3, runners=False),
    }
    rates: dict[str, list[float]] = {name: [] for name in ("engine", *bare)}
    with Engine(CHAIN, agents=AGENTS, store="memory", actions={"nothing": _act}) as engine:
        for turn in range(ROUNDS + 1):
            measured = {"engine": _rate_of_engine(engine, events)}
            for name, skeleton in bare.items():
                began = time.perf_counter()
                skeleton.run(WORKFLOWS, PATIENCE_S)
                measured[name] = WORKFLOWS / (time.perf_counter() - began)
            if turn:  # The first is warm-up.
                for name, rate in measured.items():
                    rates[name].append(rate)
        ended = engine.stats()
    for skeleton in bare.values():
        skeleton.stop()
    for name, found in rates.items():
        print(f"{name}: {spread(found, 'workflows/s', digits=0)}")
    assert ended["instances"]["completed"] == (ROUNDS + 1) * WORKFLOWS, ended
    return [_ratio(rates, "skeleton", limit=0.6), *(_ratio(rates, name) for name in bare if name != "skeleton")]


def _ratio(rates: dict[str, list[float]], name: str, *, limit: float | None = None) -> Bar:
    """The median over the rounds of engine to skeleton, each pair measured one right after the other."""
    ratio = statistics.median(ours / theirs for ours, theirs in zip(rates["engine"], rates[name], strict=True))
    baseline = f"{statistics.median(rates[name]):.0f} workflows/s; engine {statistics.median(rates['engine']):.0f}"
    return Bar(f"workflows/s, engine to {name}", ratio, "times", limit, at_least=True, baseline=baseline)


def _rate_of_engine(engine: Engine, events: list[Event]) -> float:
    began = time.perf_counter()
    engine.publish_many(events)
    engine.wait_idle(PATIENCE_S)
    return WORKFLOWS / (time.perf_counter() - began)


def idle() -> list[Bar]:
    """From an event published to idle agents to its action's first line, against six bare thread hand-overs."""
    lines: SimpleQueue[int] = SimpleQueue()
    one = {"id": "one", "tasks": [{"id": "look", "action": "look", "isolation": "thread"}]}
    found: list[float] = []
    with Engine(
        one, agents=AGENTS, store="memory", actions={"look": lambda _: lines.put(time.monotonic_ns())}
    ) as engine:
        for turn in range(IDLE_EVENTS + 20):
            event = Event("DATA_READY", f"entity-{turn % 50}")
            published = time.monotonic_ns()
            receipt = engine.publish(event)
            first_line = lines.get(timeout=PATIENCE_S)
            engine.wait(receipt, PATIENCE_S)
            if turn >= 20:
                found.append((first_line - published) / 1e3)
            time.sleep(0.001)
    bare = _hand_overs(5)
    print(f"engine: {spread(found, 'µs', digits=0)}")
    print(f"five bare hand-overs between threads: {spread(bare, 'µs', digits=0)}")
    baseline = f"{statistics.median(bare):.0f} µs for router, keeper, scheduler, agent, thread as bare SimpleQueues"
    return [Bar("idle: event to first line", statistics.median(found), "µs", 150, baseline=baseline)]


def _hand_overs(hops: int) -> list[float]:
    """Microseconds until a message has passed through so many threads that only hand it on."""
    queues: list[SimpleQueue[int | None]] = [SimpleQueue() for _ in range(hops)]
    arrived: SimpleQueue[int] = SimpleQueue()

    def hand_on(place: int) -> None:
        while (item := queues[place].get()) is not None:
            if place + 1 < hops:
                queues[place + 1].put(item)
            else:
                arrived.put(time.monotonic_ns())
        if place + 1 < hops:
            queues[place + 1].put(None)

    threads = [threading.Thread(target=hand_on, args=(place,)) for place in range(hops)]
    for thread in threads:
        thread.start()
    found: list[float] = []
    for _ in range(IDLE_EVENTS):
        sent = time.monotonic_ns()
        queues[0].put(1)
        found.append((arrived.get() - sent) / 1e3)
        time.sleep(0.001)
    queues[0].put(None)
    for thread in threads:
        thread.join()
    return found


def _act(ctx: Any) -> None:
    """One task that does nothing."""


def _nothing() -> None:
    """The same for the skeleton."""
