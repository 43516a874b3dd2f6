"""Engines whose logics crash where a test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors import Engine, Event
from actors.assembly import Assembly
from actors.generations import Generations
from actors.repair import Logic
from actors.seat import Intensity
from actors.supervisor import Bounds

BOUND_S = 20.0
OFTEN = Intensity(1_000_000, 60.0)
CHAIN = {
    "id": "chain",
    "tasks": [
        {"id": "first", "action": "act", "isolation": "thread", "grace_ms": 1000},
        {"id": "second", "action": "act", "isolation": "thread", "grace_ms": 1000, "depends_on": ["first"]},
    ],
}


class Crashes:
    """What raises, by actor and type of message; and what has been received."""

    def __init__(self) -> None:
        self.planned: dict[tuple[str, type], list[type[BaseException]]] = {}
        self.hanging: dict[tuple[str, type], threading.Event] = {}
        """What waits for its event, once, likewise."""
        self.happened = threading.Semaphore(0)
        self.received: set[tuple[str, type]] = set()

    def wrap(self, name: str, logic: Logic) -> Logic:
        receive = logic.receive
        planned, hanging, received = self.planned, self.hanging, self.received

        def receive_and_crash(message: Any, now: int) -> Any:
            effects = receive(message, now)
            key = (name, type(message))
            received.add(key)
            gate = hanging.pop(key, None)
            if gate is not None:
                self.happened.release()
                gate.wait(BOUND_S)
            failures = planned.get(key)
            if failures:  # Afterwards, so that the logic has changed already.
                failure = failures.pop(0)
                self.happened.release()
                raise failure("planned")
            return effects

        logic.receive = receive_and_crash  # type: ignore[method-assign]
        return logic


class Actions:
    """Which tasks' actions run, and have run; never one twice at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self.doubled: list[str] = []
        self.runs: list[str] = []

    def act(self, ctx: Any) -> str:
        task: str = ctx.task_id
        with self._lock:
            if task in self._running:
                self.doubled.append(task)
            self._running.add(task)
            self.runs.append(task)
        try:
            ctx.progress(0.5)
            return task
        finally:
            with self._lock:
                self._running.discard(task)


class World:
    """An engine of two agents, its actions and its crashes."""

    def __init__(self, crashes: Crashes) -> None:
        self.crashes = crashes
        self.actions = Actions()
        self.engine = Engine(CHAIN, agents=2, actions={"act": self.actions.act})
        self._events = 0

    @property
    def parts(self) -> Assembly:
        assert self.engine._parts is not None
        return self.engine._parts

    def publish(self, count: int = 1) -> list[Any]:
        events = [Event("DATA_READY", f"entity-{self._events + number}") for number in range(count)]
        self._events += count
        return self.engine.publish_many(events)

    def all_done(self) -> None:
        """Everything published so far is done, once, and nobody's action ran twice at a time."""
        self.engine.wait_idle(BOUND_S)
        instances = [one for one in self.engine.instances() if one.entity_id.startswith("entity-")]
        assert [str(one.status) for one in instances] == ["completed"] * self._events
        assert all(str(task.status) == "completed" for one in instances for task in one.tasks)
        assert {run for run in self.actions.runs if "entity-" in run} == {
            task.id for one in instances for task in one.tasks
        }
        assert self.actions.doubled == []


@pytest.fixture
def crashes(monkeypatch: pytest.MonkeyPatch) -> Crashes:
    """Where logics crash; without a bound on how often unless a test sets one."""
    planned = Crashes()
    for method, name in (("keeping", "keeper"), ("scheduling", "scheduler"), ("routing", "router")):
        monkeypatch.setattr(Generations, method, wrapped(planned, name, getattr(Generations, method)))
    make = Generations.working
    monkeypatch.setattr(
        Generations, "working", lambda self, name, remains: planned.wrap(name, make(self, name, remains))
    )
    monkeypatch.setattr("actors.assembly.Bounds", lambda: Bounds(core=OFTEN, agent=OFTEN))
    return planned


def wrapped(planned: Crashes, name: str, make: Callable[..., Logic]) -> Callable[..., Logic]:
    return lambda self, generation: planned.wrap(name, make(self, generation))


@pytest.fixture
def world(crashes: Crashes) -> Iterator[World]:
    """Not started yet; stopped at the end."""
    made = World(crashes)
    yield made
    made.engine.stop(grace=0.0)
