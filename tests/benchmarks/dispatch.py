"""Whether giving a task to an agent takes longer behind 100,000 waiting tasks than behind 100.

Measured twice: in two engines at work side by side, from one action's first line to the next
one's, in turns; and in the scheduler's logic alone, where nothing else is in the way.
"""

from __future__ import annotations

import statistics
import threading
import time
from itertools import pairwise
from typing import Any

from actors import Engine, Event
from actors.definitions import parse
from actors.effects import Send
from actors.logic.scheduling import Scheduling
from actors.messages import AgentReady, AttemptEnded, ReadyTask, RunAttempt, TasksReady
from actors.model import (
    MAX_TASKS,
    AgentName,
    AttemptId,
    Entity,
    EntityId,
    Job,
    Origin,
    Outcome,
    OutcomeKind,
    TaskKey,
    Workflow,
    WorkflowId,
)
from tests.benchmarks.bars import Bar, spread, until

DEEP = 100_000
SHALLOW = 100
ROUNDS = 40
A_ROUND = 40
"""Dispatches measured before it is the other engine's turn; fewer than the shallow line has."""
BATCH = 10_000
PATIENCE_S = 30.0
ONE_TASK = {"id": "step", "tasks": [{"id": "step", "action": "step", "isolation": "thread", "timeout": 3_600_000}]}


class Line:
    """An engine with one agent and a line before it; it moves only when it is told to."""

    def __init__(self, depth: int) -> None:
        self._turn = threading.Semaphore(0)
        self._done = threading.Event()
        self._lines: list[int] = []
        self._next = 0
        self._left = 0
        self._over = False
        self.engine = Engine(ONE_TASK, agents=1, store="memory", actions={"step": self._step})
        self.engine.start()
        self.refill(depth)
        until(lambda: self.engine.agents()[0]["state"] == "running", "the first task at the gate")

    def refill(self, count: int) -> None:
        """Put so many more entities in line, each a new one."""
        for first in range(0, count, BATCH):
            names = range(self._next + first, self._next + min(first + BATCH, count))
            self.engine.publish_many([Event("DATA_READY", f"entity-{name:07}") for name in names])
        self._next += count

    def _step(self, ctx: Any) -> None:
        self._lines.append(time.monotonic_ns())
        if self._left:
            self._left -= 1
            return
        self._done.set()
        if not self._over:
            self._turn.acquire()

    def dispatches(self, count: int) -> list[float]:
        """Let so many go; return microseconds from each first line to the next, the first left out."""
        self._lines.clear()
        self._done.clear()
        self._left = count
        self._turn.release()
        if not self._done.wait(PATIENCE_S):
            raise TimeoutError(f"{count} dispatches took longer than {PATIENCE_S} s")
        lines = self._lines
        return [(after - before) / 1e3 for before, after in pairwise(lines)]

    def stop(self) -> None:
        self.engine.pause("step")
        self._over = True
        self._turn.release()
        self.engine.stop(grace=0)


def behind_a_backlog() -> list[Bar]:
    """Two engines in one process, one with a long line and one with a short one, in turns."""
    deep, shallow = Line(DEEP), Line(SHALLOW)
    found: dict[Line, list[float]] = {deep: [], shallow: []}
    for turn in range(ROUNDS):
        for line in (deep, shallow) if turn % 2 else (shallow, deep):
            found[line] += line.dispatches(A_ROUND)
            line.refill(A_ROUND + 1)
    depths = [sum(queue["depth"] for queue in line.engine.queues()) for line in (deep, shallow)]
    for line in (deep, shallow):
        line.stop()
    print(f"behind {depths[0]:,}: {spread(found[deep], 'µs', digits=0)}")
    print(f"behind {depths[1]:,}: {spread(found[shallow], 'µs', digits=0)}")
    ratio = statistics.median(found[deep]) / statistics.median(found[shallow])
    baseline = f"{statistics.median(found[shallow]):.0f} µs behind {depths[1]}"
    return [Bar("dispatch: behind 100,000 to behind 100, engine", ratio, "times", 1.5, baseline=baseline)]


def logic_alone() -> list[Bar]:
    """The scheduler's logic: an attempt has ended, and the next one is given to the agent."""
    lines = [_Floor(DEEP), _Floor(SHALLOW)]
    found: list[list[float]] = [[], []]
    for turn in range(ROUNDS):
        for place in (0, 1) if turn % 2 else (1, 0):
            found[place] += [lines[place].step() for _ in range(A_ROUND)]
    ratio = statistics.median(found[0]) / statistics.median(found[1])
    print(f"behind {DEEP:,}: {spread(found[0], 'µs', digits=1)}")
    print(f"behind {SHALLOW:,}: {spread(found[1], 'µs', digits=1)}")
    baseline = f"{statistics.median(found[1]):.1f} µs behind {SHALLOW}"
    return [Bar("dispatch: behind 100,000 to behind 100, logic alone", ratio, "times", 1.5, baseline=baseline)]


class _Floor:
    """The scheduling logic with one agent and a line of constant length before it."""

    def __init__(self, depth: int) -> None:
        definitions = parse(ONE_TASK, actions={"step": lambda _: None})
        self._workflow: Workflow = definitions.workflows[WorkflowId("step")]
        self._agent = AgentName("agent_0")
        self._logic = Scheduling(definitions.workflows, [(self._agent, frozenset({"all"}))])
        self._logic.receive(AgentReady(self._agent, 1), 0)
        self._made = 0
        self._logic.receive(TasksReady(tuple(self._ready() for _ in range(depth + 1))), 0)
        self._running = self._given()

    def step(self) -> float:
        """Microseconds for one end, one newcomer, one decision."""
        ready, ended = self._ready(), self._running
        outcome = Outcome(OutcomeKind.COMPLETED, began=1, ended=2)
        began = time.perf_counter_ns()
        self._logic.receive(AttemptEnded(self._agent, 1, ended, outcome), 3)
        self._logic.receive(TasksReady((ready,), (ended,)), 4)
        self._running = self._given()
        return (time.perf_counter_ns() - began) / 1e3

    def _given(self) -> AttemptId:
        for effect in self._logic.settle(5):
            if isinstance(effect, Send) and isinstance(effect.message, RunAttempt):
                return effect.message.job.attempt
        raise AssertionError("nothing was given to the agent")

    def _ready(self) -> ReadyTask:
        self._made += 1
        return ReadyTask(_job(self._workflow, self._made), self._made)


def _job(workflow: Workflow, number: int) -> Job:
    entity = EntityId(f"entity-{number:07}")
    return Job(
        attempt=AttemptId(TaskKey(number * MAX_TASKS), 1),
        origin=Origin("store", workflow.id, entity, 1_630_000_000),
        task=workflow.tasks[0],
        priority=workflow.priority,
        entity=Entity(entity),
        event=None,
        params={},
        inputs={},
        restored=None,
        merged=1,
    )
