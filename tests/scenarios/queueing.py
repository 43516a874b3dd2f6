"""Queues with known answers, in virtual time: Poisson arrivals in classes, exponential work, m agents alike.

What is computed from each run: the mean response by class with its standard error by batch
means, and both sides of Little's law, in whole nanoseconds.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from actors import Event
from actors.definitions import parse
from actors.effects import SCHEDULER
from actors.messages import ReadStats
from actors.model import Definitions, Job, OutcomeKind
from actors.simulation import Plan, Simulation, Span
from tests.scenarios.work import work

NS = 1_000_000_000
BATCHES = 30
ENTITIES = 20_000
"""Taken in turn; far more than are ever in the system, so that each job has an entity of its own."""
AHEAD = 500
"""Arrivals published ahead of the clock."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A system and a discipline. Rates are per second, the most important class first."""

    name: str
    rates: tuple[float, ...]
    preempts: bool = True
    classes: bool = True
    """False: all in one line, first in first out."""
    service: float = 10.0
    agents: int = 5


@dataclass(frozen=True, slots=True)
class ClassMean:
    """What the jobs of one class came to."""

    jobs: int
    total_ns: int
    """The sum of their responses."""
    error_ms: float
    """The standard error of the mean."""

    @property
    def mean_ms(self) -> float:
        return self.total_ns / self.jobs / 1e6


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run came to, or several together."""

    classes: tuple[ClassMean, ...]
    integral_ns: int
    """Of the number in the system over time."""
    preemptions: int

    @property
    def jobs(self) -> int:
        return sum(one.jobs for one in self.classes)

    @property
    def total_ns(self) -> int:
        return sum(one.total_ns for one in self.classes)

    @property
    def mean_ms(self) -> float:
        """Mean response of all."""
        return self.total_ns / self.jobs / 1e6

    @property
    def error_ms(self) -> float:
        """Of the mean of all, which is at most as far off as its parts together."""
        return sum(one.error_ms * one.jobs for one in self.classes) / self.jobs


def together(runs: Sequence[Measured]) -> Measured:
    """Independent runs as one."""
    classes = []
    for same in zip(*[run.classes for run in runs], strict=True):
        jobs = sum(one.jobs for one in same)
        error = math.sqrt(sum((one.error_ms * one.jobs) ** 2 for one in same)) / jobs
        classes.append(ClassMean(jobs, sum(one.total_ns for one in same), error))
    return Measured(tuple(classes), sum(run.integral_ns for run in runs), sum(run.preemptions for run in runs))


def class_mean(responses: Sequence[int]) -> ClassMean:
    """The mean of responses in the order of their ends, its error by batch means.

    Neighbours are alike, so their variance says too little. The run is cut into 30 stretches, each
    many times as long as the queue remembers; the means of stretches are nearly independent.
    """
    size = len(responses) // BATCHES
    means = [sum(responses[n * size : (n + 1) * size]) / size / 1e6 for n in range(BATCHES)]
    middle = sum(means) / BATCHES
    error = math.sqrt(sum((mean - middle) ** 2 for mean in means) / (BATCHES - 1) / BATCHES)
    return ClassMean(len(responses), sum(responses), error)


Arrived = tuple[int, int, int]
"""When, of which class, and how much work: ns."""


def arrivals(queue: Queue, tasks: int, seed: int) -> Iterator[Arrived]:
    """So many arrivals in order; the same for every discipline."""
    chance = random.Random(seed)
    upcoming = [(chance.expovariate(rate), number) for number, rate in enumerate(queue.rates)]
    heapq.heapify(upcoming)
    for _ in range(tasks):
        at, number = upcoming[0]
        heapq.heapreplace(upcoming, (at + chance.expovariate(queue.rates[number]), number))
        yield int(at * NS), number, max(1, int(chance.expovariate(queue.service) * NS))


def definitions(queue: Queue) -> Definitions:
    workflows = {}
    for number in range(len(queue.rates)):
        task = {"id": "work", "action": "work", "timeout": 86_400_000, "isolation": "thread"}
        task |= {"priority": number if queue.classes else 0}
        if not queue.preempts:
            task |= {"preempts": "never"}
        workflows[f"class_{number}"] = {"trigger_event": f"class_{number}", "coalesce": "all", "tasks": [task]}
    settings = {"agents": queue.agents, "event_types": sorted(workflows), "max_remembered_ids": 0, "max_finished": 0}
    return parse({"workflows": workflows, "settings": settings}, actions={"work": work})


class Trial:
    """One run of a queue."""

    def __init__(self, queue: Queue, source: Iterator[Arrived]) -> None:
        self.responses: list[list[int]] = [[] for _ in queue.rates]
        """Nanoseconds, by class, in the order of ends."""
        self.ends: list[int] = []
        self.preemptions = 0
        self._integral = 0
        self._source = source
        self._arrived: dict[str, int] = {}
        self._upcoming: list[int] = []
        """Instants of arrivals that are published and not yet due, the next one last."""
        self._in_system = 0
        self._since = 0
        self._number = 0
        self.simulation = Simulation(definitions(queue), plan=_plan)
        self.simulation.on_span = self._note

    def run(self) -> Measured:
        while (last := self._publish_some()) is not None:
            self.simulation.run(until=last)
            self._count_arrivals(last)
        self.simulation.run()
        self._count_arrivals(self.simulation.now)
        assert not self._arrived, f"{len(self._arrived)} never ended"
        return Measured(tuple(map(class_mean, self.responses)), self._integral, self.preemptions)

    def _publish_some(self) -> int | None:
        """Publish the next arrivals; return the last one's instant."""
        last = None
        upcoming: list[int] = []
        for _, (at, chosen, size) in zip(range(AHEAD), self._source, strict=False):
            entity = _entity(self._number)
            assert entity not in self._arrived, "more in the system than there are entities"
            self._arrived[entity] = last = at
            upcoming.append(at)
            self.simulation.publish(_event(self._number, chosen, size), at=at)
            self._number += 1
        self._upcoming = upcoming[::-1]
        return last

    def _count_arrivals(self, until: int) -> None:
        """Bring the integral of the number in the system up to that instant."""
        upcoming = self._upcoming
        while upcoming and upcoming[-1] <= until:
            at = upcoming.pop()
            self._integral += self._in_system * (at - self._since)
            self._in_system += 1
            self._since = at
        self._integral += self._in_system * (until - self._since)
        self._since = until

    def _note(self, span: Span) -> None:
        if span.outcome is not OutcomeKind.COMPLETED:
            self.preemptions += 1
            return
        self._count_arrivals(span.ended)
        self._in_system -= 1
        self.ends.append(span.ended)
        response = span.ended - self._arrived.pop(span.entity)
        self.responses[int(span.workflow[-1])].append(response)


