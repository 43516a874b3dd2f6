"""Metrics for Prometheus, read from the engine when they are asked for.

Nothing is kept here and nobody is subscribed: the actors' logics count, each its own, and are asked
as ``stats`` asks them. Units are seconds; labels are few, whatever is published: never an id of an
entity, an instance, a task or a workflow, and priorities from 10 on are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from actors.engine import Engine
from actors.logic.timings import BOUNDS_S, level

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
CORE = ("router", "keeper", "scheduler")
AGENTS = "agents"
"""All agents together: there may be a hundred thousand."""


def exposed(engine: Engine, *, streams: int) -> bytes:
    """All metrics as text. Raises what ``Engine.stats`` raises."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Found(engine.stats(), engine.queues(), engine.actors(), streams))
    return generate_latest(registry)


class _Found(Collector):
    def __init__(
        self,
        stats: Mapping[str, Any],
        queues: Iterable[Mapping[str, Any]],
        actors: Iterable[Mapping[str, Any]],
        streams: int,
    ) -> None:
        self._stats = stats
        self._queues = list(queues)
        self._actors = list(actors)
        self._streams = streams

    def collect(self) -> Iterator[Metric]:
        """Every metric, in the order of the documentation."""
        yield from self._work()
        yield from self._preemption()
        yield from self._events()
        yield from self._machinery()

    def _work(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily("engine_queue_depth", "Tasks that wait for an agent", labels=["priority"])
        oldest = GaugeMetricFamily(
            "engine_queue_oldest_seconds", "How long the oldest waiting task has waited", labels=["priority"]
        )
        depths: dict[str, int] = {}
        ages: dict[str, float] = {}
        for queue in self._queues:
            name = level(queue["priority"])
            depths[name] = depths.get(name, 0) + queue["depth"]
            ages[name] = max(ages.get(name, 0.0), queue["oldest_ms"] / 1000)
        for name, value in depths.items():
            depth.add_metric([name], value)
            oldest.add_metric([name], ages[name])
        yield depth
        yield oldest
        timings = self._stats["timings"]
        yield _histogram(
            "engine_queue_wait_seconds",
            "From coming into line to getting an agent",
            "priority",
            timings["waited"],
        )
        yield _histogram(
            "engine_task_seconds", "From an action's first line to its end, by how it ended", "outcome", timings["ran"]
        )
        yield _counter("engine_tasks", "Ends of attempts, by what followed from them", "verdict", self._stats["tasks"])
        instances = dict(self._stats["instances"])
        running = GaugeMetricFamily("engine_instances_running", "Instances that have not ended")
        running.add_metric([], instances.pop("running", 0))
        yield running
        yield _counter("engine_instances", "Instances that have ended", "status", instances)
        entities = GaugeMetricFamily("engine_entities", "Rows of the state table")
        entities.add_metric([], self._stats["entities"])
        yield entities

    def _preemption(self) -> Iterator[Metric]:
        timings = self._stats["timings"]
        preempted = CounterMetricFamily(
            "engine_preemptions", "Attempts told to make way", labels=["victim_priority", "preemptor_priority"]
        )
        for pair in timings["preempted"]:
            preempted.add_metric([pair["victim"], pair["preemptor"]], pair["count"])
        yield preempted
        urgent = HistogramMetricFamily(
            "engine_preemption_to_start_seconds", "From a preemption's request to the urgent action's first line"
        )
        urgent.add_metric([], *_buckets(timings["urgent"]))
        yield urgent
        ran = CounterMetricFamily("engine_ran_seconds", "What all ended attempts ran")
        ran.add_metric([], self._stats["ran_ms"] / 1000)
        yield ran
        wasted = {why: ms / 1000 for why, ms in self._stats["wasted_by"].items()}
        yield _counter("engine_wasted_seconds", "What has to be done again or was given up, by why", "reason", wasted)

    def _events(self) -> Iterator[Metric]:
        counts = {name: count for name, count in self._stats["events"].items() if isinstance(count, int)}
        waiting = GaugeMetricFamily("engine_events_waiting", "Events that wait at the router")
        waiting.add_metric([], counts.pop("waiting", 0))
        counts.pop("unanswered", None)
        yield waiting
        shed = CounterMetricFamily("engine_events_shed", "Events refused because the line was full")
        shed.add_metric([], counts.pop("refused", 0))
        yield shed
        yield _counter("engine_events", "What became of events", "what", counts)

    def _machinery(self) -> Iterator[Metric]:
        yield _gauge("engine_agents", "Agents, by what they do", "state", self._stats["agents"])
        depth = GaugeMetricFamily("engine_inbox_depth", "Messages in an actor's inbox", labels=["actor"])
        handled = CounterMetricFamily("engine_messages", "Messages that an actor has dealt with", labels=["actor"])
        oldest = GaugeMetricFamily(
            "engine_inbox_oldest_seconds", "How long the oldest message has waited", labels=["actor"]
        )
        restarts = CounterMetricFamily("engine_restarts", "Logics made after the first", labels=["actor"])
        for name, group in self._groups().items():
            depth.add_metric([name], sum(actor["inbox_depth"] for actor in group))
            handled.add_metric([name], sum(actor["handled"] for actor in group))
            oldest.add_metric([name], max((actor["oldest_waiting_ms"] for actor in group), default=0.0) / 1000)
            restarts.add_metric([name], sum(actor["restarts"] for actor in group))
        yield from (depth, handled, oldest, restarts)
        streams = GaugeMetricFamily("engine_stream_clients", "Streams of state changes that are open")
        streams.add_metric([], self._streams)
        yield streams

    def _groups(self) -> dict[str, list[Mapping[str, Any]]]:
        groups: dict[str, list[Mapping[str, Any]]] = {name: [] for name in (*CORE, AGENTS)}
        for actor in self._actors:
            groups[actor["name"] if actor["name"] in CORE else AGENTS].append(actor)
        return groups


def _histogram(name: str, text: str, label: str, found: Mapping[str, Mapping[str, Any]]) -> Metric:
    made = HistogramMetricFamily(name, text, labels=[label])
    for value, durations in found.items():
        made.add_metric([value], *_buckets(durations))
    return made


def _buckets(durations: Mapping[str, Any]) -> tuple[list[tuple[str, float]], float]:
    """As Prometheus counts: each bucket holds those before it too."""
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), durations["counts"], strict=True):
        total += count
        buckets.append((bound, total))
    return buckets, durations["sum_s"]


def _counter(name: str, text: str, label: str, found: Mapping[str, float]) -> Metric:
    made = CounterMetricFamily(name, text, labels=[label])
    for value, count in found.items():
        made.add_metric([str(value)], count)
    return made


def _gauge(name: str, text: str, label: str, found: Mapping[str, float]) -> Metric:
    made = GaugeMetricFamily(name, text, labels=[label])
    for value, count in found.items():
        made.add_metric([str(value)], count)
    return made