def _entity(number: int) -> str:
    return f"e{number % ENTITIES}"


def _event(number: int, chosen: int, size: int) -> Event:
    return Event(f"class_{chosen}", _entity(number), priority=chosen, data=size)


def _plan(job: Job, restored: int) -> Plan:
    assert job.event is not None
    return Plan(takes=job.event.data)


def measure(queue: Queue, *, tasks: int, seed: int) -> Measured:
    """Run so many tasks through it."""
    return Trial(queue, arrivals(queue, tasks, seed)).run()


def gauges(queue: Queue, *, tasks: int, seed: int) -> dict[str, int]:
    """Both sides of Little's law for what waits and for what runs, from the engine's own gauges.

    A first run says at which instants anything changes; a second one reads the scheduler's gauges
    after each of them. In ns: ``waits`` is to be equal to ``waiting``, ``works`` to ``running``.
    """
    jobs = list(arrivals(queue, tasks, seed))
    trial = Trial(queue, iter(jobs))
    measured = trial.run()
    works = sum(size for _, _, size in jobs)
    simulation = Simulation(definitions(queue), plan=_plan)
    for number, (at, chosen, size) in enumerate(jobs):
        simulation.publish(_event(number, chosen, size), at=at)
    waiting = running = waits_now = runs_now = since = 0
    for instant in sorted({at for at, _, _ in jobs} | set(trial.ends)):
        simulation.run(until=instant)
        waiting += waits_now * (instant - since)
        running += runs_now * (instant - since)
        stats = simulation.ask(SCHEDULER, ReadStats())
        waits_now, runs_now, since = sum(stats["queues"].values()), stats["agents"]["running"], instant
    assert (waits_now, runs_now) == (0, 0)
    return {"waits": measured.total_ns - works, "waiting": waiting, "works": works, "running": running}


RATES = (10.0, 10.0, 20.0)
PREEMPTIVE = Queue("preemptive resume", RATES)
NON_PREEMPTIVE = Queue("without preemption", RATES, preempts=False)
FIFO = Queue("first in first out", RATES, preempts=False, classes=False)
PUBLISHED: Sequence[tuple[Queue, tuple[float, ...]]] = (
    (PREEMPTIVE, (100.1, 103.9, 208.8)),
    (NON_PREEMPTIVE, (113.9, 123.1, 192.4)),
    (FIFO, (155.4, 155.4, 155.4)),
)
"""Mean responses in ms by class, with five agents and work of 100 ms on average."""
